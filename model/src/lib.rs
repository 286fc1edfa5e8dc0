//! A pure in-memory model of a machine with ZFS pools.
//!
//! The [`Machine`] is a value: cloning it is O(1), and no operation on a copy shows in the original.
//! It does no I/O, keeps no global state, and has no clock or randomness of its own.
//! [`Machine::apply`] is the only door: every [`Op`] is total and ends in an [`Outcome`].

/// The page for people who test a system of their own; its code runs as a test.
#[cfg(doctest)]
#[doc = include_str!("../../docs/oracle.md")]
struct TestingYourOwnCode;

pub mod dmu;
pub mod dsl;
pub mod fault;
pub mod generate;
pub mod layer;
pub mod machine;
pub mod maps;
pub mod op;
pub mod oracle;
pub mod outcome;
pub mod release;
pub mod spa;
pub mod spec;
pub mod zpl;
mod zvol;

pub use machine::Machine;
pub use op::Op;
pub use outcome::Outcome;
pub use release::Release;
