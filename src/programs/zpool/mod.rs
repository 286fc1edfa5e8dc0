//! `zpool` (`cmd/zpool/zpool_main.c`).

use std::collections::BTreeSet;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::property::{self, PoolProperty, Rule};
use ztwin_model::spa::scan::{Function, Scan};
use ztwin_model::spa::{Pool, Shape};

use super::args::LongOption;
use super::console::{Console, Ended, NotModelled};
use super::{json, settings, version};

mod add;
mod attach;
mod checkpoint;
mod clear;
mod column;
mod create;
mod destroy;
mod detach;
mod devices;
mod draid;
mod export;
mod get;
mod history;
mod import;
mod info;
mod labelclear;
mod list;
mod reguid;
mod reopen;
mod repeat;
mod replace;
mod scrub;
mod set;
mod status;
mod sync;
mod upgrade;
mod wait;

/// Subcommands that exist and are not modelled.
const NOT_MODELLED: &[&str] = &[
    "ddtprune",
    "events",
    "initialize",
    "iostat",
    "offline",
    "online",
    "prefetch",
    "remove",
    "resilver",
    "split",
    "trim",
];

/// The long options of commands that print JSON, each with what its unknown letter is printed as.
const LONG: &[LongOption] = &[
    ("json", 'j'),
    ("json-int", json::INT),
    ("json-pool-key-guid", json::POOL_KEY_GUID),
];

/// Runs `zpool` with what stands behind it.
pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some((command, rest)) = words.split_first() else {
        return Ok(unknown(console, "missing command"));
    };
    match command.as_str() {
        "add" => add::run(console, rest),
        "attach" => attach::run(console, rest),
        "checkpoint" => checkpoint::run(console, rest),
        "clear" => clear::run(console, rest),
        "create" => create::run(console, rest),
        "destroy" => destroy::run(console, rest),
        "detach" => detach::run(console, rest),
        "export" => export::run(console, rest),
        "get" => get::run(console, rest),
        "history" => history::run(console, rest),
        "import" => import::run(console, rest),
        "labelclear" => labelclear::run(console, rest),
        "list" => list::run(console, rest),
        "reguid" => reguid::run(console, rest),
        "reopen" => reopen::run(console, rest),
        "replace" => replace::run(console, rest),
        "scrub" => scrub::run(console, rest),
        "set" => set::run(console, rest),
        // A property alone is set, too (`main`).
        setting if setting.contains('=') => set::run(console, words),
        "status" => status::run(console, rest),
        "sync" => sync::run(console, rest),
        "upgrade" => upgrade::run(console, rest),
        "version" => version::run(console, "zpool", rest),
        "wait" => wait::run(console, rest),
        "-V" | "--version" => Ok(version::print(console)),
        "-?" | "--help" => Ok(help(console)),
        // Until 2.1 there is none; since then it shows a manual page.
        "help" if console.release() > Release::V2_1 => Err(NotModelled("zpool help".to_owned())),
        known if NOT_MODELLED.contains(&known) => Err(NotModelled(format!("zpool {known}"))),
        unknown_one => Ok(unknown(
            console,
            &format!("unrecognized command '{unknown_one}'"),
        )),
    }
}

/// The usage text of the whole program, which was asked for.
fn help(console: &mut Console<'_>) -> u8 {
    console.say("usage: zpool command args ...");
    let rest = console.usage_text();
    console.say(rest);
    0
}

/// A complaint and the usage text of the whole program.
fn unknown(console: &mut Console<'_>, complaint: &str) -> u8 {
    console.complain(complaint);
    console.complain("usage: zpool command args ...");
    let rest = console.usage_text();
    console.complain(rest);
    2
}

/// `pool_list_get`: the pools that operands name, each once and by name, or all of them; says which cannot be
/// opened. The exit code is 1 when one cannot, or is named twice.
fn named(console: &mut Console<'_>, operands: &[String]) -> (Vec<String>, u8) {
    if operands.is_empty() {
        return (console.state().pools.keys().cloned().collect(), 0);
    }
    let mut found = BTreeSet::new();
    let mut code = 0;
    for name in operands {
        if !is_open(console, name) || !found.insert(name.clone()) {
            code = 1;
        }
    }
    (found.into_iter().collect(), code)
}

/// `zpool_open_canfail`: whether there is such a pool; says why not.
pub(super) fn is_open(console: &mut Console<'_>, name: &str) -> bool {
    if console.state().pools.contains_key(name) {
        return true;
    }
    let heading = format!("cannot open '{name}'");
    if let Err(reason) = names::check_pool_to_open(name) {
        refuse_name(console, &heading, &reason);
    } else {
        console.note(&Reason::NoSuchPool(name.into()));
        console.complain(format!("{heading}: no such pool"));
    }
    false
}

/// `zpool_name_valid`: says what is wrong with a pool's name.
pub(super) fn refuse_name(console: &mut Console<'_>, heading: &str, reason: &Reason) {
    if let Reason::InvalidCharacter(bad) = reason {
        console.note(reason);
        let text = format!("{heading}: invalid character '");
        console.complain([text.as_bytes(), &[*bad], b"' in pool name"].concat());
    } else {
        console.refuse(heading, reason);
    }
}

/// `zpool_disable_datasets`: takes off all mounts of a pool, the deepest first, and removes the mountpoints.
fn disable_datasets(
    console: &mut Console<'_>,
    root: DatasetId,
    force: bool,
) -> Result<bool, NotModelled> {
    let pool = console.state().pool_of(root);
    let autotrim = pool.and_then(|pool| pool.settings.get("autotrim"));
    if console.release() == Release::V2_1 && autotrim.is_some_and(|text| &**text == "on") {
        return Err(NotModelled(
            "the end of a pool with autotrim, which OpenZFS 2.1 never comes to".to_owned(),
        ));
    }
    // Snapshots too, but those of the pool's root (`zpool_disable_datasets`).
    let filesystems = console.state().subtree(root);
    let snapshots = filesystems.iter().filter(|&&id| id != root);
    let snapshots = snapshots.flat_map(|&id| console.snapshots(id));
    let inside: BTreeSet<DatasetId> = filesystems.iter().copied().chain(snapshots).collect();
    let mounts = console.state().mounts.iter();
    let mut mounts: Vec<(String, DatasetId)> = mounts
        .filter(|mount| inside.contains(&mount.dataset))
        .map(|mount| (mount.path.clone(), mount.dataset))
        .collect();
    mounts.sort();
    for (path, _) in mounts.iter().rev() {
        if !console.unmount_path(path, force) {
            return Ok(false);
        }
    }
    for (_, id) in mounts.into_iter().rev() {
        let mountpoint = console.removable_mountpoint(id);
        console.remove_mountpoint(mountpoint);
    }
    Ok(true)
}

/// `-o`: a property of a pool (`add_prop_list`).
fn add_property(console: &mut Console<'_>, given: &mut settings::Given, text: &str) -> bool {
    let Some((name, value)) = text.split_once('=') else {
        console.complain("missing '=' for -o option");
        return false;
    };
    let known = PoolProperty::by_name(name, console.release());
    if known.is_none() && property::feature_name(name).is_none() {
        let reason = Reason::UnknownPoolProperty(name.into());
        no_such_property(console, &reason, name);
        return false;
    }
    let excluded = match known.map(|it| it.name) {
        None => given.iter().any(|(it, _)| it == "version"),
        Some("version") => given
            .iter()
            .any(|(it, _)| property::feature_name(it).is_some()),
        Some(_) => false,
    };
    if excluded {
        console.tell(&Reason::VersionAndFeature);
        return false;
    }
    if known.is_some_and(|it| it.rule == Rule::Cachefile) {
        // The only one that may be given again and again.
        given.put_text(name, value);
        return true;
    }
    given.add(console, text)
}

/// Says that a property does not exist (`add_prop_list`).
fn no_such_property(console: &mut Console<'_>, reason: &Reason, name: &str) {
    console.note(reason);
    let what = match console.release() {
        Release::V2_1 => "pool",
        Release::V2_3 | Release::V2_4 => "pool or vdev",
    };
    console.complain(format!("property '{name}' is not a valid {what} property"));
}

/// A vdev as tables show it (`zpool_vdev_name`).
struct VdevLine {
    /// Its name: the path of a device, `mirror-0`, or its number.
    name: String,
    /// The path of a device.
    path: Option<String>,
    /// The name of what it lies in.
    parent: String,
    /// What it is (`ZPOOL_CONFIG_TYPE`).
    kind: &'static str,
    /// How deep it lies below the pool.
    depth: usize,
}

impl VdevLine {
    fn is_device(&self) -> bool {
        self.path.is_some()
    }
}

/// A pool's vdevs in the order of its configuration, each with what lies in it.
fn vdev_lines(pool: &Pool) -> Vec<VdevLine> {
    let mut lines = Vec::new();
    for (at, vdev) in pool.vdevs.iter().enumerate() {
        let group = match vdev.shape {
            Shape::Single => None,
            Shape::Mirror => Some((format!("mirror-{at}"), "mirror")),
            Shape::Raidz(parity) => Some((format!("raidz{parity}-{at}"), "raidz")),
            Shape::Draid(draid) => {
                let name = draid::name(draid, vdev.devices.len());
                Some((format!("{name}-{at}"), "draid"))
            }
        };
        let depth = 1 + usize::from(group.is_some());
        let parent = group.as_ref().map_or(&pool.name, |(name, _)| name).clone();
        lines.extend(group.map(|(name, kind)| VdevLine {
            name,
            path: None,
            parent: pool.name.clone(),
            kind,
            depth: 1,
        }));
        lines.extend(vdev.devices.iter().map(|device| VdevLine {
            name: device.to_string(),
            path: Some(device.to_string()),
            parent: parent.clone(),
            kind: "file",
            depth,
        }));
    }
    lines
}

/// As [`vdev_lines`], by their numbers if that is asked for (`-g`). A device that is being replaced stands there
/// with the new one.
fn named_vdevs(console: &Console<'_>, pool: &Pool, by_guid: bool) -> Vec<VdevLine> {
    let mut lines = vdev_lines(pool);
    let resilvers = |scan: Scan| scan.function == Function::Resilver && scan.ended.is_none();
    if pool.scan.is_some_and(resilvers) {
        console
            .missing
            .set(Some("the vdevs of a pool that may be resilvering"));
    }
    for line in lines.iter_mut().filter(|_| by_guid) {
        line.name = console.vdev_guid();
    }
    lines
}
