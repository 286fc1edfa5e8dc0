//! Open files.

/// Open files by process and handle.
#[derive(Clone, Debug, Default)]
pub struct OpenFiles {}
