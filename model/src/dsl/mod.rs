//! Datasets: create, snapshot, clone, promote, rename, rollback, destroy, holds, properties, quotas.
//!
//! A [`dataset::Dataset`] knows its place by numbers and the last component of its name, as a
//! `dsl_dir` with its `dsl_dataset`s does: a rename moves one entry, and a promote moves snapshots.

pub(crate) mod assign;
pub mod bookmark;
pub mod clone;
pub mod create;
pub mod dataset;
pub mod destroy;
pub mod figures;
mod find;
pub mod hold;
pub mod limit;
pub mod names;
pub mod op;
pub mod promote;
pub mod properties;
pub mod property;
pub mod reason;
pub mod rename;
pub mod rollback;
pub mod room;
pub mod snapshot;
pub mod space;
pub mod value;

#[cfg(test)]
mod tests;
