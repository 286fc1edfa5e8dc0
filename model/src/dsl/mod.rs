//! Datasets: create, snapshot, clone, promote, rename, rollback, destroy, holds, properties.

pub mod dataset;
mod find;
pub mod op;
pub mod properties;
pub mod reason;
