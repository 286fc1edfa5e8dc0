//! Following paths.
