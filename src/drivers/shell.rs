//! How drivers run commands: each is told as it is run, a failed one with what it said.

use bytes::Bytes;
use ztwin_model::layer::Tree;
use ztwin_model::outcome::Errno;
use ztwin_model::zpl::op::FileOp;

use super::gozfs::{COLUMNS, Dataset, Library, mismatch};
use crate::pools::{End, Printed, Session, Unavailable, Verb};
use crate::trace::quote;

/// The commands of one driver step.
pub(super) struct Shell<'a> {
    session: &'a mut dyn Session,
    told: String,
    /// The version of the library that runs the commands.
    pub library: Library,
    /// After how many more commands the driver is killed.
    left: Option<u32>,
}

/// Why a driver step goes no further: nothing that the driver could handle.
pub(super) enum Halt {
    /// The pools are not to be had any more.
    Unavailable(Unavailable),
    /// A command that the model does not know, or a panic: the step ends as that command did.
    Ended(Printed),
    /// The driver was killed: the last command has run, and nobody has heard of its outcome.
    Killed,
}

/// What went wrong for the driver, as go-zfs words it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The command, as the library tells it; none when the command succeeded.
    line: Option<String>,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    code: u8,
}

impl Failure {
    /// A failure of the library itself, not of a command.
    pub fn of_library(text: &str) -> Failure {
        Failure {
            line: None,
            stderr: text.to_owned(),
            code: 0,
        }
    }

    /// Whether what it said ends so.
    pub fn ends_with(&self, text: &str) -> bool {
        self.line.is_some() && self.stderr.trim().ends_with(text)
    }

    /// Whether what it said ends so, and with one line feed.
    pub fn ends_with_line(&self, text: &str) -> bool {
        let line = self.stderr.strip_suffix('\n');
        self.line.is_some() && line.is_some_and(|line| line.ends_with(text))
    }
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, stderr) = (self.code, said(&self.stderr));
        match &self.line {
            Some(line) => write!(f, "exit status {code}: \"{line}\" => {stderr}"),
            None => f.write_str(stderr),
        }
    }
}

/// What a command said on standard error, without the help that goes with wrong use: that is another
/// text in every release, and nothing that a driver looks at.
fn said(stderr: &str) -> &str {
    stderr
        .split_once("usage:\n")
        .map_or(stderr, |(before, _)| before)
        .trim_end()
}

/// How a command ended for the driver.
pub(super) type Ran<T> = Result<Result<T, Failure>, Halt>;

impl<'a> Shell<'a> {
    /// A step's shell; the driver is killed when `left` commands have run.
    pub fn new(session: &'a mut dyn Session, library: Library, left: Option<u32>) -> Self {
        Shell {
            session,
            told: String::new(),
            library,
            left,
        }
    }

    /// What the commands were, as the step prints it.
    pub fn told(self) -> String {
        self.told
    }

    /// Says something of the driver's own.
    pub fn say(&mut self, line: &str) {
        self.told.push_str(line);
        self.told.push('\n');
    }

    /// Runs a command and returns its standard output.
    pub fn run(&mut self, words: &[&str]) -> Ran<String> {
        let line = words
            .iter()
            .map(|word| quote(word))
            .collect::<Vec<_>>()
            .join(" ");
        self.say(&format!("+ {line}"));
        let printed = self.session.run(words).map_err(Halt::Unavailable)?;
        let ran = match printed.end {
            End::Exit(0) => Ok(String::from_utf8_lossy(&printed.out).into_owned()),
            End::Exit(code) => {
                let stderr = String::from_utf8_lossy(&printed.err).into_owned();
                for line in said(&stderr).lines() {
                    self.say(&format!("- {line}"));
                }
                self.say(&format!("- [{code}]"));
                let line = Some(self.library.told(&line));
                Err(Failure { line, stderr, code })
            }
            End::Panic | End::NotModelled => return Err(Halt::Ended(printed)),
        };
        self.left = self.left.map(|left| left.saturating_sub(1));
        if self.left == Some(0) {
            return Err(Halt::Killed);
        }
        Ok(ran)
    }

    /// `zfs list` of what `arguments` name, row by row.
    pub fn rows(&mut self, arguments: &[&str]) -> Ran<Vec<Dataset>> {
        let words: Vec<&str> = ["zfs", "list"]
            .into_iter()
            .chain(arguments.iter().copied())
            .collect();
        let listed = match self.run(&words)? {
            Ok(listed) => listed,
            Err(failure) => return Ok(Err(failure)),
        };
        let library = self.library;
        let rows: Option<Vec<_>> = listed
            .lines()
            .map(|line| Dataset::read(library, line))
            .collect();
        Ok(rows.ok_or_else(mismatch))
    }

    /// What go-zfs calls `GetDataset`.
    pub fn dataset(&mut self, name: &str) -> Ran<Dataset> {
        Ok(match self.rows(&["-Hp", "-o", COLUMNS, name])? {
            Ok(rows) => rows.into_iter().next().ok_or_else(mismatch),
            Err(failure) => Err(failure),
        })
    }

    /// Everything in a mounted filesystem.
    pub fn tree(&mut self, dataset: &str) -> Result<Result<Tree, Errno>, Halt> {
        self.session.tree(dataset).map_err(Halt::Unavailable)
    }

    /// The bytes that `data=hash:` names, or why they are not to be had.
    pub fn blob(&self, name: &str) -> Result<Bytes, String> {
        let bytes = self.session.blob(name);
        bytes.map_err(|error| error.to_string())
    }

    /// Whether a filesystem is mounted at a path.
    pub fn is_mounted(&mut self, path: &str) -> Result<bool, Halt> {
        self.session.is_mounted(path).map_err(Halt::Unavailable)
    }

    /// One system call on a file, of which nothing is told.
    pub fn call(&mut self, op: FileOp) -> Result<Result<(), String>, Halt> {
        let printed = self
            .session
            .verb("", &Verb::File(op))
            .map_err(Halt::Unavailable)?;
        match printed.end {
            End::Exit(0) => Ok(Ok(())),
            End::Exit(_) => {
                let errno = String::from_utf8_lossy(&printed.err);
                Ok(Err(errno.trim_end().to_owned()))
            }
            End::Panic | End::NotModelled => Err(Halt::Ended(printed)),
        }
    }
}

/// The step's outcome: what was told, and the driver's error if there is one.
pub(super) fn finish(
    told: String,
    done: Result<Result<(), String>, Halt>,
) -> Result<Printed, Unavailable> {
    let out = told.into_bytes();
    let failed = |error: String, code| Printed {
        out: out.clone(),
        err: format!("{error}\n").into_bytes(),
        end: End::Exit(code),
    };
    match done {
        Ok(Ok(())) => Ok(Printed {
            out,
            ..Printed::default()
        }),
        Ok(Err(error)) => Ok(failed(error, 1)),
        Err(Halt::Killed) => Ok(failed("killed".to_owned(), 137)),
        Err(Halt::Unavailable(unavailable)) => Err(unavailable),
        Err(Halt::Ended(printed)) => Ok(Printed { out, ..printed }),
    }
}

/// Goes on with the value, or ends the driver's operation with the failure's text.
macro_rules! attempt {
    ($ran:expr) => {
        match $ran? {
            Ok(value) => value,
            Err(failure) => return Ok(Err(failure.to_string())),
        }
    };
}
pub(super) use attempt;
