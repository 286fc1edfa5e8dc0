//! Pictures of a pool: which layer stands on which, what each owns and shares, whose every block of a file
//! is, and what comes back when a layer is removed.
//!
//! Every block is charged to one filesystem, the one in whose time it was written. So what a removal frees is
//! a sum of what those that go are charged.

pub mod film;
pub mod layer;
mod page;
mod text;

pub use film::Film;
pub use layer::{Kind, Layer};
pub use page::page;
pub use text::{Numbers, text};
