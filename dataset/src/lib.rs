//! Image datasets as u8 tensors: formats, fetching and statistics.
