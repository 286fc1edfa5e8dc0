//! The file steps that lead from one tree to another.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::Error;
use super::data::{Names, Run};
use super::journal::{Entry, Kind, blob};

/// Who an entry is, whatever its name: object number and birth.
type Object = (u64, i64);

fn object(entry: &Entry) -> Object {
    (entry.object, entry.born)
}

/// The tree as it stands after the steps so far.
struct Work<'a> {
    home: &'a Path,
    dataset: &'a str,
    names: &'a mut Names,
    now: BTreeMap<String, Entry>,
    steps: Vec<Vec<String>>,
}

/// The words of the steps that lead from `old` to `new` in `dataset`. Contents are in `home/blobs`.
pub fn steps(
    home: &Path,
    dataset: &str,
    old: &[Entry],
    new: &[Entry],
    names: &mut Names,
) -> Result<Vec<Vec<String>>, Error> {
    let by_path = |tree: &[Entry]| tree.iter().map(|e| (e.path.clone(), e.clone())).collect();
    let mut work = Work {
        home,
        dataset,
        names,
        now: by_path(old),
        steps: Vec::new(),
    };
    let wanted: BTreeMap<&str, &Entry> = new.iter().map(|e| (e.path.as_str(), e)).collect();
    let alive: BTreeSet<Object> = new.iter().map(object).collect();
    // What is gone first: it may have made room for what is new. Children before parents.
    let gone: Vec<String> = (work.now.iter().rev())
        .filter(|(_, entry)| !alive.contains(&object(entry)))
        .map(|(path, _)| path.clone())
        .collect();
    for path in gone {
        // A directory with something in it that lives on goes last.
        let inside = format!("{path}/");
        if !work.now.keys().any(|other| other.starts_with(&inside)) {
            work.remove(&path);
        }
    }
    // Sorted by path, so parents come before children.
    for entry in new {
        work.place(entry, &wanted)?;
    }
    let left: Vec<String> = work
        .now
        .keys()
        .rev()
        .filter(|path| !wanted.contains_key(path.as_str()))
        .cloned()
        .collect();
    for path in left {
        work.remove(&path);
    }
    Ok(work.steps)
}

impl Work<'_> {
    fn at(&self, path: &str) -> String {
        format!("{}:{path}", self.dataset)
    }

    fn step<const N: usize>(&mut self, words: [&str; N]) {
        self.steps
            .push(words.iter().map(|&word| word.to_owned()).collect());
    }

    /// Removes a name that has nothing below it.
    fn remove(&mut self, path: &str) {
        if let Some(entry) = self.now.remove(path) {
            let verb = if entry.kind == Kind::Directory {
                "rmdir"
            } else {
                "unlink"
            };
            self.step([verb, &self.at(path)]);
        }
    }

    /// Removes a name with all that is below it.
    fn clear(&mut self, path: &str) {
        let inside = format!("{path}/");
        let all: Vec<String> = (self.now.keys().rev())
            .filter(|other| *other == path || other.starts_with(&inside))
            .cloned()
            .collect();
        for path in all {
            self.remove(&path);
        }
    }

    /// Moves a name, with all that is below it.
    fn rename(&mut self, from: &str, to: &str) {
        self.step(["rename", &self.at(from), &self.at(to)]);
        let inside = format!("{from}/");
        let moved: Vec<String> = (self.now.keys())
            .filter(|other| *other == from || other.starts_with(&inside))
            .cloned()
            .collect();
        for path in moved {
            if let Some(mut entry) = self.now.remove(&path) {
                entry.path = format!("{to}{}", &path[from.len()..]);
                self.now.insert(entry.path.clone(), entry);
            }
        }
    }

    /// Makes the tree hold `entry` at its path.
    fn place(&mut self, entry: &Entry, wanted: &BTreeMap<&str, &Entry>) -> Result<(), Error> {
        let path = entry.path.as_str();
        if entry.kind == Kind::Other {
            return Err(Error::Session(format!(
                "{} is neither a file, a directory nor a symbolic link: no trace can say it",
                self.at(path)
            )));
        }
        let here = self.now.get(path);
        let stays = here.is_some_and(|here| {
            object(here) == object(entry) && (entry.path == "/" || same_link(here, entry))
        });
        if !stays {
            // Another name of the same object: one that goes away is renamed, one that stays is linked.
            let other = (self.now.values())
                .filter(|other| object(other) == object(entry) && other.path != path)
                .filter(|other| same_link(other, entry))
                .min_by_key(|other| names(wanted, &other.path, entry))
                .map(|other| other.path.clone());
            let goes = other
                .as_ref()
                .is_some_and(|other| !names(wanted, other, entry));
            if goes
                && self
                    .now
                    .get(path)
                    .is_some_and(|here| here.kind != Kind::Directory)
            {
                // rename(2) replaces what is there.
                self.now.remove(path);
            } else {
                self.clear(path);
            }
            match other.filter(|other| self.now.contains_key(other)) {
                Some(other) if goes => self.rename(&other, path),
                Some(other) if entry.kind != Kind::Directory => {
                    self.step(["link", &self.at(&other), &self.at(path)]);
                    let mut copy = self.now[&other].clone();
                    path.clone_into(&mut copy.path);
                    self.now.insert(copy.path.clone(), copy);
                }
                _ => self.create(entry),
            }
        }
        self.amend(entry)
    }

    fn create(&mut self, entry: &Entry) {
        let at = self.at(&entry.path);
        let mut made = entry.clone();
        (made.uid, made.gid) = (0, 0);
        match &entry.kind {
            Kind::Directory => {
                self.step(["mkdir", &at]);
                made.mode = 0o755;
            }
            Kind::Link(target) => self.step(["symlink", target, &at]),
            Kind::File(_) | Kind::Other => {
                // The first write makes it.
                made.kind = Kind::File(String::new());
                made.mode = 0o644;
            }
        }
        self.now.insert(made.path.clone(), made);
    }

    /// Content, owner and mode.
    fn amend(&mut self, entry: &Entry) -> Result<(), Error> {
        let Some(here) = self.now.get(&entry.path).cloned() else {
            return Ok(());
        };
        let at = self.at(&entry.path);
        if let (Kind::File(old), Kind::File(new)) = (&here.kind, &entry.kind)
            && (old != new || here.written != entry.written && entry.size > 0)
        {
            // With the same bytes, it was written anew all the same.
            let fresh = old.is_empty() || old == new;
            let new = blob(self.home, new)?;
            let mut old = if fresh {
                Vec::new()
            } else {
                blob(self.home, old)?
            };
            if new.len() < old.len() {
                old.truncate(new.len());
                self.step(["truncate", &at, &size(new.len() as u64)]);
            }
            let mut runs = self.names.runs(&old, &new);
            // Zeros behind the old end are a hole, or as good as one; a file of nothing else keeps them.
            let behind = |run: &Run| run.name == "zero" && run.offset >= old.len() as u64;
            let only = fresh && runs.len() == 1;
            // Not those that were written over other data.
            let end = |run: &Run| run.offset + run.len;
            let covered = |run: &Run| {
                let covers = |it: &Run| it != run && it.offset <= run.offset && end(run) <= end(it);
                runs.iter().any(covers)
            };
            let holes: Vec<Run> = runs
                .iter()
                .filter(|run| !only && behind(run) && !covered(run))
                .cloned()
                .collect();
            let hole = holes
                .last()
                .is_some_and(|last| end(last) == new.len() as u64);
            runs.retain(|run| !holes.contains(run));
            if fresh && runs.is_empty() {
                self.step(["write", &at, "0", "0", "data=zero"]);
            }
            for run in runs {
                let (offset, len) = (size(run.offset), size(run.len));
                self.step(["write", &at, &offset, &len, &format!("data={}", run.name)]);
            }
            if hole {
                self.step(["truncate", &at, &size(new.len() as u64)]);
            }
        }
        if (here.uid, here.gid) != (entry.uid, entry.gid) {
            self.step(["chown", &format!("{}:{}", entry.uid, entry.gid), &at]);
        }
        if here.mode != entry.mode && !matches!(entry.kind, Kind::Link(_)) {
            self.step(["chmod", &format!("{:04o}", entry.mode), &at]);
        }
        // All names of one object are amended at once.
        for other in self.now.values_mut() {
            if object(other) == object(entry) {
                *other = Entry {
                    path: other.path.clone(),
                    ..entry.clone()
                };
            }
        }
        Ok(())
    }
}

/// Whether `path` names the object of `entry` in the tree that is wanted.
fn names(wanted: &BTreeMap<&str, &Entry>, path: &str, entry: &Entry) -> bool {
    wanted
        .get(path)
        .is_some_and(|there| object(there) == object(entry))
}

/// Whether one can become the other: the same kind, and for a symbolic link the same target.
fn same_link(a: &Entry, b: &Entry) -> bool {
    match (&a.kind, &b.kind) {
        (Kind::Link(a), Kind::Link(b)) => a == b,
        (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

/// A number of bytes as steps write it: with K or M where that says it whole.
#[must_use]
pub fn size(bytes: u64) -> String {
    match bytes {
        0 => "0".to_owned(),
        n if n % (1 << 30) == 0 => format!("{}G", n >> 30),
        n if n % (1 << 20) == 0 => format!("{}M", n >> 20),
        n if n % (1 << 10) == 0 => format!("{}K", n >> 10),
        n => n.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Blobs(tempfile::TempDir);

    impl Blobs {
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            std::fs::create_dir(dir.path().join("blobs")).unwrap();
            Blobs(dir)
        }

        fn file(&self, path: &str, object: u64, content: &[u8]) -> Entry {
            let hash = blake3::hash(content).to_hex().to_string();
            std::fs::write(self.0.path().join("blobs").join(&hash), content).unwrap();
            entry(path, Kind::File(hash), 0o644, object)
        }

        fn steps(&self, old: &[Entry], new: &[Entry]) -> Vec<String> {
            let mut sorted = [old.to_vec(), new.to_vec()];
            for tree in &mut sorted {
                tree.push(directory("/", 34));
                tree.sort_by(|a, b| a.path.cmp(&b.path));
            }
            let mut names = Names::default();
            names.declare("random:1");
            let steps = steps(self.0.path(), "t", &sorted[0], &sorted[1], &mut names).unwrap();
            steps.into_iter().map(|words| words.join(" ")).collect()
        }
    }

    fn entry(path: &str, kind: Kind, mode: u32, object: u64) -> Entry {
        let (uid, gid, size, born, changed) = (0, 0, 0, 1, 1);
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

    fn directory(path: &str, object: u64) -> Entry {
        entry(path, Kind::Directory, 0o755, object)
    }

    fn random(len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        ztwin_model::dmu::data::Source::Random(1).read(0, &mut bytes);
        bytes
    }

    #[test]
    fn a_tree_is_made_parents_first() {
        let b = Blobs::new();
        let mut link = entry("/d/l", Kind::Link("../x".into()), 0o777, 4);
        link.uid = 7;
        let mut closed = directory("/d", 2);
        closed.mode = 0o1777;
        let new = [
            closed,
            b.file("/d/f", 3, &random(2048)),
            link,
            b.file("/e", 5, b""),
        ];
        assert_eq!(
            b.steps(&[], &new),
            [
                "mkdir t:/d",
                "chmod 1777 t:/d",
                "write t:/d/f 0 2K data=random:1",
                "symlink ../x t:/d/l",
                "chown 7:0 t:/d/l",
                "write t:/e 0 0 data=zero",
            ]
        );
    }

    #[test]
    fn a_tree_is_removed_children_first() {
        let b = Blobs::new();
        let old = [
            directory("/d", 2),
            b.file("/d/f", 3, b"x"),
            directory("/d/e", 4),
        ];
        assert_eq!(
            b.steps(&old, &[]),
            ["unlink t:/d/f", "rmdir t:/d/e", "rmdir t:/d"]
        );
    }

    #[test]
    fn a_moved_object_is_renamed_also_out_of_a_directory_that_goes_and_over_another() {
        let b = Blobs::new();
        let old = [
            directory("/d", 2),
            b.file("/d/f", 3, b"x"),
            b.file("/g", 4, b"y"),
        ];
        let new = [b.file("/g", 3, b"x")];
        assert_eq!(
            b.steps(&old, &new),
            ["unlink t:/g", "rename t:/d/f t:/g", "rmdir t:/d"]
        );
        let new = [
            directory("/e", 2),
            b.file("/e/f", 3, b"x"),
            b.file("/g", 4, b"y"),
        ];
        assert_eq!(b.steps(&old, &new), ["rename t:/d t:/e"]);
    }

    #[test]
    fn names_that_change_places_end_with_the_right_contents() {
        let b = Blobs::new();
        let old = [b.file("/a", 1, b""), b.file("/b", 2, &random(9))];
        let new = [b.file("/a", 2, &random(9)), b.file("/b", 1, b"")];
        assert_eq!(
            b.steps(&old, &new),
            ["rename t:/b t:/a", "write t:/b 0 0 data=zero"],
        );
    }

    #[test]
    fn a_second_name_is_a_link_and_content_is_written_once() {
        let b = Blobs::new();
        let old = [b.file("/a", 1, b"")];
        let new = [b.file("/a", 1, &random(9)), b.file("/b", 1, &random(9))];
        assert_eq!(
            b.steps(&old, &new),
            ["write t:/a 0 9 data=random:1", "link t:/a t:/b"]
        );
    }

    #[test]
    fn a_file_in_place_of_a_directory_clears_it() {
        let b = Blobs::new();
        let old = [directory("/d", 2), b.file("/d/f", 3, b"")];
        let new = [b.file("/d", 4, b"")];
        assert_eq!(
            b.steps(&old, &new),
            ["unlink t:/d/f", "rmdir t:/d", "write t:/d 0 0 data=zero"]
        );
    }

    #[test]
    fn a_link_with_another_target_is_made_anew() {
        let b = Blobs::new();
        let old = [entry("/l", Kind::Link("a".into()), 0o777, 2)];
        let new = [entry("/l", Kind::Link("b".into()), 0o777, 3)];
        assert_eq!(b.steps(&old, &new), ["unlink t:/l", "symlink b t:/l"]);
    }

    #[test]
    fn the_same_content_is_written_once_more() {
        let b = Blobs::new();
        let old = [b.file("/a", 1, &random(100))];
        let mut new = old.clone();
        (new[0].written, new[0].size) = (2, 100);
        assert_eq!(b.steps(&old, &new), ["write t:/a 0 100 data=random:1"]);
    }

    #[test]
    fn content_that_shrinks_or_grows_by_zeros_is_truncated() {
        let b = Blobs::new();
        let old = [b.file("/a", 1, &random(100))];
        assert_eq!(
            b.steps(&old, &[b.file("/a", 1, &random(40))]),
            ["truncate t:/a 40"]
        );
        let mut longer = random(100);
        longer.resize(5000, 0);
        assert_eq!(
            b.steps(&old, &[b.file("/a", 1, &longer)]),
            ["truncate t:/a 5000"]
        );
    }
}
