//! What steps may touch: pools, vdev files and mounts of this trace, and nothing else.

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use super::{child, unavailable};
use crate::pools::{Command, Unavailable};

/// Options of `zpool create` that take a value, and of `zpool import`.
const WITH_VALUE: [&str; 6] = ["-o", "-O", "-m", "-R", "-t", "--altroot"];
const WITH_VALUE_OF_IMPORT: [&str; 5] = ["-d", "-c", "-o", "-R", "-T"];

/// Words of `zpool create` and `zpool add` that are no device.
fn is_vdev_word(word: &str) -> bool {
    [
        "mirror", "raidz", "draid", "spare", "log", "cache", "special", "dedup",
    ]
    .iter()
    .any(|kind| word.starts_with(kind))
}

/// Where the operands of a `zpool` command stand: what is neither an option nor the value of one.
fn operands_at(words: &[String]) -> Vec<usize> {
    let mut at = Vec::new();
    let mut index = 2;
    let with_value = if words.get(1).is_some_and(|word| word == "import") {
        &WITH_VALUE_OF_IMPORT[..]
    } else {
        &WITH_VALUE[..]
    };
    while let Some(word) = words.get(index) {
        if with_value.contains(&word.as_str()) {
            index += 1;
        } else if !word.starts_with('-') {
            at.push(index);
        }
        index += 1;
    }
    at
}

/// The operands of a `zpool` command.
fn operands(words: &[String]) -> Vec<&str> {
    operands_at(words)
        .into_iter()
        .map(|index| words[index].as_str())
        .collect()
}

/// The words with every vdev path of a `zpool` command replaced.
pub(super) fn with_paths(words: &[String], replace: impl Fn(&str) -> String) -> Vec<String> {
    let mut words = words.to_vec();
    if words.first().is_some_and(|word| word == "zpool") {
        let searched = words.iter().enumerate().filter(|(_, word)| *word == "-d");
        let searched: Vec<usize> = searched.map(|(index, _)| index + 1).collect();
        for index in operands_at(&words).into_iter().chain(searched) {
            if words.get(index).is_some_and(|word| word.starts_with('/')) {
                words[index] = replace(&words[index]);
            }
        }
    }
    words
}

/// The names of the pool that a `zpool create` makes, the temporary one among them, or the new name that a
/// `zpool import` gives to one.
pub(super) fn created(words: &[String]) -> Vec<&str> {
    let command: Vec<&str> = words.iter().take(2).map(String::as_str).collect();
    match command[..] {
        ["zpool", "create"] => {
            let temporary = words.windows(2).filter(|pair| pair[0] == "-t");
            let temporary = temporary.map(|pair| pair[1].as_str());
            operands(words)
                .into_iter()
                .take(1)
                .chain(temporary)
                .collect()
        }
        ["zpool", "import"] => operands(words).into_iter().skip(1).take(1).collect(),
        _ => Vec::new(),
    }
}

/// Where a command may make ZFS create directories to mount on: at a new pool's name, and at a mountpoint
/// that it sets.
pub(super) fn places(words: &[String]) -> Vec<String> {
    let pools = created(words).into_iter().map(|name| format!("/{name}"));
    let set = words.iter().filter_map(|word| {
        let path = word.strip_prefix("-o").unwrap_or(word);
        let path = path.strip_prefix("-O").unwrap_or(path);
        path.strip_prefix("mountpoint=")
    });
    let behind = words
        .windows(2)
        .filter(|pair| matches!(pair[0].as_str(), "-m" | "-R"))
        .map(|pair| pair[1].as_str());
    pools
        .chain(set.chain(behind).map(str::to_owned))
        .filter(|place| place.starts_with('/'))
        .collect()
}

/// The pools that the steps make.
pub(super) fn pools_created(commands: &[Command]) -> BTreeSet<String> {
    commands
        .iter()
        .flat_map(|command| created(&command.words))
        .map(str::to_owned)
        .collect()
}

/// Where the kernel has a directory for each imported pool.
const KSTAT: &str = "/proc/spl/kstat/zfs";

/// The imported pools.
pub(super) fn imported(limit: Duration) -> Result<BTreeSet<String>, Unavailable> {
    // To look there is quicker than to start a program, which counts in a guest that is emulated.
    if let Ok(entries) = std::fs::read_dir(KSTAT) {
        let pools = entries
            .filter_map(Result::ok)
            .filter(|it| it.path().is_dir());
        return Ok(pools
            .map(|it| it.file_name().to_string_lossy().into_owned())
            .collect());
    }
    let out = child::must("zpool", &["list", "-H", "-o", "name"], limit)?;
    Ok(out.lines().map(str::to_owned).collect())
}

/// Refuses to start when a pool of one of these names exists.
pub(super) fn no_such_pools_yet(
    names: &BTreeSet<String>,
    limit: Duration,
) -> Result<(), Unavailable> {
    let imported = imported(limit)?;
    match names.intersection(&imported).next() {
        None => Ok(()),
        Some(name) => Err(unavailable(format!(
            "a pool called '{name}' exists already and is not touched: export it, rename the trace's, \
             or use a guest"
        ))),
    }
}

/// The pool that a word names or has something in.
fn pool_of(word: &str) -> &str {
    word.split(['/', '@', '#']).next().unwrap_or_default()
}

/// Refuses a step of `zfs` or `zpool` that could touch what this trace did not make.
///
/// `foreign` are the imported pools that are not its own, `vdevs` the files that it made.
pub(super) fn check(
    words: &[String],
    foreign: &BTreeSet<String>,
    vdevs: &BTreeSet<String>,
) -> Result<(), Unavailable> {
    let refused = |why: String| {
        Err(unavailable(format!(
            "`{}` is not run on this host: {why}",
            words.join(" ")
        )))
    };
    if let Some(word) = words
        .iter()
        .skip(1)
        .find(|word| foreign.contains(pool_of(word)))
    {
        return refused(format!(
            "'{}' is a pool that this trace did not make",
            pool_of(word)
        ));
    }
    let about_all = words.iter().skip(2).all(|word| word.starts_with('-'));
    if about_all && !foreign.is_empty() {
        return refused(
            "it names no pool, and there are pools that this trace did not make".into(),
        );
    }
    let takes_devices = words.first().is_some_and(|word| word == "zpool")
        && words.get(1).is_some_and(|word| {
            matches!(
                word.as_str(),
                "create" | "add" | "attach" | "replace" | "import" | "labelclear"
            )
        });
    if takes_devices {
        for word in operands(words)
            .into_iter()
            .skip(1)
            .filter(|word| !is_vdev_word(word))
        {
            let is_path = word.starts_with('/');
            let exists = if is_path {
                Path::new(word).exists()
            } else {
                Path::new("/dev").join(word).exists()
            };
            if exists && !vdevs.contains(word) {
                return refused(format!(
                    "'{word}' is a device or file that this trace did not make"
                ));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn the_created_pool_is_found_behind_options() {
        assert_eq!(
            created(&words(
                "zpool create -f -o ashift=12 -O atime=off tank /v/a"
            )),
            ["tank"]
        );
        assert_eq!(
            created(&words("zpool create -t tmp tank /v/a")),
            ["tank", "tmp"]
        );
        assert_eq!(created(&words("zpool import -d /v -t tank tmp")), ["tmp"]);
        assert!(created(&words("zpool list tank")).is_empty());
        assert!(created(&words("zfs create tank/a")).is_empty());
    }

    #[test]
    fn the_places_of_mountpoints_are_found() {
        let places = |line: &str| places(&words(line)).join(" ");
        assert_eq!(
            places("zpool create -m /m -O mountpoint=/o tank /v/a"),
            "/tank /o /m"
        );
        assert_eq!(places("zfs set mountpoint=/x tank/a"), "/x");
        assert_eq!(places("zfs create -omountpoint=/y tank/a"), "/y");
        assert_eq!(places("zfs set mountpoint=legacy tank/a"), "");
    }

    #[test]
    fn only_vdev_paths_are_replaced() {
        let replaced = |line: &str| with_paths(&words(line), |path| format!("/x{path}")).join(" ");
        assert_eq!(
            replaced("zpool create -m /mnt -O mountpoint=/a tank mirror /v/a /v/b"),
            "zpool create -m /mnt -O mountpoint=/a tank mirror /x/v/a /x/v/b"
        );
        assert_eq!(
            replaced("zfs set mountpoint=/a tank"),
            "zfs set mountpoint=/a tank"
        );
    }

    #[test]
    fn what_the_trace_did_not_make_is_refused() {
        let (foreign, vdevs) = (set(&["home"]), set(&["/v/a"]));
        let check = |line: &str| check(&words(line), &foreign, &vdevs).map_err(|e| e.message);
        assert!(
            check("zfs destroy -r home/user")
                .unwrap_err()
                .contains("'home' is a pool")
        );
        assert!(check("zfs snapshot home@x").unwrap_err().contains("'home'"));
        assert!(check("zfs list").unwrap_err().contains("names no pool"));
        assert!(check("zpool sync").unwrap_err().contains("names no pool"));
        assert!(
            check("zpool create tank /etc/passwd")
                .unwrap_err()
                .contains("'/etc/passwd'")
        );
        assert!(
            check("zpool create tank null")
                .unwrap_err()
                .contains("'null'")
        );
        assert_eq!(check("zpool create tank mirror /v/a /v/nope"), Ok(()));
        assert_eq!(check("zfs create tank/home"), Ok(()));
    }
}
