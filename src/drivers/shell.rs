//! How drivers run commands: each is told as it is run, a failed one with what it said.

use ztwin_model::layer::Tree;
use ztwin_model::outcome::Errno;

use crate::pools::{End, Printed, Session, Unavailable};
use crate::trace::quote;

/// What go-zfs asks for of a dataset (`dsPropListOptions`).
pub(super) const COLUMNS: &str = "name,origin,used,available,mountpoint,compression,type,volsize,quota,referenced,written,logicalused,usedbydataset";

/// The commands of one driver step.
pub(super) struct Shell<'a> {
    session: &'a mut dyn Session,
    told: String,
}

/// Why a driver step goes no further: nothing that the driver could handle.
pub(super) enum Halt {
    /// The pools are not to be had any more.
    Unavailable(Unavailable),
    /// A command that the model does not know, or a panic: the step ends as that command did.
    Ended(Printed),
}

/// A command that failed, as go-zfs words it.
#[derive(Clone, Debug)]
pub(super) struct Failure {
    /// The command.
    line: String,
    /// Standard error.
    pub stderr: String,
    /// The exit code.
    code: u8,
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (code, line, stderr) = (self.code, &self.line, said(&self.stderr));
        write!(f, "exit status {code}: \"{line}\" => {stderr}")
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

/// The row of a dataset, as far as drivers look at it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dataset {
    /// Its full name.
    pub name: String,
    /// `filesystem`, `snapshot` or `volume`.
    pub kind: String,
    /// `used`, as it was printed.
    pub used: String,
}

impl<'a> Shell<'a> {
    pub fn new(session: &'a mut dyn Session) -> Self {
        Shell {
            session,
            told: String::new(),
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
        match printed.end {
            End::Exit(0) => Ok(Ok(String::from_utf8_lossy(&printed.out).into_owned())),
            End::Exit(code) => {
                let stderr = String::from_utf8_lossy(&printed.err).into_owned();
                for line in said(&stderr).lines() {
                    self.say(&format!("- {line}"));
                }
                self.say(&format!("- [{code}]"));
                Ok(Err(Failure { line, stderr, code }))
            }
            End::Panic | End::NotModelled => Err(Halt::Ended(printed)),
        }
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
        let row = |line: &str| {
            let cells: Vec<&str> = line.split('\t').collect();
            // go-zfs counts the columns of every row.
            let [name, _, used, _, _, _, kind, _, _, _, _, _, _] = cells[..] else {
                return None;
            };
            let [name, used, kind] = [name, used, kind].map(str::to_owned);
            Some(Dataset { name, kind, used })
        };
        let rows: Option<Vec<_>> = listed.lines().map(row).collect();
        Ok(rows.ok_or_else(|| Failure {
            line: words.join(" "),
            stderr: "output does not match what is expected on this platform".to_owned(),
            code: 0,
        }))
    }

    /// What go-zfs calls `GetDataset`.
    pub fn dataset(&mut self, name: &str) -> Ran<Dataset> {
        Ok(match self.rows(&["-Hp", "-o", COLUMNS, name])? {
            Ok(rows) => rows.into_iter().next().ok_or_else(|| Failure {
                line: format!("zfs list {name}"),
                stderr: "output does not match what is expected on this platform".to_owned(),
                code: 0,
            }),
            Err(failure) => Err(failure),
        })
    }

    /// Everything in a mounted filesystem.
    pub fn tree(&mut self, dataset: &str) -> Result<Result<Tree, Errno>, Halt> {
        self.session.tree(dataset).map_err(Halt::Unavailable)
    }
}

/// The step's outcome: what was told, and the driver's error if there is one.
pub(super) fn finish(
    told: String,
    done: Result<Result<(), String>, Halt>,
) -> Result<Printed, Unavailable> {
    let out = told.into_bytes();
    match done {
        Ok(Ok(())) => Ok(Printed {
            out,
            ..Printed::default()
        }),
        Ok(Err(error)) => Ok(Printed {
            out,
            err: format!("{error}\n").into_bytes(),
            end: End::Exit(1),
        }),
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
