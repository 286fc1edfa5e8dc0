//! The transcript format: parse, print.
