//! From the record of a session to traces.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use super::data::Names;
use super::journal::{Call, Micros, Place, Record, Trees};
use super::mounts::{Event, What};
use super::{Error, HOME, change};
use crate::pools::Command;
use crate::trace::{Element, Ending, Item, Line, Meta, Recorded, Step, Text, Trace};

/// Prose is broken into lines of about this many characters.
const WIDTH: usize = 100;

/// Turns the events of a session into traces, by name. `home` holds the contents that the journal
/// names; `names` learns the bytes that the session did not declare.
pub fn traces(
    home: &Path,
    records: &[Record],
    events: Vec<Event>,
    names: &mut Names,
) -> Result<BTreeMap<String, Trace>, Error> {
    let calls = records.iter().filter_map(|record| match record {
        Record::Call(call) => Some((call.started, call.ended, call.pid)),
        _ => None,
    });
    let events = events.into_iter().filter(|event| match &event.what {
        What::Mount { target, .. } | What::Unmount { target, .. } => !target.starts_with(HOME),
        What::Mode { .. } | What::Foreign(_) => true,
    });
    let mut teller = Teller {
        home,
        calls: calls.collect(),
        events: events.collect(),
        next: 0,
        mounts: Vec::new(),
        known: Trees::new(),
        early: Trees::new(),
        vdevs: Vec::new(),
        names,
        items: Vec::new(),
    };
    let mut traces = BTreeMap::new();
    let mut story = None;
    for record in records {
        match record {
            Record::Story {
                at,
                name,
                text,
                place,
            } => {
                teller.begin(*at, text, place);
                story = Some(name.clone());
            }
            Record::Note { at, text, before } => {
                teller.between(*at, before)?;
                teller.prose(text);
            }
            Record::Call(call) => teller.call(call)?,
            Record::End { at, before } => {
                teller.between(*at, before)?;
                if let Some(name) = story.take()
                    && traces.insert(name.clone(), teller.end(&name)?).is_some()
                {
                    return Err(Error::Session(format!("two stories are named {name}")));
                }
            }
        }
    }
    match story {
        None => Ok(traces),
        Some(name) => Err(Error::Session(format!("the record of {name} has no end"))),
    }
}

/// A mount of ZFS.
#[derive(Clone)]
struct Mount {
    dataset: String,
    point: String,
    read_only: bool,
    /// How many of the steps since the last call stand before it.
    since: usize,
}

/// A step between two calls.
struct Told {
    at: Micros,
    words: Vec<String>,
    error: Option<String>,
}

/// What is told so far.
struct Teller<'a> {
    home: &'a Path,
    /// Every call's time and process.
    calls: Vec<(Micros, Micros, u32)>,
    events: Vec<Event>,
    /// The first event that is not told yet.
    next: usize,
    /// Every mount of ZFS, oldest first.
    mounts: Vec<Mount>,
    known: Trees,
    /// What was seen to have changed before its mount is told: somebody else's, of a moment later.
    early: Trees,
    vdevs: Vec<String>,
    names: &'a mut Names,
    items: Vec<Item>,
}

impl Teller<'_> {
    fn begin(&mut self, at: Micros, text: &str, place: &Place) {
        while self
            .events
            .get(self.next)
            .is_some_and(|event| event.at < at)
        {
            self.next += 1;
        }
        self.mounts.clear();
        self.known.clear();
        self.early.clear();
        self.vdevs.clear();
        self.items.clear();
        self.prose(text);
        self.items.push(Item::Meta(Meta::Recorded(Recorded {
            openzfs: place.openzfs.clone(),
            linux: place.linux.clone(),
            system: place.system.clone(),
            date: place.date.clone(),
        })));
    }

    fn end(&mut self, name: &str) -> Result<Trace, Error> {
        if let Some(dataset) = self.early.keys().next() {
            return Err(Error::Session(format!(
                "files of {dataset} changed while nothing had mounted it"
            )));
        }
        let trace = Trace {
            items: std::mem::take(&mut self.items),
        };
        let text = trace.to_string();
        match Trace::parse(name, text.as_bytes()) {
            Ok(read) if read == trace => Ok(trace),
            Ok(_) => Err(Error::Session(format!(
                "the trace {name} reads as another one"
            ))),
            Err(error) => Err(Error::Session(format!(
                "the trace {name} cannot be read: {error}"
            ))),
        }
    }

    /// A paragraph, with an empty line before and behind it.
    fn prose(&mut self, text: &str) {
        let blank = Item::Prose(String::new());
        if self.items.last().is_some_and(|last| *last != blank) {
            self.items.push(blank);
        }
        for paragraph in text.lines() {
            let mut line = String::new();
            for word in paragraph.split_whitespace() {
                if !line.is_empty() && line.len() + 1 + word.len() > WIDTH {
                    self.items.push(Item::Prose(std::mem::take(&mut line)));
                }
                if !line.is_empty() {
                    line.push(' ');
                }
                line.push_str(word);
            }
            self.items.push(Item::Prose(line));
        }
        self.items.push(Item::Prose(String::new()));
    }

    fn step(&mut self, words: Vec<String>, out: &[u8], err: &[u8], code: u8) {
        let mut step = Step::new(Command {
            words,
            ..Command::default()
        });
        let lines = Text::lines(out).into_iter().map(Line::Out);
        let lines = lines.chain(Text::lines(err).into_iter().map(Line::Err));
        let end = std::num::NonZeroU8::new(code).map(|code| Line::End(Ending::Exit(code)));
        step.body = lines.chain(end).map(Element::Line).collect();
        self.items.push(Item::Step(step));
    }

    fn call(&mut self, call: &Call) -> Result<(), Error> {
        self.between(call.started, &call.before)?;
        if call.words.first().is_some_and(|program| program == "zpool") {
            for (path, size) in &call.files {
                if !self.vdevs.contains(path) {
                    self.vdevs.push(path.clone());
                    let words = ["vdev".to_owned(), path.clone(), change::size(*size)];
                    self.step(words.to_vec(), b"", b"", 0);
                }
            }
        }
        self.step(call.words.clone(), &call.out, &call.err, call.code);
        self.known.extend(call.after.clone());
        Ok(())
    }

    /// Whether `zfs` or `zpool` did it, as a part of what a call is.
    fn by_call(&self, event: &Event) -> bool {
        let by_zfs = matches!(event.what, What::Mount { by_zfs: true, .. });
        self.calls.iter().any(|&(started, ended, pid)| {
            (started..=ended).contains(&event.at) && (by_zfs || event.pid == pid)
        })
    }

    /// The root of a mounted dataset gets a mode, unless it has that.
    fn mode(&mut self, target: &str, mode: u32) -> Option<Vec<String>> {
        let mut mounts = self.mounts.iter().rev();
        let mount = mounts.find(|mount| mount.point == target)?;
        let known = self.known.get_mut(&mount.dataset)?;
        let root = known.iter_mut().find(|entry| entry.path == "/")?;
        if root.mode == mode {
            return None;
        }
        root.mode = mode;
        let root = format!("{}:/", mount.dataset);
        Some(vec!["chmod".to_owned(), format!("{mode:04o}"), root])
    }

    /// Tells what happened since the last call: mounts and unmounts, and among them what changed in datasets,
    /// by the times of their files.
    fn between(&mut self, at: Micros, before: &Trees) -> Result<(), Error> {
        let mut told: Vec<Told> = Vec::new();
        // From where to where in `told` each dataset was mounted, and could be written.
        let mut spans: BTreeMap<String, Vec<RangeInclusive<usize>>> = BTreeMap::new();
        // The places in `told` at which a dataset was last unmounted.
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for mount in &mut self.mounts {
            mount.since = 0;
        }
        while let Some(event) = self
            .events
            .get(self.next)
            .filter(|event| event.at < at)
            .cloned()
        {
            self.next += 1;
            let by_call = self.by_call(&event);
            let words = match &event.what {
                What::Mount {
                    source,
                    target,
                    read_only,
                    ..
                } => {
                    if event.error.is_none() {
                        self.mounts.push(Mount {
                            dataset: source.clone(),
                            point: target.clone(),
                            read_only: *read_only,
                            since: told.len() + usize::from(!by_call),
                        });
                    }
                    let mut words = vec!["mount"];
                    if *read_only {
                        words.extend(["-o", "ro"]);
                    }
                    words.extend([source.as_str(), target.as_str()]);
                    words.into_iter().map(str::to_owned).collect()
                }
                What::Unmount {
                    target,
                    lazy,
                    force,
                } => {
                    let Some(index) = self.mounts.iter().rposition(|mount| mount.point == *target)
                    else {
                        // Nothing of ZFS.
                        continue;
                    };
                    if event.error.is_none() {
                        let mount = self.mounts.remove(index);
                        if !mount.read_only {
                            let spans = spans.entry(mount.dataset.clone()).or_default();
                            spans.push(mount.since..=told.len());
                        }
                        last.insert(mount.dataset, told.len());
                    }
                    let mut words = vec!["umount"];
                    words.extend(lazy.then_some("-l"));
                    words.extend(force.then_some("-f"));
                    words.push(target);
                    words.into_iter().map(str::to_owned).collect()
                }
                What::Mode { target, mode } => {
                    if event.error.is_some() {
                        continue;
                    }
                    let Some(words) = self.mode(target, *mode) else {
                        continue;
                    };
                    words
                }
                What::Foreign(what) => {
                    return Err(Error::Session(format!(
                        "the session {what}, which no trace can say"
                    )));
                }
            };
            if !by_call {
                told.push(Told {
                    at: event.at,
                    words,
                    error: event.error,
                });
            }
        }
        for mount in self.mounts.iter().filter(|mount| !mount.read_only) {
            let spans = spans.entry(mount.dataset.clone()).or_default();
            spans.push(mount.since..=told.len());
        }
        // Where in `told` each dataset's changes stand.
        let mut changes: BTreeMap<usize, Vec<Vec<String>>> = BTreeMap::new();
        let mut trees = std::mem::take(&mut self.early);
        trees.extend(before.clone());
        for (dataset, tree) in &trees {
            // Not before it was last changed, by the file that says so.
            let latest = tree.iter().map(|entry| entry.changed).max();
            let behind = |place: usize| {
                let next = told.get(place).map(|next| i128::from(next.at) * 1000);
                next.is_none_or(|next| Some(next) > latest.map(i128::from))
            };
            let spans = spans.get(dataset).map_or(&[][..], Vec::as_slice);
            let places = spans.iter().cloned().flatten();
            let place = places.clone().filter(|&place| behind(place)).min();
            // The root of a read-only mount can have changed only before.
            let mut here = self.mounts.iter().filter(|mount| mount.dataset == *dataset);
            let read_only = || {
                last.get(dataset)
                    .copied()
                    .or(here.next().map(|_| told.len()))
            };
            let place = place.or(places.max()).or_else(read_only);
            let Some(place) = place else {
                self.early.insert(dataset.clone(), tree.clone());
                continue;
            };
            let none = Vec::new();
            let known = self.known.get(dataset).unwrap_or(&none);
            let steps = change::steps(self.home, dataset, known, tree, self.names)?;
            changes.entry(place).or_default().extend(steps);
            self.known.insert(dataset.clone(), tree.clone());
        }
        for (index, Told { words, error, .. }) in told.into_iter().enumerate() {
            for words in changes.remove(&index).unwrap_or_default() {
                self.step(words, b"", b"", 0);
            }
            match error {
                None => self.step(words, b"", b"", 0),
                Some(errno) => self.step(words, b"", format!("{errno}\n").as_bytes(), 1),
            }
        }
        for words in changes.into_values().flatten() {
            self.step(words, b"", b"", 0);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::capture::journal::{Entry, Kind};

    fn entry(path: &str, kind: Kind, object: u64) -> Entry {
        let (mode, uid, gid, size, born, changed) = (0o755, 0, 0, 0, 1, 1);
        Entry {
            path: path.into(),
            kind,
            mode,
            uid,
            gid,
            size,
            object,
            born,
            changed,
            written: 1,
        }
    }

    fn event(at: Micros, pid: u32, what: What) -> Event {
        Event {
            at,
            pid,
            what,
            error: None,
        }
    }

    fn mount(source: &str, target: &str, by_zfs: bool) -> What {
        What::Mount {
            source: source.into(),
            target: target.into(),
            read_only: false,
            by_zfs,
        }
    }

    fn unmount(target: &str) -> What {
        What::Unmount {
            target: target.into(),
            lazy: true,
            force: false,
        }
    }

    fn mode(target: &str, mode: u32) -> What {
        What::Mode {
            target: target.into(),
            mode,
        }
    }

    fn place() -> Place {
        Place {
            openzfs: "2.3.9".into(),
            linux: "6.12".into(),
            system: "trixie".into(),
            date: "2026-11-21".into(),
        }
    }

    fn call(started: Micros, words: &[&str]) -> Call {
        Call {
            started,
            ended: started + 5,
            pid: 100,
            words: words.iter().map(|&w| w.to_owned()).collect(),
            ..Call::default()
        }
    }

    #[test]
    fn changes_stand_before_the_unmount_that_ended_them_and_a_calls_own_mounts_are_not_told() {
        let root = vec![entry("/", Kind::Directory, 34)];
        let mut changed = root.clone();
        changed[0].mode = 0o555;
        changed.push(entry("/d", Kind::Directory, 2));
        changed[1].changed = 42_000;
        let mut create = call(10, &["zpool", "create", "t", "/v/a"]);
        create.files.insert("/v/a".into(), 1 << 30);
        create.after.insert("t".into(), root.clone());
        let mut clone = call(20, &["zfs", "create", "-o", "mountpoint=legacy", "t/x"]);
        clone.after.insert("t/x".into(), root.clone());
        clone.out = b"odd\n".to_vec();
        clone.err = b"no\n".to_vec();
        clone.code = 1;
        let mut list = call(60, &["zfs", "list"]);
        list.before.insert("t/x".into(), changed.clone());
        let mut all = changed.clone();
        all.push(entry("/e", Kind::Directory, 3));
        let records = [
            Record::Story {
                at: 5,
                name: "s".into(),
                text: "A story.".into(),
                place: place(),
            },
            Record::Call(create),
            Record::Call(clone),
            Record::Note {
                at: 30,
                text: "`a note`".into(),
                before: Trees::new(),
            },
            Record::Call(list),
            Record::End {
                at: 90,
                before: Trees::from([("t/x".into(), all)]),
            },
        ];
        let mut failed = event(55, 7, mount("t/y", "/y", false));
        failed.error = Some("ENOENT".into());
        let events = vec![
            event(1, 7, mount("old", "/old", false)),
            event(12, 101, mount("t", "/t", true)),
            event(34, 7, mount("t/x", "/x", false)),
            event(35, 7, mode("/x", 0o555)),
            event(36, 7, mode("/y", 0o500)),
            event(37, 7, unmount("/x")),
            event(40, 7, mount("t/x", "/x", false)),
            event(45, 7, unmount("/proc")),
            event(50, 7, unmount("/x")),
            failed,
            event(61, 100, unmount("/t")),
            event(63, 7, mount("t/x", "/x", false)),
        ];
        let mut names = Names::default();
        let traces = traces(Path::new("/nowhere"), &records, events, &mut names).unwrap();
        let expected = "\
A story.

  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21
  $ vdev /v/a 1G
  $ zpool create t /v/a
  $ zfs create -o mountpoint=legacy t/x
  odd
  ! no
  [1]

`a note`

  $ mount t/x /x
  $ chmod 0555 t/x:/
  $ umount -l /x
  $ mount t/x /x
  $ mkdir t/x:/d
  $ umount -l /x
  $ mount t/y /y
  ! ENOENT
  [1]
  $ zfs list
  $ mount t/x /x
  $ mkdir t/x:/e
";
        assert_eq!(traces["s"].to_string(), expected);
    }

    #[test]
    fn changes_stand_among_the_unmounts_of_others_by_their_times() {
        let root = vec![entry("/", Kind::Directory, 34)];
        let with = |path: &str, changed: i64| {
            let mut tree = root.clone();
            tree.push(entry(path, Kind::Directory, 2));
            tree[1].changed = changed;
            tree
        };
        let mut create = call(10, &["zfs", "create", "t/x"]);
        create.after.insert("t/x".into(), root.clone());
        create.after.insert("t/y".into(), root.clone());
        create.after.insert("t/z".into(), root.clone());
        let records = [
            Record::Story {
                at: 5,
                name: "s".into(),
                text: "A.".into(),
                place: place(),
            },
            Record::Call(create),
            Record::End {
                at: 90,
                before: Trees::from([
                    // Between the unmounts of the others.
                    ("t/x".into(), with("/x", 55_000)),
                    // While it was mounted for the first time.
                    ("t/y".into(), with("/y", 35_000)),
                    // By somebody who sees it although it is unmounted.
                    ("t/z".into(), with("/z", 85_000)),
                ]),
            },
        ];
        let events = vec![
            event(20, 7, mount("t/x", "/x", false)),
            event(30, 7, mount("t/y", "/y", false)),
            event(40, 7, unmount("/y")),
            event(50, 7, mount("t/z", "/z", false)),
            event(60, 7, unmount("/z")),
            event(70, 7, mount("t/y", "/y", false)),
            event(80, 7, unmount("/y")),
        ];
        let mut names = Names::default();
        let traces = traces(Path::new("/nowhere"), &records, events, &mut names).unwrap();
        let text = traces["s"].to_string();
        let steps: Vec<&str> = text
            .lines()
            .filter_map(|it| it.strip_prefix("  $ "))
            .collect();
        let expected = [
            "zfs create t/x",
            "mount t/x /x",
            "mount t/y /y",
            "mkdir t/y:/y",
            "umount -l /y",
            "mount t/z /z",
            "mkdir t/x:/x",
            "mkdir t/z:/z",
            "umount -l /z",
            "mount t/y /y",
            "umount -l /y",
        ];
        assert_eq!(steps, expected);
    }

    #[test]
    fn a_change_that_nobody_could_make_is_an_error() {
        let tree = vec![
            entry("/", Kind::Directory, 34),
            entry("/d", Kind::Directory, 2),
        ];
        let records = [
            Record::Story {
                at: 5,
                name: "s".into(),
                text: "A.".into(),
                place: Place::default(),
            },
            Record::End {
                at: 90,
                before: Trees::from([("t/x".into(), tree)]),
            },
        ];
        let mut names = Names::default();
        let error = traces(Path::new("/nowhere"), &records, Vec::new(), &mut names).unwrap_err();
        assert!(
            error.to_string().contains("t/x changed while nothing"),
            "{error}"
        );
    }
}
