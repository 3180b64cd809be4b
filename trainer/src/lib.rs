//! Fits a network to a dataset with Burn and saves its weights.
