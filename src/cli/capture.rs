//! `ztwin capture`: a real driver's session becomes traces.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Context, Exit, Failure};
use crate::capture::data::Names;
use crate::capture::{self, HOME, journal, mounts, session, story};
use crate::guest::boot::{Guest, Options};
use crate::guest::image::Spec;
use crate::guest::wire::{Job, Stream};
use crate::guest::{self};
use crate::pools::Unavailable;
use crate::trace::Trace;

/// Where the session's files are, where ZFS is.
const WORK: &str = "/run/ztwin-session";

/// Run a real driver session and write what it did as traces
///
/// COMMAND is run as root where ZFS is. `story NAME TEXT` in it begins a trace, `note TEXT` adds prose,
/// `end` ends the trace. docs/capture.md explains how to write a session.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Capture {
    /// Where the session runs: kernel, or vm:NAME such as vm:trixie-docker-containerd
    #[arg(long, value_name = "POOL")]
    pub pool: String,
    /// The directory for the traces: NAME.trace for every story
    #[arg(short, long, value_name = "DIR")]
    pub out: PathBuf,
    /// The directory for bytes that are not of the generator
    #[arg(long, value_name = "DIR", default_value = "traces/data")]
    pub data: PathBuf,
    /// A file or directory that the session needs: COMMAND finds a copy in its working directory
    #[arg(long, value_name = "PATH")]
    pub files: Vec<PathBuf>,
    /// Keep the raw record of the session in this directory, which must not exist
    #[arg(long, value_name = "DIR")]
    pub journal: Option<PathBuf>,
    /// What to run, and its arguments
    #[arg(required = true, last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

/// What the recorder itself calls, where ZFS is.
#[derive(Clone, Debug, Args)]
#[command(disable_help_flag = true)]
pub struct Words {
    /// Everything behind the subcommand.
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    words: Vec<String>,
}

impl Capture {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let mut names = Names::default();
        names.declare(&self.command.join(" "));
        let packed = self.pack(&mut names)?;
        let record = if let Some(path) = &self.journal {
            Record::at(path.clone(), false)?
        } else {
            let name = format!("ztwin-capture-{}", std::process::id());
            Record::at(std::env::temp_dir().join(name), true)?
        };
        let code = self.play(&packed, &record.path)?;
        if code != 0 {
            let what = format!("the session ended with exit code {code}: nothing is written");
            return Err(Failure::Usage(what));
        }
        let traces = tell(&record.path, &mut names).map_err(|error| failure(&error))?;
        self.write(context, &traces, &names)?;
        Ok(Exit::Agree)
    }

    /// The session's files as a tar, with paths from the root. What they name is declared.
    fn pack(&self, names: &mut Names) -> Result<Vec<u8>, Failure> {
        let mut tar = tar::Builder::new(Vec::new());
        tar.follow_symlinks(true);
        let inside = Path::new(WORK.trim_start_matches('/'));
        for path in &self.files {
            let failed = |error| Failure::File("read", path.clone(), error);
            let Some(base) = path.file_name() else {
                let what = format!("--files {}: name a file or a directory", path.display());
                return Err(Failure::Usage(what));
            };
            if path.is_dir() {
                tar.append_dir_all(inside.join(base), path)
                    .map_err(failed)?;
            } else {
                tar.append_path_with_name(path, inside.join(base))
                    .map_err(failed)?;
            }
            declare(path, names).map_err(failed)?;
        }
        tar.into_inner()
            .map_err(|error| Failure::File("pack", PathBuf::from(WORK), error))
    }

    /// Runs the session and brings its record to `home`.
    fn play(&self, packed: &[u8], home: &Path) -> Result<u8, Failure> {
        let failed = |error| Failure::File("write", home.to_owned(), error);
        if self.pool == "kernel" {
            let work = Path::new(WORK);
            if work.exists() {
                fs::remove_dir_all(work).map_err(failed)?;
            }
            fs::create_dir_all(work).map_err(failed)?;
            tar::Archive::new(packed).unpack("/").map_err(failed)?;
            let code = session::run(work, &self.command).map_err(|error| failure(&error))?;
            for name in ["journal", "strace", "blobs"] {
                copy(&Path::new(HOME).join(name), &home.join(name)).map_err(failed)?;
            }
            return Ok(code);
        }
        let Some(name) = self.pool.strip_prefix("vm:") else {
            let what = format!("--pool {}: a session runs in kernel or vm:NAME", self.pool);
            return Err(Failure::Usage(what));
        };
        let spec: Spec = name.parse().map_err(unavailable)?;
        let options = Options::of_user().map_err(unavailable)?;
        let mut guest =
            Guest::start(&spec, &options, &mut |text| eprintln!("{text}")).map_err(unavailable)?;
        // The agent's program may need the loader that came with it.
        let start = "mkdir -p \"$1\"; if [ -e /agent/loader ]; then \
                     exec /agent/loader --library-path /agent /agent/ztwin capture-session \"$@\"; fi; \
                     exec /agent/ztwin capture-session \"$@\"";
        let argv = ["sh", "-c", start, "sh", WORK, "--"]
            .map(str::to_owned)
            .into_iter();
        let job = Job {
            argv: argv.chain(self.command.iter().cloned()).collect(),
            get: ["journal", "strace", "blobs"]
                .map(|name| format!("{HOME}/{name}"))
                .to_vec(),
            ..Job::default()
        };
        let mut back = Vec::new();
        let code = guest
            .run(
                &job,
                Some(&mut &packed[..]),
                &mut |stream, bytes| {
                    // Nobody need listen to the session.
                    let _ = match stream {
                        Stream::Out => io::stdout().write_all(bytes),
                        Stream::Err => io::stderr().write_all(bytes),
                    };
                },
                Some(&mut back),
            )
            .map_err(unavailable)?;
        let whole = home.join("whole");
        tar::Archive::new(&back[..])
            .unpack(&whole)
            .map_err(failed)?;
        for name in ["journal", "strace", "blobs"] {
            let from = whole.join(HOME.trim_start_matches('/')).join(name);
            fs::rename(from, home.join(name)).map_err(failed)?;
        }
        fs::remove_dir_all(whole).map_err(failed)?;
        Ok(code)
    }

    fn write(
        &self,
        context: &mut Context<'_>,
        traces: &BTreeMap<String, Trace>,
        names: &Names,
    ) -> Result<(), Failure> {
        let write = |path: PathBuf, bytes: &[u8]| {
            let made = path.parent().map_or(Ok(()), fs::create_dir_all);
            let written = made.and_then(|()| fs::write(&path, bytes));
            written.map_err(|error| Failure::File("write", path, error))
        };
        for (hash, bytes) in &names.unnamed {
            write(self.data.join(hash), bytes)?;
        }
        for (name, trace) in traces {
            let path = self.out.join(format!("{name}.trace"));
            let shown = path.display().to_string();
            write(path, trace.to_string().as_bytes())?;
            writeln!(context.out, "{shown}: {} steps", trace.steps().count())?;
        }
        let size: usize = names.unnamed.values().map(Vec::len).sum();
        let count = names.unnamed.len();
        if count > 0 {
            let data = self.data.display();
            writeln!(
                context.out,
                "{data}: {count} files, {size} bytes of no generator"
            )?;
        }
        Ok(())
    }
}

/// Turns the record in `home` into traces.
fn tell(home: &Path, names: &mut Names) -> Result<BTreeMap<String, Trace>, capture::Error> {
    let records = journal::read(home)?;
    let path = home.join("strace");
    let seen = fs::read(&path).map_err(|source| capture::Error::Io {
        what: format!("reading {}", path.display()),
        source,
    })?;
    story::traces(
        home,
        &records,
        mounts::read(&String::from_utf8_lossy(&seen)),
        names,
    )
}

/// Declares what the text of a file, or of every file in a directory, names.
fn declare(path: &Path, names: &mut Names) -> io::Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            declare(&entry?.path(), names)?;
        }
    } else {
        names.declare(&String::from_utf8_lossy(&fs::read(path)?));
    }
    Ok(())
}

/// Copies a file, or a directory of files; nothing when there is none.
fn copy(from: &Path, to: &Path) -> io::Result<()> {
    if from.is_dir() {
        fs::create_dir_all(to)?;
        for entry in fs::read_dir(from)? {
            let entry = entry?;
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    } else if from.exists() {
        fs::copy(from, to)?;
    }
    Ok(())
}

/// Where the record is, away from ZFS.
struct Record {
    path: PathBuf,
    temporary: bool,
}

impl Record {
    fn at(path: PathBuf, temporary: bool) -> Result<Self, Failure> {
        match fs::create_dir(&path) {
            Ok(()) => Ok(Record { path, temporary }),
            Err(error) => Err(Failure::File("make", path, error)),
        }
    }
}

impl Drop for Record {
    fn drop(&mut self) {
        if self.temporary {
            // What cannot be removed from the temporary directory does no harm there.
            let _ = fs::remove_dir_all(&self.path);
        }
    }
}

fn failure(error: &capture::Error) -> Failure {
    Failure::Unavailable(Unavailable {
        message: error.to_string(),
    })
}

fn unavailable(error: guest::Error) -> Failure {
    Failure::Unavailable(error.into())
}

impl Words {
    /// `capture-session WORK -- COMMAND...` and `capture-inside WORK -- COMMAND...`; the exit code is the
    /// command's.
    pub(super) fn session(&self, inside: bool) -> u8 {
        let [work, dashes, command @ ..] = &self.words[..] else {
            return Exit::Usage.code();
        };
        if dashes != "--" || command.is_empty() {
            return Exit::Usage.code();
        }
        let work = Path::new(work);
        say(if inside {
            session::inside(work, command)
        } else {
            session::run(work, command)
        })
    }

    /// `capture-call zfs|zpool|story|note|end WORDS...`.
    pub(super) fn call(&self) -> u8 {
        let [program, words @ ..] = &self.words[..] else {
            return Exit::Usage.code();
        };
        let done = |done: Result<(), capture::Error>| done.map(|()| 0);
        let code = match (program.as_str(), words) {
            ("zfs" | "zpool", _) => capture::call::run(program, words),
            ("story", [name, text @ ..]) => done(capture::call::story(name, &text.join(" "))),
            ("note", _) => done(capture::call::note(&words.join(" "))),
            ("end", []) => done(capture::call::end()),
            _ => return Exit::Usage.code(),
        };
        say(code.inspect_err(capture::call::spoil))
    }
}

/// The code, or 99 (no program of ZFS ends with it) and a word about what is wrong with the recorder.
fn say(code: Result<u8, capture::Error>) -> u8 {
    code.unwrap_or_else(|error| {
        eprintln!("ztwin capture: {error}");
        99
    })
}
