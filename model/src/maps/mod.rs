//! Maps whose copies share what they have in common, as datasets share blocks: cloning one is O(1), and a change
//! copies no more than the way to it. The machine is made of them, so that it is a value all the same.

pub mod names;
pub mod radix;

pub use names::Names;
pub use radix::Radix;
