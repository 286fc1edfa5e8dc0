//! Why a subcommand could not do what it was asked.

use std::path::PathBuf;
use std::{fmt, io};

use crate::exit::Exit;
use crate::pools::Unavailable;
use crate::trace::TraceError;

/// Why a subcommand could not do what it was asked.
#[derive(Debug)]
pub enum Failure {
    /// Traces that cannot be read.
    Traces(Vec<TraceError>),
    /// A file that cannot be read or written: what was tried, the file, and why it failed.
    File(&'static str, PathBuf, io::Error),
    /// Standard output cannot be written.
    Output(io::Error),
    /// Wrong use: what is wrong, and what to do.
    Usage(String),
    /// The real pool could not be had.
    Unavailable(Unavailable),
    /// The user stopped it: what had been done by then.
    Interrupted(String),
}

impl Failure {
    /// The exit code that says so.
    #[must_use]
    pub fn exit(&self) -> Exit {
        match self {
            Failure::Traces(_) | Failure::Usage(_) | Failure::File(..) | Failure::Output(_) => {
                Exit::Usage
            }
            Failure::Unavailable(_) => Exit::Unavailable,
            Failure::Interrupted(_) => Exit::Interrupted,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Traces(errors) => {
                for error in errors {
                    writeln!(f, "error: {error}\n")?;
                }
                let (count, s) = (errors.len(), if errors.len() == 1 { "" } else { "s" });
                write!(
                    f,
                    "ztwin: {count} unreadable trace{s}; docs/traces.md explains the format"
                )
            }
            Failure::File(verb, path, error) => {
                write!(f, "ztwin: cannot {verb} {}: {error}", path.display())
            }
            Failure::Output(error) => write!(f, "ztwin: cannot write the output: {error}"),
            Failure::Usage(message) => write!(f, "ztwin: {message}"),
            Failure::Unavailable(unavailable) => write!(f, "ztwin: {unavailable}"),
            Failure::Interrupted(done) => write!(f, "ztwin: interrupted; {done}"),
        }
    }
}

impl From<Unavailable> for Failure {
    fn from(unavailable: Unavailable) -> Self {
        Failure::Unavailable(unavailable)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Failure::Output(error)
    }
}
