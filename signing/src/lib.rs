//! OpenSSF model signatures: bundles that say who made a file.
