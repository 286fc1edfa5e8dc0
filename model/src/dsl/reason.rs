//! Why ZFS refuses an operation on pools or datasets.

/// A reason of refusal, as data; `programs` turns it into the release's text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reason {}
