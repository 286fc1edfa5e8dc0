//! Datasets: create, snapshot, clone, promote, rename, rollback, destroy, holds, properties.

pub mod dataset;
pub mod op;
pub mod reason;
