//! What each system call does.
