//! The mount table.

/// The mounted datasets, in the order in which they were mounted.
#[derive(Clone, Debug, Default)]
pub struct Mounts {}
