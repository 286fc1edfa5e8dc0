//! Which names a dataset may have (`entity_namecheck`, `dataset_nestcheck`).

use crate::dsl::reason::Reason;

/// The longest name, in bytes.
pub const MAX_NAME: usize = 255;

/// The longest name of a pool, in bytes: `$ORIGIN@$ORIGIN` has to fit below it.
const MAX_POOL_NAME: usize = 239;

/// A name has fewer levels than so many below the pool's root (`zfs_max_dataset_nesting`).
const MAX_NESTING: usize = 50;

/// What a name is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// A filesystem.
    Filesystem,
    /// A snapshot.
    Snapshot,
    /// A filesystem or a snapshot.
    Dataset,
    /// A bookmark.
    Bookmark,
    /// A filesystem or a bookmark.
    FilesystemOrBookmark,
    /// A snapshot or a bookmark.
    SnapshotOrBookmark,
    /// Any of them.
    Any,
}

impl Expected {
    /// Whether it may be a snapshot.
    #[must_use]
    pub fn snapshot(self) -> bool {
        use Expected::{Any, Dataset, Snapshot, SnapshotOrBookmark};
        matches!(self, Snapshot | Dataset | SnapshotOrBookmark | Any)
    }

    /// Whether it may be a bookmark.
    #[must_use]
    pub fn bookmark(self) -> bool {
        use Expected::{Any, Bookmark, FilesystemOrBookmark, SnapshotOrBookmark};
        matches!(
            self,
            Bookmark | FilesystemOrBookmark | SnapshotOrBookmark | Any
        )
    }
}

/// Checks a name that is only looked up (`zfs_validate_name`).
pub fn check(name: &str, expected: Expected) -> Result<(), Reason> {
    if !expected.snapshot() && name.contains('@') {
        return Err(Reason::SnapshotDelimiter);
    }
    if expected == Expected::Snapshot && !name.contains('@') {
        return Err(Reason::NoSnapshotDelimiter);
    }
    if !expected.bookmark() && name.contains('#') {
        return Err(Reason::BookmarkDelimiter);
    }
    if expected == Expected::Bookmark && !name.contains('#') {
        return Err(Reason::InvalidArgument);
    }
    components(name)
}

/// Checks the name of something that is made or changed.
pub fn check_new(name: &str, expected: Expected) -> Result<(), Reason> {
    match check(name, expected) {
        Err(
            reason @ (Reason::SnapshotDelimiter
            | Reason::NoSnapshotDelimiter
            | Reason::BookmarkDelimiter),
        ) => Err(reason),
        _ if name.contains('%') => Err(Reason::PercentInName),
        checked => checked,
    }
}

/// How many levels of filesystems below the root a name has.
#[must_use]
pub fn nesting(name: &str) -> usize {
    name.split('@').next().unwrap_or(name).matches('/').count()
}

/// Whether a name has too many levels (`dataset_nestcheck`).
#[must_use]
pub fn is_too_deep(name: &str) -> bool {
    nesting(name) >= MAX_NESTING
}

fn components(name: &str) -> Result<(), Reason> {
    if name.len() > MAX_NAME {
        return Err(Reason::NameTooLong);
    }
    if name.starts_with('/') {
        return Err(Reason::LeadingSlash);
    }
    let mut rest = name;
    let mut delimited = false;
    loop {
        let end = rest.find(['/', '@', '#']).unwrap_or(rest.len());
        let (component, after) = rest.split_at(end);
        if component.is_empty() {
            let slash_before = name[..name.len() - rest.len()].ends_with('/');
            return Err(if after.is_empty() && slash_before {
                Reason::TrailingSlash
            } else {
                Reason::EmptyComponent
            });
        }
        if let Some(bad) = component.bytes().find(|&byte| !valid(byte)) {
            return Err(Reason::InvalidCharacter(bad));
        }
        let mut after = after.chars();
        let next = after.next();
        if matches!(next, None | Some('/')) {
            match component {
                "." => return Err(Reason::SelfReference),
                ".." => return Err(Reason::ParentReference),
                _ => {}
            }
        }
        match next {
            None => return Ok(()),
            Some('/') if delimited => return Err(Reason::TrailingSlash),
            Some('/') => {}
            Some(_) if delimited => return Err(Reason::MultipleDelimiters),
            Some(_) => delimited = true,
        }
        rest = after.as_str();
    }
}

fn valid(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b':' | b' ' | b'%')
}

/// Checks the name of a new pool (`zpool_name_valid`).
pub fn check_pool(name: &str) -> Result<(), Reason> {
    check_pool_to_open(name)?;
    let reserved = ["mirror", "raidz", "draid", "spare"];
    if name == "log" || reserved.iter().any(|reserved| name.starts_with(reserved)) {
        return Err(Reason::ReservedName);
    }
    Ok(())
}

/// Checks the name of a pool that is looked for (`pool_namecheck`).
pub fn check_pool_to_open(name: &str) -> Result<(), Reason> {
    if name.len() > MAX_POOL_NAME {
        return Err(Reason::NameTooLong);
    }
    if let Some(bad) = name.bytes().find(|&byte| !valid(byte) || byte == b'%') {
        return Err(Reason::InvalidCharacter(bad));
    }
    if !name.starts_with(|c: char| c.is_ascii_alphabetic()) {
        return Err(Reason::PoolNameWithoutLetter);
    }
    if matches!(name, "mirror" | "raidz" | "draid") {
        return Err(Reason::ReservedName);
    }
    Ok(())
}

/// The name of the filesystem above: `tank/a` of `tank/a/b`, none of `tank`.
#[must_use]
pub fn parent(name: &str) -> Option<&str> {
    name.rsplit_once('/').map(|(parent, _)| parent)
}

/// The last component: what stands behind the last `/`, `@` or `#`.
#[must_use]
pub fn component(name: &str) -> &str {
    name.rsplit(['/', '@', '#']).next().unwrap_or(name)
}

/// The name of the pool: what stands before the first `/` or `@`.
#[must_use]
pub fn pool(name: &str) -> &str {
    name.split(['/', '@', '#']).next().unwrap_or(name)
}
