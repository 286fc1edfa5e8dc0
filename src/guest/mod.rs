//! Building and talking to the QEMU guest: real OpenZFS on a host that has none.
//!
//! - [`image`]: which images there are, where they are kept, what is in them;
//! - [`build`]: from Debian's packages to an image;
//! - [`boot`]: a running guest, and how it ends;
//! - [`wire`]: what host and guest say to each other;
//! - [`agent`]: the side that runs inside of the guest;
//! - [`interrupt`]: nothing is left behind when ztwin is interrupted.
//!
//! Nothing here knows what a step means: [`crate::pools::guest`] sends whole traces through it.

pub mod agent;
pub mod boot;
pub mod build;
pub mod image;
pub mod interrupt;
pub mod wire;

mod initrd;
mod loader;

use crate::pools::Unavailable;

/// Why there is no guest, or no longer one. Says nothing about ZFS: exit code 3.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name of an image that does not exist in Debian's suites.
    #[error("{0}")]
    Name(String),
    /// The image has not been built.
    #[error("there is no image `{id}` in {dir}: build it with `{line}`")]
    NotBuilt {
        /// The image, as in `vm:trixie`.
        id: String,
        /// The cache directory.
        dir: String,
        /// The command that builds it.
        line: String,
    },
    /// Programs that the host lacks, with the Debian packages that have them.
    #[error(
        "missing on this host: {programs}\ninstall them with: {sudo}apt-get install --no-install-recommends {packages}"
    )]
    Missing {
        /// The programs, comma separated.
        programs: String,
        /// The packages, space separated.
        packages: String,
        /// `sudo ` unless this is root.
        sudo: &'static str,
    },
    /// An image whose files are not those that were built.
    #[error("the image in {dir} is damaged: {what}\nremove and build it again with `{line}`")]
    Damaged {
        /// The image's directory.
        dir: String,
        /// What is wrong with it.
        what: String,
        /// The command that mends it.
        line: String,
    },
    /// An OpenZFS release that the model does not have.
    #[error(
        "OpenZFS {version} of {of} is of no release line that ztwin models ({known})\nbuild an image of a known line: `ztwin vm build trixie` (2.3), `trixie-backports` (2.4) or `bookworm` (2.1); a new line is added in model/src/release.rs"
    )]
    Line {
        /// The version found.
        version: String,
        /// Where it was found.
        of: String,
        /// The lines that are modelled, comma separated.
        known: String,
    },
    /// A file could not be read or written.
    #[error("{what}: {source}{}", hint(source))]
    Io {
        /// What was being done, with the path.
        what: String,
        /// The system's reason.
        source: std::io::Error,
    },
    /// The image could not be built.
    #[error("building {id}: {what}")]
    Build {
        /// The image.
        id: String,
        /// What failed and what to do.
        what: String,
    },
    /// The guest did not come up.
    #[error("the guest {id} did not start: {what}{}", tail(console))]
    Boot {
        /// The image.
        id: String,
        /// What was seen.
        what: String,
        /// The last lines of its console.
        console: String,
    },
    /// The guest's kernel panicked.
    #[error("the kernel of the guest {id} panicked{}", tail(console))]
    Panicked {
        /// The image.
        id: String,
        /// The last lines of its console, up to the panic.
        console: String,
    },
    /// The guest ended though nobody asked it to.
    #[error("the guest {id} ended: {what}{}", tail(console))]
    Ended {
        /// The image.
        id: String,
        /// How its process ended.
        what: String,
        /// The last lines of its console.
        console: String,
    },
    /// The guest lives, and says nothing any more, or never ends a step.
    #[error("the guest {id} hangs: {what}; it was stopped{}", tail(console))]
    Hung {
        /// The image.
        id: String,
        /// What was waited for, and how long.
        what: String,
        /// The last lines of its console.
        console: String,
    },
    /// The agent in the guest could not do what was asked.
    #[error("the agent in the guest {id}: {what}")]
    Agent {
        /// The image.
        id: String,
        /// What it said.
        what: String,
    },
}

impl Error {
    /// An [`Error::Io`] that says what was being done.
    pub(crate) fn io(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Error {
        let what = what.into();
        move |source| Error::Io { what, source }
    }
}

impl From<Error> for Unavailable {
    fn from(error: Error) -> Self {
        Unavailable {
            message: error.to_string(),
        }
    }
}

/// What to do about the errors that people meet most.
fn hint(source: &std::io::Error) -> &'static str {
    match source.kind() {
        std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => {
            "\nmake room there, or set ZTWIN_CACHE to a directory on a larger disk"
        }
        std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
            "\nset ZTWIN_CACHE to a directory that you may write"
        }
        _ => "",
    }
}

/// The console's last lines as they stand under a message; nothing when it printed nothing.
fn tail(console: &str) -> String {
    if console.is_empty() {
        return String::new();
    }
    let mut text = String::from("\nits console ended with:");
    for line in console.lines() {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    text
}
