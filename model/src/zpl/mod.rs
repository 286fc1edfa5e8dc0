//! Files and directories: POSIX operations and their errors.

mod access;
mod copy;
pub mod files;
pub mod mount;
pub mod op;
pub mod open;
mod path;
mod walk;
mod xattr;
pub mod znode;
