//! `ztwin agent`: what runs inside of a guest. Not for people, so it is hidden.

use clap::Args;

use super::{Exit, Failure};
use crate::guest::agent;

/// Serve the ztwin that started this guest
#[derive(Clone, Debug, Args)]
pub struct Agent {}

impl Agent {
    #[allow(clippy::unused_self, reason = "all subcommands are run alike")]
    pub(super) fn run(&self) -> Result<Exit, Failure> {
        match agent::main() {
            Ok(()) => Ok(Exit::Agree),
            Err(error) => Err(Failure::Usage(error.to_string())),
        }
    }
}
