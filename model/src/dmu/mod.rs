//! Objects and blocks: block size, births, holes, sharing.

/// The objects of one filesystem or snapshot. Cloning is O(1) and shares every block.
#[derive(Clone, Debug, Default)]
pub struct Objset {}
