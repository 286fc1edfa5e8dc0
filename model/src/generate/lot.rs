//! Where choices come from.

/// What one operation is drawn from: eight choices of one byte each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Lot(pub [u8; 8]);

/// Lots without an end, from a seed: the numbers of `SplitMix64`, the same on every machine.
#[derive(Clone, Debug)]
pub struct Lots {
    state: u64,
}

impl Lots {
    /// Those of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Lots {
        Lots { state: seed }
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.state ^ (self.state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

impl Iterator for Lots {
    type Item = Lot;

    fn next(&mut self) -> Option<Lot> {
        Some(Lot(self.number().to_le_bytes()))
    }
}

/// What is left of a lot.
#[derive(Clone, Debug)]
pub(super) struct Choices {
    left: std::array::IntoIter<u8, 8>,
}

impl Choices {
    pub fn new(lot: Lot) -> Choices {
        Choices {
            left: lot.0.into_iter(),
        }
    }

    /// The next byte; zeros when all have been taken.
    pub fn byte(&mut self) -> u8 {
        self.left.next().unwrap_or(0)
    }

    /// A number below `limit`, which is at most 256; 0 if that is 0. Low bytes make low numbers.
    pub fn below(&mut self, limit: usize) -> usize {
        (usize::from(self.byte()) * limit) >> 8
    }

    /// True about `times` times of 256, and never for a byte of zero.
    pub fn chance(&mut self, times: u8) -> bool {
        self.byte() > u8::MAX - times
    }

    /// One of these.
    pub fn one<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        let index = self.below(all.len());
        all.get(index)
    }

    /// The first of these, from one that is drawn on, of which this holds; the drawn one if it holds of none
    /// and `blindly`.
    pub fn one_of_which<'a, T>(
        &mut self,
        all: &'a [T],
        blindly: bool,
        mut holds: impl FnMut(&T) -> bool,
    ) -> Option<&'a T> {
        let start = self.below(all.len());
        if blindly {
            return all.get(start);
        }
        let (before, behind) = all.split_at(start.min(all.len()));
        behind.iter().chain(before).find(|it| holds(it))
    }
}
