//! Sequences of operations that nobody wrote, over a small world.
//!
//! Eight bytes make an operation ([`Lot`]): which kind, and which of the names, sizes and data of a [`World`].
//! They are chosen with the machine in view, so that most operations succeed, and the states in which drivers
//! get hurt come up: clones of snapshots that are held, filesystems that are mounted twice. No operation is
//! filtered out because it would be refused; a part of them is drawn blindly.
//!
//! Bytes of a fuzzer, a seed, and the adapters of proptest, quickcheck and arbitrary all come down to lots, so
//! that the same lots are the same sequence everywhere.

mod alphabet;
#[cfg(feature = "arbitrary")]
mod arbitrary;
pub mod canonical;
pub(crate) mod choose;
mod command;
pub mod invariants;
mod lot;
#[cfg(feature = "proptest")]
pub mod proptest;
#[cfg(feature = "quickcheck")]
mod quickcheck;
mod recipe;
mod sequence;
pub mod shrink;
#[cfg(feature = "proptest-state-machine")]
pub mod state_machine;
mod step;
pub mod world;

pub use choose::Mix;
pub use command::apply;
pub use lot::{Lot, Lots};
pub use recipe::Recipe;
pub use sequence::Sequence;
pub use step::Step;
pub use world::World;
