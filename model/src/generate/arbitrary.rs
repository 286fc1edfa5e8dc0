//! Sequences for fuzzers, by `arbitrary`: of the mix `layers`, in the world that is the default.

use std::sync::Arc;

use ::arbitrary::{Arbitrary, Result, Unstructured};

use super::{Mix, Sequence, World};
use crate::release::Release;

/// The most operations of a sequence: longer ones cost time and find little more.
const LONGEST: usize = 64;

impl Arbitrary<'_> for Sequence {
    /// All bytes that are left, eight for each operation, as [`Sequence::from_bytes`] has it.
    fn arbitrary(bytes: &mut Unstructured<'_>) -> Result<Sequence> {
        let count = bytes.len().min(8 * LONGEST);
        let bytes = bytes.bytes(count)?;
        let world = Arc::new(World::default());
        Ok(Sequence::from_bytes(
            &world,
            Mix::Layers,
            Release::default(),
            bytes,
        ))
    }
}
