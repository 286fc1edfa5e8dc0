//! Files and directories: POSIX operations and their errors.

pub mod mount;
pub mod op;
pub mod open;
