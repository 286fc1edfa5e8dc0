//! Sequences for `quickcheck`: of the mix `layers`, in the world that is the default.

use std::sync::Arc;

use ::quickcheck::{Arbitrary, Gen};

use super::shrink::{Shrinking, simpler};
use super::{Lot, Mix, Sequence, World};
use crate::release::Release;

impl Arbitrary for Sequence {
    fn arbitrary(g: &mut Gen) -> Sequence {
        let length = usize::arbitrary(g) % (g.size() + 1);
        let lots = (0..length).map(|_| Lot(u64::arbitrary(g).to_le_bytes()));
        let lots: Vec<Lot> = lots.collect();
        let world = Arc::new(World::default());
        Sequence::from_lots(&world, Mix::Layers, Release::default(), lots)
    }

    fn shrink(&self) -> Box<dyn Iterator<Item = Sequence>> {
        let sequence = self.clone();
        let mut shrinking = Shrinking::new(self.ops.clone(), simpler);
        Box::new(std::iter::from_fn(move || {
            let ops = shrinking.offer()?.to_vec();
            Some(Sequence {
                ops,
                ..sequence.clone()
            })
        }))
    }
}
