//! Which datasets `zfs list` and `zfs get` go over, and in what order (`zfs_for_each`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::fault::Fault;
use ztwin_model::outcome::Outcome;
use ztwin_model::spa::Pool;
use ztwin_model::zpl::op::{At, FileKind, FileOp, FileResult, Target};

use crate::programs::args;
use crate::programs::console::Console;
use crate::programs::message::strerror;

/// The kinds of datasets that are asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Types {
    pub filesystems: bool,
    pub snapshots: bool,
    pub bookmarks: bool,
    pub volumes: bool,
}

impl Types {
    /// Whether it is snapshots alone, or bookmarks alone.
    pub fn is_of_operands(self) -> bool {
        !self.filesystems && !self.volumes && self.snapshots != self.bookmarks
    }
}

/// How far a walk goes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Walk {
    /// `-r` or `-d`.
    pub recursive: bool,
    /// `-d`: how many levels below an operand.
    pub depth: Option<u64>,
    /// `-t`; without it, filesystems, and whatever is named.
    pub types: Option<Types>,
    /// `zfs get`: without `-t`, snapshots too.
    pub all_types: bool,
    /// `zfs list -o space`: without `-t`, no snapshot may be named.
    pub no_named_snapshots: bool,
}

/// The value of `-d`, or the complaint about it (`parse_depth`).
pub(super) fn depth(text: &str) -> Result<u64, String> {
    let depth = integer(text).ok_or_else(|| format!("{text} is not an integer"))?;
    u64::try_from(depth).map_err(|_| "Depth can not be negative.".to_owned())
}

/// `strtol` with base 0, when nothing stands behind the number, as an `int`. No text is 0.
#[expect(clippy::cast_possible_truncation, reason = "C cuts it off, too")]
fn integer(text: &str) -> Option<i32> {
    if text.is_empty() {
        return Some(0);
    }
    let text = text.trim_start_matches([' ', '\t', '\n', '\x0b', '\x0c', '\r']);
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.strip_prefix("0x").or(digits.strip_prefix("0X")) {
        Some(digits) => (16, digits),
        None if digits.starts_with('0') => (8, digits),
        None => (10, digits),
    };
    if digits.is_empty() || !digits.chars().all(|digit| digit.is_digit(radix)) {
        return None;
    }
    // It stops at the ends of a `long`, whose lower half is the `int`.
    let value = i128::from_str_radix(digits, radix).map_or(i128::MAX, |value| sign * value);
    let value = value.clamp(i64::MIN.into(), i64::MAX.into());
    Some(value as i32)
}

/// The value of `-t`, or the complaint about it.
pub(super) fn types(text: &str, release: Release) -> Result<Types, String> {
    let mut types = Types::default();
    for (name, shown) in args::words_of(text, release) {
        match name {
            "fs" | "vol" if release == Release::V2_1 => {
                return Err(format!("invalid type '{shown}'"));
            }
            "filesystem" | "fs" => types.filesystems = true,
            "snapshot" | "snap" => types.snapshots = true,
            "all" => {
                types = Types {
                    filesystems: true,
                    snapshots: true,
                    bookmarks: true,
                    volumes: true,
                }
            }
            "bookmark" => types.bookmarks = true,
            "volume" | "vol" => types.volumes = true,
            _ => return Err(format!("invalid type '{shown}'")),
        }
    }
    Ok(types)
}

/// The datasets that are asked for, sorted by name, and whether an operand could not be opened.
pub(super) fn walk(
    console: &mut Console<'_>,
    operands: &[String],
    walk: &Walk,
) -> (Vec<DatasetId>, bool) {
    let types = walk.types.unwrap_or(Types {
        filesystems: true,
        snapshots: walk.all_types,
        bookmarks: walk.all_types,
        volumes: true,
    });
    // Snapshots or bookmarks of an operand are met without `-r` when nothing else is asked for.
    let mut walk = *walk;
    let is_named = !operands.is_empty() || console.state().faulty(Fault::ListsSnapshotsOfTop);
    if types.is_of_operands() && !walk.recursive && is_named {
        walk.recursive = true;
        walk.depth = Some(1);
    }
    let by_pool = walk.types.is_none() && !walk.all_types;
    let mut found = Vec::new();
    let mut failed = false;
    if operands.is_empty() {
        let roots: Vec<_> = console
            .state()
            .pools
            .values()
            .map(|pool| pool.root)
            .collect();
        for root in roots {
            visit(console, root, walk.depth, types, by_pool, &mut found);
        }
    }
    for operand in operands {
        // With `-r`, a filesystem may be named even if only what is below it is asked for.
        let filesystems = types.filesystems || walk.recursive;
        let snapshots = types.snapshots || (walk.types.is_none() && !walk.no_named_snapshots);
        let expected = match (filesystems || types.volumes, snapshots, types.bookmarks) {
            (_, false, false) => Expected::Filesystem,
            (false, true, false) => Expected::Snapshot,
            (_, _, false) => Expected::Dataset,
            (false, false, true) => Expected::Bookmark,
            (true, false, true) => Expected::FilesystemOrBookmark,
            (false, true, true) => Expected::SnapshotOrBookmark,
            (true, true, true) => Expected::Any,
        };
        let opened = if operand.starts_with('/') || operand.starts_with("./") {
            at_path(console, operand)
        } else {
            console.open(operand, expected)
        };
        let Some(id) = opened else {
            failed = true;
            continue;
        };
        let fits = if console.is_volume(id) {
            let hides = console.state().faulty(Fault::VolumesHideBookmarks);
            let below = walk.recursive && (types.snapshots || types.bookmarks && !hides);
            types.volumes || below
        } else {
            filesystems
        };
        if console.state().filesystem(id).is_none() {
            found.push(id);
        } else if !fits {
            console.refuse(&format!("cannot open '{operand}'"), &Reason::WrongType);
            failed = true;
        } else if walk.recursive {
            visit(console, id, walk.depth, types, by_pool, &mut found);
        } else {
            found.push(id);
        }
    }
    sort_by_name(console, &mut found);
    found.dedup();
    (found, failed)
}

/// `zfs_path_to_zhandle`: the filesystem in which a path lies.
fn at_path(console: &mut Console<'_>, path: &str) -> Option<DatasetId> {
    let plain = path
        .split('/')
        .skip(1)
        .all(|it| !matches!(it, "" | "." | ".."));
    let place = console.state().mounts.locate(path);
    let Some(mount) = place.mount.filter(|_| plain) else {
        console
            .missing
            .set(Some("a path that may lie outside of the pools"));
        return None;
    };
    let name = console.name(mount.dataset);
    let at = At {
        dataset: name.as_str().into(),
        path: place.inside.into(),
    };
    match console.call(FileOp::Stat {
        file: Target::Path(at),
    }) {
        Ok(Outcome::File(FileResult::Stat(stat))) if stat.kind == FileKind::Link => {
            console.missing.set(Some("a path that is a symbolic link"));
            None
        }
        Ok(_) => console.open(&name, Expected::Filesystem),
        Err(errno) => {
            console.complain(format!("cannot open '{path}': {}", strerror(errno)));
            None
        }
    }
}

/// The datasets that operands name, each once and sorted by name, and whether one could not be opened
/// (`zfs_for_each` without a recursion).
pub(super) fn operands(console: &mut Console<'_>, names: &[String]) -> (Vec<DatasetId>, bool) {
    let mut found = Vec::new();
    let mut failed = false;
    for name in names {
        match console.open(name, Expected::Dataset) {
            Some(id) => found.push(id),
            None => failed = true,
        }
    }
    sort_by_name(console, &mut found);
    found.dedup();
    (found, failed)
}

/// A filesystem, its snapshots and what is below it, as far as they are asked for. Snapshots are a level
/// below their filesystem; with `by_pool`, the pool says whether they are shown.
fn visit(
    console: &Console<'_>,
    id: DatasetId,
    depth: Option<u64>,
    types: Types,
    by_pool: bool,
    found: &mut Vec<DatasetId>,
) {
    if if console.is_volume(id) {
        types.volumes
    } else {
        types.filesystems
    } {
        found.push(id);
    }
    if depth == Some(0) {
        return;
    }
    // `zfs_include_snapshots`
    let shows = |pool: &Pool| {
        pool.settings
            .get("listsnapshots")
            .is_some_and(|it| **it == *"on")
    };
    if types.snapshots || (by_pool && console.state().pool_of(id).is_some_and(shows)) {
        found.extend(console.snapshots(id));
    }
    if types.bookmarks {
        found.extend(console.bookmarks(id));
    }
    for child in console.children(id) {
        visit(
            console,
            child,
            depth.map(|depth| depth - 1),
            types,
            by_pool,
            found,
        );
    }
}

/// By the filesystem's name, each before its snapshots, and those by age; a bookmark by its whole name
/// (`zfs_compare`).
pub(super) fn sort_by_name(console: &Console<'_>, found: &mut [DatasetId]) {
    found.sort_by_cached_key(|&id| match console.state().snapshot(id) {
        Some(snapshot) => {
            let txg = console.state().dataset(id).map(|it| it.creation_txg);
            (console.name(snapshot.filesystem), txg, console.name(id))
        }
        None => (console.name(id), None, String::new()),
    });
}
