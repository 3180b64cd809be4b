//! A run as one HTML page, and its plots as SVG and PNG files.
