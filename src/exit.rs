//! How the program ends.

/// An exit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// All agree.
    Agree = 0,
    /// Something differs.
    Diverge = 1,
    /// Wrong use, or an unreadable trace.
    Usage = 2,
    /// The real pool could not be had.
    Unavailable = 3,
    /// Nothing differs, but some step is not modelled.
    NotModelled = 4,
    /// The user stopped it.
    Interrupted = 130,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        self as u8
    }
}
