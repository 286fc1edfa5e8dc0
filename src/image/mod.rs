//! Images of containers: what is in an OCI layout or in what `docker save` wrote, as a trace of layers.

mod error;
mod manifest;
mod play;
mod steps;
mod store;
mod unpack;

pub use error::Error;
pub use manifest::{Image, Layer, Wanted, find};
pub use play::{Cost, Driver, Played, Pool, play};
pub use store::Store;
