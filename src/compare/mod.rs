//! Equality classes, and the text that explains a verdict.
