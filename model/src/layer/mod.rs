//! Changes between trees, whiteouts, tar in and out.
