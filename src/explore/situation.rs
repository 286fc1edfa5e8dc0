//! In which situation an operation was tried: the operation with its flags, what kinds of things it was about, and
//! how it ended.

use ztwin_model::dsl::dataset::Kind;
use ztwin_model::generate::Step;
use ztwin_model::machine::State;
use ztwin_model::zpl::znode::Body;
use ztwin_model::{Op, Outcome};

/// The words of its step, each name replaced by what has it, and the reason for which it was refused.
pub(super) fn situation(state: &State, op: &Op, outcome: &Outcome) -> String {
    let ended = match outcome {
        Outcome::Done | Outcome::File(_) => "done",
        Outcome::Refused(reason) => reason.kind(),
        Outcome::Failed(errno) => errno.name(),
        Outcome::NotModelled(what) => what,
    };
    let words = Step(op.clone()).words().unwrap_or_default();
    let mut words: Vec<String> = words.iter().map(|word| kind(state, word)).collect();
    words.extend(["->".to_owned(), ended.to_owned()]);
    words.join(" ")
}

/// What a word leads to; the word itself where it is no name of something that may be there.
fn kind(state: &State, word: &str) -> String {
    if let Some((dataset, path)) = word.split_once(":/") {
        return format!(
            "{}:{}",
            of_dataset(state, dataset),
            of_path(state, dataset, path)
        );
    }
    if word.starts_with("/mnt/") {
        return match state.mounts.at(word) {
            Some(_) => "<mountpoint>".to_owned(),
            None => "<directory>".to_owned(),
        };
    }
    let is_name = |rest: &str| rest.is_empty() || rest.starts_with(['/', '@', '#']);
    if word.strip_prefix("tank").is_some_and(is_name) {
        return of_dataset(state, word);
    }
    word.to_owned()
}

fn of_dataset(state: &State, name: &str) -> String {
    let Some(dataset) = state.find(name).and_then(|id| state.dataset(id)) else {
        return "<none>".to_owned();
    };
    let mut told = Vec::new();
    let mut tell = |holds: bool, what: &'static str| told.extend(holds.then_some(what));
    match &dataset.kind {
        Kind::Filesystem(filesystem) => {
            tell(filesystem.parent.is_none(), "root");
            tell(filesystem.parent.is_some(), "filesystem");
            tell(filesystem.origin.is_some(), "clone");
            tell(!filesystem.children.is_empty(), "children");
            tell(!filesystem.snapshots.is_empty(), "snapshots");
            let mount = state.mounts.first(dataset.id);
            tell(mount.is_some(), "mounted");
            tell(mount.is_some_and(|it| it.options.read_only), "read-only");
        }
        Kind::Snapshot(snapshot) => {
            tell(true, "snapshot");
            tell(!snapshot.clones.is_empty(), "clones");
            tell(!snapshot.holds.is_empty(), "held");
            tell(snapshot.deferred, "deferred");
            let of = state.filesystem(snapshot.filesystem);
            let last = of.and_then(|it| it.snapshots.last());
            tell(last != Some(dataset.id), "older");
        }
        Kind::Bookmark(_) => tell(true, "bookmark"),
    }
    format!("<{}>", told.join(","))
}

fn of_path(state: &State, dataset: &str, path: &str) -> &'static str {
    let Some(dataset) = state.find(dataset).and_then(|id| state.dataset(id)) else {
        return "-";
    };
    let mut object = ztwin_model::dmu::ROOT;
    for name in path.split('/') {
        let found = match dataset.objset.get(object).map(|it| &it.body) {
            Some(Body::Directory { entries, .. }) => entries.get(name),
            _ => return "below-no-directory",
        };
        match found {
            Some(&found) => object = found,
            None => return "missing",
        }
    }
    match dataset.objset.get(object).map(|it| &it.body) {
        Some(Body::File(_)) => "file",
        Some(Body::Directory { entries, .. }) if entries.is_empty() => "empty-directory",
        Some(Body::Directory { .. }) => "directory",
        _ => "special",
    }
}
