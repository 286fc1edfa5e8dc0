//! Files and directories: POSIX operations and their errors.

pub mod files;
pub mod mount;
pub mod op;
pub mod open;
mod path;
mod walk;
pub mod znode;
