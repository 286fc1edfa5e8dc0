//! In place of `zfs` and `zpool`: runs the real program and records what it did. Also the session's
//! own words: `story`, `note`, `end`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Write;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

use super::journal::{self, Call, Entry, Kind, Micros, Place, Record, Trees};
use super::mounts::{self, What};
use super::still::Still;
use super::{Error, HOME, look};

/// Subcommands of `zfs` and `zpool` after which no tree can be another one.
const LOOKING: [&str; 14] = [
    "list", "get", "holds", "diff", "version", "send", "status", "history", "iostat", "events",
    "snapshot", "bookmark", "hold", "release",
];

/// Subcommands that rewrite the content of a filesystem that exists.
const REWRITING: [&str; 3] = ["rollback", "receive", "recv"];

/// What is known between calls; a file of [`HOME`].
#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Whether a trace is being recorded.
    open: bool,
    /// Pools that were there before the trace began: not the session's.
    foreign: BTreeSet<String>,
    /// Every filesystem of the session's pools, as it was last seen.
    known: Trees,
    /// Filesystems that were mounted when they were last looked at.
    mounted: BTreeSet<String>,
    /// The mounts that `strace` has told of: when, and by which thread.
    mounts: BTreeSet<(Micros, u32)>,
}

/// Holds the lock for as long as it lives, and, where a trace is recorded, the session: one event at a time.
struct Recorder {
    home: PathBuf,
    state: State,
    /// Goes before the lock does.
    _still: Option<Still>,
    _lock: File,
}

impl Recorder {
    fn open() -> Result<Self, Error> {
        let home = PathBuf::from(HOME);
        let path = home.join("lock");
        let lock = File::create(&path).map_err(Error::io(format!("opening {}", path.display())))?;
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive)
            .map_err(Error::io(format!("locking {}", path.display())))?;
        let path = home.join("state");
        let state = match fs::read(&path) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .map_err(Error::io(format!("reading {}", path.display())))?,
            Err(_) => State::default(),
        };
        let still = if state.open {
            Some(Still::hold()?)
        } else {
            None
        };
        Ok(Recorder {
            home,
            state,
            _still: still,
            _lock: lock,
        })
    }

    /// Writes the event down, and what is known after it.
    fn close(self, record: &Record) -> Result<(), Error> {
        journal::append(&self.home, record)?;
        let path = self.home.join("state");
        let what = || format!("writing {}", path.display());
        let bytes = serde_json::to_vec(&self.state).map_err(Error::io(what()))?;
        fs::write(&path, bytes).map_err(Error::io(what()))
    }

    fn ours(&self, dataset: &str) -> bool {
        let pool = dataset.split('/').next().unwrap_or(dataset);
        !self.state.foreign.contains(pool)
    }

    /// The filesystems that were mounted since this was last asked.
    fn touched(&mut self) -> Result<BTreeSet<String>, Error> {
        let path = self.home.join("strace");
        let text = match fs::read(&path) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
            Err(e) => return Err(Error::io(format!("reading {}", path.display()))(e)),
        };
        let mut touched = BTreeSet::new();
        for event in mounts::read(&text) {
            if let What::Mount { source, target, .. } = event.what
                && event.error.is_none()
                && !target.starts_with(HOME)
                && !source.contains('@')
                && self.ours(&source)
                && self.state.mounts.insert((event.at, event.pid))
            {
                touched.insert(source);
            }
        }
        Ok(touched)
    }

    /// What the session has changed in datasets since the last event, and until when.
    fn before(&mut self) -> Result<(Micros, Trees), Error> {
        let at = now();
        let mounted = look::mounted()?;
        let mut names = self.touched()?;
        let here = mounted.keys().filter(|name| self.ours(name)).cloned();
        let here: BTreeSet<String> = here.collect();
        // What was mounted the last time may have been changed and unmounted since.
        names.append(&mut self.state.mounted);
        names.extend(here.iter().cloned());
        self.state.mounted = here;
        let mut changed = Trees::new();
        for name in names {
            // What was never seen was made since the last call, by nobody that we know: it is seen then.
            let Some(known) = self.state.known.get(&name) else {
                continue;
            };
            let point = mounted.get(&name).and_then(|points| points.first());
            let seen = look::tree(&self.home, &name, point.map(String::as_str), known)?;
            if let Some(seen) = seen
                && differs(known, &seen)
            {
                changed.insert(name.clone(), seen.clone());
                self.state.known.insert(name, seen);
            }
        }
        Ok((at, changed))
    }

    /// What a call itself has changed: filesystems that are new, and mountpoints in old ones.
    fn after(
        &mut self,
        subcommand: &str,
        before: &BTreeMap<String, Vec<String>>,
    ) -> Result<Trees, Error> {
        let names = self.filesystems()?;
        self.state.known.retain(|name, _| names.contains(name));
        let mounted = look::mounted()?;
        let points: BTreeSet<&String> = before.values().chain(mounted.values()).flatten().collect();
        let mut changed = Trees::new();
        for name in names {
            let known = self.state.known.get(&name);
            let point = mounted.get(&name).and_then(|points| points.first());
            if known.is_some() && point.is_none() && !REWRITING.contains(&subcommand) {
                continue;
            }
            let none = Vec::new();
            let seen = look::tree(
                &self.home,
                &name,
                point.map(String::as_str),
                known.unwrap_or(&none),
            )?;
            let Some(seen) = seen else { continue };
            let seen = match (known, point) {
                (Some(known), Some(top)) if !REWRITING.contains(&subcommand) => {
                    mountpoints_only(known, &seen, |path| {
                        let path = if top == "/" {
                            path
                        } else {
                            &format!("{top}{path}")
                        };
                        points
                            .iter()
                            .any(|point| *point == path || point.starts_with(&format!("{path}/")))
                    })
                }
                _ => seen,
            };
            if known.is_none_or(|known| differs(known, &seen)) {
                changed.insert(name.clone(), seen.clone());
                self.state.known.insert(name, seen);
            }
        }
        Ok(changed)
    }

    /// The names of the session's filesystems.
    fn filesystems(&self) -> Result<BTreeSet<String>, Error> {
        let names = ask("zfs", &["list", "-H", "-o", "name", "-t", "filesystem"])?;
        Ok(names
            .lines()
            .filter(|name| self.ours(name))
            .map(str::to_owned)
            .collect())
    }
}

/// Whether two trees differ in what a step can say.
fn differs(a: &[Entry], b: &[Entry]) -> bool {
    let said = |e: &Entry| {
        let has_bytes = matches!(e.kind, Kind::File(_)) && e.size > 0;
        (
            has_bytes.then_some(e.written),
            e.path.clone(),
            e.kind.clone(),
            e.mode,
            e.uid,
            e.gid,
            e.object,
            e.born,
        )
    };
    !a.iter().map(said).eq(b.iter().map(said))
}

/// `known`, with those new or vanished directories of `seen` that are mountpoints; what else differs
/// is the session's doing and will be seen before the next call.
fn mountpoints_only(
    known: &[Entry],
    seen: &[Entry],
    is_point: impl Fn(&str) -> bool,
) -> Vec<Entry> {
    let point = |e: &&Entry| e.kind == Kind::Directory && is_point(&e.path);
    let holds = |tree: &[Entry], path: &str| tree.iter().any(|e| e.path == path);
    let mut tree: Vec<_> = known
        .iter()
        .filter(|e| holds(seen, &e.path) || !point(e))
        .chain(seen.iter().filter(|e| !holds(known, &e.path) && point(e)))
        .cloned()
        .collect();
    tree.sort_by(|a, b| a.path.cmp(&b.path));
    tree
}

fn now() -> Micros {
    let since = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

fn real(program: &str) -> PathBuf {
    Path::new(HOME).join("real").join(program)
}

/// Standard output of the real program.
fn ask(program: &str, arguments: &[&str]) -> Result<String, Error> {
    let what = || format!("running {program} {}", arguments.join(" "));
    let output = Command::new(real(program))
        .args(arguments)
        .output()
        .map_err(Error::io(what()))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(Error::Session(format!("{}: {}", what(), said.trim_end())));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Runs the real `program` with `arguments`, records it, and returns its exit code.
pub fn run(program: &str, arguments: &[String]) -> Result<u8, Error> {
    let mut recorder = Recorder::open()?;
    let open = recorder.state.open;
    let mounted = if open {
        look::mounted()?
    } else {
        BTreeMap::new()
    };
    let (started, before) = if open {
        recorder.before()?
    } else {
        (now(), Trees::new())
    };
    let what = || format!("running {}", real(program).display());
    let child = Command::new(real(program))
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(Error::io(what()))?;
    let pid = child.id();
    let output = child.wait_with_output().map_err(Error::io(what()))?;
    let ended = now();
    let code = output.status.code().map_or_else(
        || {
            128 + output
                .status
                .signal()
                .and_then(|n| u8::try_from(n).ok())
                .unwrap_or(0)
        },
        |code| u8::try_from(code).unwrap_or(u8::MAX),
    );
    if open {
        let subcommand = arguments.first().map_or("", String::as_str);
        let files = arguments
            .iter()
            .filter_map(|word| Some((word, fs::metadata(word).ok()?)))
            .filter(|(word, meta)| word.starts_with('/') && meta.is_file())
            .map(|(word, meta)| (word.clone(), meta.len()))
            .collect();
        let after = if LOOKING.contains(&subcommand) {
            Trees::new()
        } else {
            recorder.after(subcommand, &mounted)?
        };
        let words = std::iter::once(program.to_owned())
            .chain(arguments.iter().cloned())
            .collect();
        let (out, err) = (output.stdout.clone(), output.stderr.clone());
        let call = Call {
            started,
            ended,
            pid,
            words,
            out,
            err,
            code,
            files,
            before,
            after,
        };
        recorder.close(&Record::Call(call))?;
    }
    // The caller may not want to hear it: no reason to fail.
    let _ = std::io::stdout().write_all(&output.stdout);
    let _ = std::io::stderr().write_all(&output.stderr);
    Ok(code)
}

/// `story NAME TEXT`: a trace begins. Pools that exist now are not its own.
pub fn story(name: &str, text: &str) -> Result<(), Error> {
    let mut recorder = Recorder::open()?;
    if recorder.state.open {
        return Err(Error::Session(
            "a story begins before the last one has its `end`".to_owned(),
        ));
    }
    let foreign = ask("zpool", &["list", "-H", "-o", "name"])?;
    recorder.state.foreign = foreign.lines().map(str::to_owned).collect();
    recorder.state.known.clear();
    recorder.touched()?;
    recorder.state.open = true;
    let (name, text, place) = (name.to_owned(), text.to_owned(), place()?);
    recorder.close(&Record::Story {
        at: now(),
        name,
        text,
        place,
    })
}

/// `note TEXT`: a paragraph of prose.
pub fn note(text: &str) -> Result<(), Error> {
    let mut recorder = Recorder::open()?;
    if !recorder.state.open {
        return Ok(());
    }
    let (at, before) = recorder.before()?;
    recorder.close(&Record::Note {
        at,
        text: text.to_owned(),
        before,
    })
}

/// `end`: the trace ends. Nothing when there is none.
pub fn end() -> Result<(), Error> {
    let mut recorder = Recorder::open()?;
    if !recorder.state.open {
        return Ok(());
    }
    let (at, before) = recorder.before()?;
    recorder.state.open = false;
    recorder.close(&Record::End { at, before })
}

/// Writes down that the recorder itself has failed: its session is worth nothing, whatever the driver
/// makes of it.
pub fn spoil(error: &Error) {
    // It is said on standard error, too.
    let _ = fs::write(Path::new(HOME).join("failed"), error.to_string());
}

/// What failed of the recorder, if anything did.
#[must_use]
pub fn spoilt() -> Option<Error> {
    let text = fs::read_to_string(Path::new(HOME).join("failed")).ok()?;
    Some(Error::Session(format!("the recorder failed: {text}")))
}

/// What the outcomes come from.
fn place() -> Result<Place, Error> {
    let version = ask("zfs", &["version"])?;
    let zfs = version
        .lines()
        .find_map(|line| line.strip_prefix("zfs-"))
        .unwrap_or_default();
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let system = release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let kernel = rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned();
    let day = Command::new("date")
        .args(["-u", "+%F"])
        .output()
        .map_err(Error::io("running date"))?;
    Ok(Place {
        openzfs: zfs.split('-').next().unwrap_or_default().to_owned(),
        linux: kernel.split('.').take(2).collect::<Vec<_>>().join("."),
        system: system.unwrap_or("linux").to_owned(),
        date: String::from_utf8_lossy(&day.stdout).trim().to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(path: &str, kind: Kind, object: u64) -> Entry {
        Entry {
            path: path.into(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 0,
            size: 0,
            object,
            born: 1,
            changed: 1,
            written: 1,
        }
    }

    #[test]
    fn a_call_is_credited_with_mountpoints_and_nothing_else() {
        let known = [
            entry("/", Kind::Directory, 34),
            entry("/old", Kind::Directory, 2),
        ];
        let seen = [
            entry("/", Kind::Directory, 34),
            entry("/child", Kind::Directory, 3),
            entry("/file", Kind::File("x".into()), 4),
        ];
        let tree = mountpoints_only(&known, &seen, |path| path == "/child" || path == "/old");
        let paths: Vec<_> = tree.iter().map(|e| e.path.as_str()).collect();
        assert_eq!(paths, ["/", "/child"]);
    }

    #[test]
    fn times_alone_are_no_difference() {
        let a = entry("/", Kind::Directory, 34);
        let mut b = a.clone();
        b.changed = 9;
        b.written = 9;
        b.size = 9;
        assert!(!differs(std::slice::from_ref(&a), std::slice::from_ref(&b)));
        b.mode = 0o700;
        assert!(differs(&[a], &[b]));
        let mut a = entry("/a", Kind::File("hash".into()), 2);
        a.size = 9;
        let mut b = a.clone();
        b.written = 9;
        assert!(differs(&[a], &[b]), "it was written once more");
    }
}
