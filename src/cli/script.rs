//! `ztwin script`: a trace as a shell script.

use std::path::PathBuf;

use clap::Args;
use ztwin_model::Release;

use super::input::{self, Selection};
use super::{Context, Exit, Failure};
use crate::script::{Unsaid, script};

/// Print a trace as a shell script that needs nothing but ZFS
///
/// It exits 0 if ZFS does what the trace says, 1 if it does something else, and 2 if it cannot be run: it needs
/// root, and no pool of the names that stand in it.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Script {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The release whose outcomes are expected [default: the newest that the trace names]
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release)]
    pub openzfs: Option<Release>,
}

impl Script {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let loaded = input::load(std::slice::from_ref(&self.trace), &Selection::default())?;
        let [loaded] = loaded.as_slice() else {
            return Err(Failure::Usage("name one trace".to_owned()));
        };
        let text = script(&loaded.trace, self.openzfs).map_err(|error| match error {
            Unsaid::Last(_) => Failure::Usage(format!("{}: {error}", loaded.name)),
            Unsaid::Unavailable(error) => error.into(),
        })?;
        write!(context.out, "{text}")?;
        Ok(Exit::Agree)
    }
}
