//! Every call in the order in which they took effect, with the process that made it (`--log`).

use std::fs::File;
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{Call, Error};
use crate::pools::{End, Printed};

/// Writes the lines.
#[derive(Debug)]
pub(super) struct Log {
    path: PathBuf,
    /// None as soon as it cannot be written any more.
    file: Option<File>,
}

/// A line, as JSON.
#[derive(Debug, Serialize)]
struct Line<'a> {
    /// The process, if it still was there.
    process: Option<i32>,
    #[serde(flatten)]
    call: &'a Call,
    out: std::borrow::Cow<'a, str>,
    err: std::borrow::Cow<'a, str>,
    /// The exit code; none when the call is not modelled.
    code: Option<u8>,
}

impl Log {
    /// Begins a log in a new file.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let shown = path.display();
        let file = File::create_new(path).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => Error(format!(
                "{shown} exists, and may be worth something; name another file for --log"
            )),
            _ => Error::of(format!("write the log {shown}"))(error),
        })?;
        Ok(Log {
            path: path.to_owned(),
            file: Some(file),
        })
    }

    /// Appends a call.
    pub fn add(&mut self, call: &Call, process: Option<i32>, printed: &Printed) {
        let Some(file) = &mut self.file else {
            return;
        };
        let line = Line {
            process,
            call,
            out: String::from_utf8_lossy(&printed.out),
            err: String::from_utf8_lossy(&printed.err),
            code: match printed.end {
                End::Exit(code) => Some(code),
                End::Panic | End::NotModelled => None,
            },
        };
        let written = serde_json::to_vec(&line).map_err(std::io::Error::from);
        let written = written.and_then(|mut line| {
            line.push(b'\n');
            file.write_all(&line)
        });
        if let Err(error) = written {
            let path = self.path.display();
            eprintln!("ztwin sim: cannot write the log {path}: {error}; it ends too early");
            self.file = None;
        }
    }
}
