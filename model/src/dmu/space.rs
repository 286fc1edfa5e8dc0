//! Which blocks a transaction group writes, and which it gives up.

use super::Weight;
use super::deadlist::Deadlist;
use super::indirect::Pointer;

/// A block on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Held {
    /// The transaction group that wrote it.
    pub birth: u64,
    pub weight: Weight,
}

impl Held {
    /// The pointer to it, as a block of metadata with this content, which is another one for each number.
    pub(super) fn pointer(&self, content: u64) -> Pointer {
        Pointer {
            stored: self.weight.physical,
            holds: 0,
            copies: 2,
            birth: self.birth,
            content,
        }
    }
}

/// Blocks of one birth that are given up, of which nobody knows how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Freed {
    /// The transaction group that wrote them.
    pub birth: u64,
    /// What is held less without them, where as few as possible are held that are young, and as many.
    pub weight: Weight,
    /// What they weigh.
    pub gone: Weight,
}

/// What one transaction group did to a dataset. A block that was written and given up within it never counts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// All blocks that it wrote.
    pub born: Weight,
    /// The blocks that it gave up.
    pub freed: Deadlist,
    /// The leaves of directories that it gave up.
    pub leaves: Vec<Freed>,
    /// Whether it is unknown what it wrote.
    pub is_unknown: bool,
}

impl Synced {
    /// A block gives way to another one, if there are any.
    pub(super) fn replace(&mut self, old: Option<Held>, new: Option<Held>) {
        if let Some(old) = old {
            self.freed.insert(old.birth, old.weight);
        }
        self.born += new.map(|new| new.weight).unwrap_or_default();
    }
}
