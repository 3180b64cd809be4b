//! Networks described as YAML, turned into one Burn module.
