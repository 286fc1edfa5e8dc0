//! Operations on datasets.

use crate::machine::State;
use crate::outcome::Outcome;

/// An operation on datasets and their properties: one sync task each.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DslOp {}

impl DslOp {
    pub(crate) fn apply(&self, _state: &mut State) -> Outcome {
        Outcome::NotModelled("datasets")
    }
}
