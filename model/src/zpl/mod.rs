//! Files and directories: POSIX operations and their errors.

mod access;
mod control;
mod copy;
pub mod diff;
pub mod files;
mod fold;
pub mod mount;
pub(crate) mod mounting;
pub mod op;
pub mod open;
mod path;
pub mod permission;
mod rename;
mod seek;
mod setattr;
mod telling;
mod walk;
mod xattr;
pub mod znode;
