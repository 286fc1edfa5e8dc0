//! go-zfs, the library through which all three drivers call `zfs` and `zpool`: what its versions do
//! differently, and a driver of its own for what only it does.

use super::Done;
use super::shell::{Failure, Ran, Shell, attempt};

/// What it asks for of a dataset (`dsPropListOptions`).
pub(super) const COLUMNS: &str = "name,origin,used,available,mountpoint,compression,type,volsize,quota,referenced,written,logicalused,usedbydataset";

/// What it asks for of a pool (`zpoolPropListOptions`).
const POOL_COLUMNS: &str =
    "name,health,allocated,size,free,readonly,dedupratio,fragmentation,freeing,leaked";

/// A version of the library, oldest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Library {
    /// 2.1.2-0.20190413222219, which Docker up to 23 and containerd 1.6 have.
    V2,
    /// 3.0.0
    V3_0,
    /// 3.0.1 and 3.1
    V3,
    /// 4.0
    #[default]
    V4,
}

impl Library {
    /// A version as steps name it.
    pub fn version(text: &str) -> Option<Library> {
        match text {
            "2" => Some(Library::V2),
            "3.0" => Some(Library::V3_0),
            "3.1" => Some(Library::V3),
            "4.0" => Some(Library::V4),
            _ => None,
        }
    }

    /// The command in the text of an error: the program's path, then what the version makes of its
    /// arguments.
    pub fn told(self, line: &str) -> String {
        let program = line.split(' ').next().unwrap_or_default();
        match self {
            Library::V2 => format!("{program} {line}"),
            // The arguments without their first character.
            Library::V3_0 => format!("{program} {}", line.get(1..).unwrap_or_default()),
            Library::V3 | Library::V4 => line.to_owned(),
        }
    }

    /// The cells of a line. Old versions split at any blank, so a value with one counts as two.
    pub fn cells(self, line: &str) -> Vec<&str> {
        if self <= Library::V3_0 {
            line.split_whitespace().collect()
        } else {
            line.split('\t').collect()
        }
    }
}

/// A dataset as the library has it, as far as drivers look at it. Numbers are as they were printed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Dataset {
    /// Its full name.
    pub name: String,
    /// `used`
    pub used: String,
    /// `available`
    pub available: String,
    /// `mountpoint`
    pub mountpoint: String,
    /// `compression`
    pub compression: String,
    /// `filesystem`, `snapshot` or `volume`.
    pub kind: String,
    /// `quota`
    pub quota: String,
}

impl Dataset {
    /// A row of a listing (`parseLine`); none with another number of columns.
    pub fn read(library: Library, line: &str) -> Option<Dataset> {
        let cells = library.cells(line);
        let [
            name,
            _,
            used,
            available,
            mountpoint,
            compression,
            kind,
            _,
            quota,
            _,
            _,
            _,
            _,
        ] = cells[..]
        else {
            return None;
        };
        Some(Dataset {
            name: name.to_owned(),
            used: number(used),
            available: number(available),
            mountpoint: mountpoint.to_owned(),
            compression: compression.to_owned(),
            kind: kind.to_owned(),
            quota: number(quota),
        })
    }
}

/// A number as `setUint` has it.
fn number(cell: &str) -> String {
    if cell == "-" { "0" } else { cell }.to_owned()
}

/// A pool as the library has it, as far as it is told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Pool {
    /// Its name.
    pub name: String,
    /// `health`
    pub health: String,
    /// `readonly`
    read_only: bool,
    /// `dedupratio`
    ratio: String,
}

/// `GetZpool`. With `exact`, of the ratio only an `x` at its end is cut off, and not any character.
pub(super) fn pool(shell: &mut Shell<'_>, name: &str, exact: bool) -> Ran<Pool> {
    let flags = if shell.library <= Library::V3_0 {
        "-p"
    } else {
        "-Hp"
    };
    let printed = match shell.run(&["zpool", "get", flags, POOL_COLUMNS, name])? {
        Ok(printed) => printed,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut pool = Pool {
        name: name.to_owned(),
        ..Pool::default()
    };
    for line in printed.lines() {
        let [_, property, value, ..] = shell.library.cells(line)[..] else {
            continue;
        };
        match property {
            "name" => value.clone_into(&mut pool.name),
            "health" => value.clone_into(&mut pool.health),
            "readonly" => pool.read_only = value == "on",
            "dedupratio" => {
                let kept = if exact {
                    value.trim_end_matches('x')
                } else {
                    let end = value.char_indices().next_back().map_or(0, |(at, _)| at);
                    &value[..end]
                };
                kept.clone_into(&mut pool.ratio);
            }
            _ => {}
        }
    }
    Ok(Ok(pool))
}

/// The library on its own, started by `go-zfs init`.
#[derive(Clone, Copy, Debug)]
pub(super) struct GoZfs {
    pub library: Library,
    /// The library as it should be.
    corrected: bool,
}

impl GoZfs {
    /// `go-zfs init [version=VERSION]`; `None`: there is no such version.
    pub fn init(version: Option<&str>) -> Option<GoZfs> {
        let library = match version {
            None | Some("corrected") => Library::default(),
            Some(version) => Library::version(version)?,
        };
        Some(GoZfs {
            library,
            corrected: version == Some("corrected"),
        })
    }

    /// One step; `None`: there is no such one.
    pub fn run(self, shell: &mut Shell<'_>, step: &[&str]) -> Option<Done> {
        Some(match step {
            ["pool", name] => self.pool(shell, name),
            ["dataset", name] => dataset(shell, name),
            ["children", name] => children(shell, &["-r"], name),
            ["children", name, depth] => children(shell, &["-d", depth], name),
            ["get", key, name] => self.get(shell, key, name),
            ["rename", old, new, flags @ ..] if self.library > Library::V2 => {
                if !flags.iter().all(|flag| matches!(*flag, "-p" | "-r")) {
                    return None;
                }
                self.rename(shell, old, new, flags)
            }
            _ => return None,
        })
    }

    /// `go-zfs pool NAME` (`GetZpool`).
    fn pool(self, shell: &mut Shell<'_>, name: &str) -> Done {
        let pool = attempt!(pool(shell, name, self.corrected));
        let Pool {
            name,
            health,
            read_only,
            ratio,
        } = &pool;
        shell.say(&format!("Name {name}"));
        shell.say(&format!("Health {health}"));
        shell.say(&format!("ReadOnly {read_only}"));
        shell.say(&format!("DedupRatio {ratio}"));
        Ok(Ok(()))
    }

    /// `go-zfs get KEY NAME` (`GetProperty`).
    fn get(self, shell: &mut Shell<'_>, key: &str, name: &str) -> Done {
        let flags = if self.library < Library::V4 {
            "-H"
        } else {
            "-Hp"
        };
        let printed = attempt!(shell.run(&["zfs", "get", flags, key, name]));
        let row = printed
            .lines()
            .next()
            .map(|line| self.library.cells(line).into_iter().nth(2));
        match row.flatten() {
            Some(value) => shell.say(value),
            None => return Ok(Err(format!("no value of {key} was printed"))),
        }
        Ok(Ok(()))
    }

    /// `go-zfs rename OLD NEW [-p] [-r]` (`Rename`): with its flags behind the names.
    fn rename(self, shell: &mut Shell<'_>, old: &str, new: &str, flags: &[&str]) -> Done {
        let mut words = vec!["zfs", "rename"];
        let names = [old, new];
        if self.corrected {
            words.extend(flags);
            words.extend(names);
        } else {
            words.extend(names);
            words.extend(flags);
        }
        attempt!(shell.run(&words));
        Ok(Ok(()))
    }
}

/// `go-zfs dataset NAME` (`GetDataset`).
fn dataset(shell: &mut Shell<'_>, name: &str) -> Done {
    let found = attempt!(shell.dataset(name));
    let Dataset {
        name,
        kind,
        mountpoint,
        ..
    } = &found;
    shell.say(&format!("{name} {kind} {mountpoint}"));
    Ok(Ok(()))
}

/// `go-zfs children NAME [DEPTH]` (`Children`): all rows but the first.
fn children(shell: &mut Shell<'_>, depth: &[&str], name: &str) -> Done {
    let mut words = depth.to_vec();
    words.extend(["-t", "all", "-Hp", "-o", COLUMNS, name]);
    let rows = attempt!(shell.rows(&words));
    for row in rows.iter().skip(1) {
        shell.say(&format!("{} {}", row.name, row.kind));
    }
    Ok(Ok(()))
}

/// What the library says when a row has another number of columns.
pub(super) fn mismatch() -> Failure {
    Failure::of_library("output does not match what is expected on this platform")
}
