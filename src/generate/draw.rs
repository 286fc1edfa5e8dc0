//! Drawing by lot.

use ztwin_model::generate::Lots;

/// A stream of numbers from a seed, the same on every machine.
#[derive(Clone, Debug)]
pub(super) struct Draw {
    lots: Lots,
}

impl Draw {
    pub fn new(seed: u64) -> Self {
        Draw {
            lots: Lots::new(seed),
        }
    }

    /// A number below `limit`; 0 if that is 0. The bias of the remainder does not matter here.
    pub fn below(&mut self, limit: u64) -> u64 {
        self.lots.number().checked_rem(limit).unwrap_or(0)
    }

    /// True `times` times `of`.
    pub fn chance(&mut self, times: u64, of: u64) -> bool {
        self.below(of) < times
    }

    /// One of these; `None` if there are none.
    pub fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = usize::try_from(self.below(all.len() as u64)).ok()?;
        all.get(index)
    }

    /// One of these, as often as its weight says.
    pub fn weighted<'a, T>(&mut self, all: &'a [(u64, T)]) -> Option<&'a T> {
        let mut at = self.below(all.iter().map(|(weight, _)| weight).sum());
        for (weight, it) in all {
            if at < *weight {
                return Some(it);
            }
            at -= weight;
        }
        None
    }
}
