//! `zfs mount` and `zfs unmount` (`share_mount`, `unshare_unmount`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::properties::Property;
use ztwin_model::dsl::reason::Reason;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled, WRONG_USE};
use crate::programs::json::{self, Object};
use crate::programs::message;
use crate::programs::mounting::{Asked, Changelist};

pub(super) fn mount(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = if console.release() == Release::V2_1 {
        args::parse(words, "alvo:Of")
    } else {
        args::parse_long(words, "ajRlvo:Of", &[("json", 'j')])
    };
    let mut asked = Asked::default();
    let (mut all, mut below, mut serial, mut has_options) = (false, false, false, false);
    let mut as_json = false;
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('R') => below = true,
            Given::Flag('O') => asked.overlay = true,
            Given::Flag('l') => serial = true,
            Given::Flag('v' | 'f') => {}
            Given::Flag(_) => as_json = true,
            Given::Value(_, options) if options.is_empty() => {
                return Ok(console.usage("empty mount options (-o) specified"));
            }
            Given::Value(_, options) => {
                asked.add(&options)?;
                has_options = true;
            }
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    match args.operands.as_slice() {
        [_, ..] if all || as_json => Ok(console.usage("too many arguments")),
        [] if below => Ok(console.usage("no dataset provided")),
        operands if all || below => {
            let mut tops = Vec::new();
            for name in operands {
                match console.open_filesystem(name) {
                    Some(id) => tops.push(id),
                    None => return Ok(console.usage("")),
                }
            }
            if operands.is_empty() {
                tops.extend(console.state().pools.values().map(|pool| pool.root));
            }
            let below = tops.iter().flat_map(|&top| console.state().subtree(top));
            let wanted = below.filter(|&id| console.is(id, Property::Canmount, "on"));
            let wanted: Vec<_> = wanted.collect();
            let mounted = mount_all(console, &wanted, &asked, serial)?;
            Ok(u8::from(!mounted))
        }
        [] if has_options => Ok(console.usage("missing filesystem argument (specify -a for all)")),
        [] if as_json => list_as_json(console),
        [] => {
            list(console);
            Ok(0)
        }
        [name] => {
            let Some(id) = console.open_filesystem(name) else {
                return Ok(1);
            };
            check_writable(console, id, &asked)?;
            let mounted = mount_one(console, id, name, &asked);
            Ok(u8::from(!mounted))
        }
        _ => Ok(console.usage("too many arguments")),
    }
}

/// `zfs_foreach_mountpoint`: each after those whose mountpoints are above its own, and not at all when one
/// of them could not be mounted. Threads do it, so that nobody knows which of several is mounted first; not
/// so with `-l`, which may ask for keys.
pub(in crate::programs) fn mount_all(
    console: &mut Console<'_>,
    filesystems: &[DatasetId],
    asked: &Asked,
    serial: bool,
) -> Result<bool, NotModelled> {
    let mut wanted: Vec<_> = filesystems
        .iter()
        .copied()
        .filter(|&id| asked.remount || !console.state().mounts.is_mounted(id))
        .filter_map(|id| Some((console.mountable(id)?, id)))
        .collect();
    // `mountpoint_cmp`: what is below a mountpoint follows it at once.
    wanted.sort_by_cached_key(|(path, id)| (path.replace('/', "\0"), *id));
    for (_, id) in &wanted {
        check_writable(console, *id, asked)?;
    }
    let mut failed: Vec<&str> = Vec::new();
    for (path, id) in &wanted {
        if !serial && failed.iter().any(|above| is_in(path, above)) {
            continue;
        }
        let mut others = wanted.iter();
        let beside = others.any(|(other, _)| !is_in(path, other) && !is_in(other, path));
        let mut asked = asked.clone();
        asked.beside = beside && !serial;
        if !console.mount_with(*id, &asked) {
            failed.push(path);
        }
    }
    // They share a buffer: of several messages one may be printed twice, and another not at all.
    if !serial && failed.len() > 1 {
        return Err(NotModelled(
            "what zfs mount -a says of several that cannot be mounted".to_owned(),
        ));
    }
    Ok(failed.is_empty())
}

/// Whether a path is `top` or below it (`libzfs_path_contains`).
fn is_in(path: &str, top: &str) -> bool {
    let rest = path.strip_prefix(top);
    top == "/" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// `-o rw` is stronger than the property `readonly`.
fn check_writable(console: &Console<'_>, id: DatasetId, asked: &Asked) -> Result<(), NotModelled> {
    if asked.is_for_writing() && console.is(id, Property::Readonly, "on") {
        return Err(NotModelled(
            "a mount for writing of a filesystem that is readonly".to_owned(),
        ));
    }
    Ok(())
}

/// The mounts, without those of snapshots. Nobody knows the order of those that were mounted beside each
/// other.
fn list(console: &mut Console<'_>) {
    for (marker, name, path) in mounts(console) {
        console.say(&format!("{marker}{name:<30}  {path}"));
    }
}

/// The marker of its order, the name and the path of each mount that is listed.
fn mounts(console: &Console<'_>) -> Vec<(&'static str, String, String)> {
    let mounts: Vec<_> = console.state().mounts.iter().collect();
    let runs = mounts.chunk_by(|one, other| one.beside.is_some() && one.beside == other.beside);
    let listed = runs.flat_map(|run| {
        let marker = console.order(run.len() > 1);
        let named = run
            .iter()
            .map(move |mount| (marker, console.name(mount.dataset), mount.path.clone()));
        named.filter(|(_, name, _)| !name.contains('@'))
    });
    listed.collect()
}

/// The mounts as JSON, each dataset once; nothing at all where there is none (`share_mount`).
fn list_as_json(console: &mut Console<'_>) -> Ended {
    let mut every = Object::default();
    for (marker, name, path) in mounts(console) {
        if !marker.is_empty() {
            return Err(NotModelled(
                "JSON of mounts in an order that nobody knows".to_owned(),
            ));
        }
        let mut item = Object::default();
        item.text("filesystem", name.as_str());
        item.text("mountpoint", path);
        every.object(name, item);
    }
    if !every.is_empty() {
        let mut whole = json::of_command("zfs mount");
        whole.object("datasets", every);
        console.say_json(&whole)?;
    }
    Ok(0)
}

/// `share_mount_one`.
fn mount_one(console: &mut Console<'_>, id: DatasetId, name: &str, asked: &Asked) -> bool {
    let heading = format!("cannot mount '{name}'");
    if console.is(id, Property::Mountpoint, "legacy") {
        console.refuse(&heading, &Reason::LegacyMountpoint);
        console.complain("use mount(8) to mount this filesystem");
        return false;
    }
    let reason = if console.is(id, Property::Mountpoint, "none") {
        Reason::NoMountpointSet
    } else if console.is(id, Property::Canmount, "off") {
        Reason::CannotMount
    } else if console.state().mounts.is_mounted(id) && !asked.remount {
        Reason::AlreadyMounted
    } else {
        return console.mount_with(id, asked);
    };
    console.refuse(&heading, &reason);
    false
}

pub(super) fn unmount(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "afu") else {
        return Ok(WRONG_USE);
    };
    let (all, force) = (flags.has('a'), flags.has('f'));
    match flags.operands.as_slice() {
        [] if all => Ok(u8::from(!unmount_all(console, force))),
        _ if all => Ok(console.usage("too many arguments")),
        [] => Ok(console.usage("missing filesystem argument")),
        [path] if path.starts_with('/') => unmount_path(console, path, force),
        [name] => {
            let Some(id) = console.open_filesystem(name) else {
                return Ok(1);
            };
            Ok(u8::from(!unmount_one(console, id, name, force)))
        }
        _ => Ok(console.usage("too many arguments")),
    }
}

fn unmount_one(console: &mut Console<'_>, id: DatasetId, name: &str, force: bool) -> bool {
    let heading = format!("cannot unmount '{name}'");
    if console.is(id, Property::Mountpoint, "legacy") {
        console.refuse(&heading, &Reason::LegacyMountpoint);
        console.complain("use umount(8) to unmount this filesystem");
        return false;
    }
    if !console.state().mounts.is_mounted(id) {
        console.refuse(&heading, &Reason::NotMounted);
        return false;
    }
    Changelist::of_mounted(console, id, force).prefix(console)
}

/// All that are neither legacy nor `noauto`, the last place first.
fn unmount_all(console: &mut Console<'_>, force: bool) -> bool {
    let mut wanted: Vec<_> = console
        .state()
        .mounts
        .iter()
        .map(|mount| (mount.path.clone(), mount.dataset))
        .filter(|(_, id)| !console.is(*id, Property::Mountpoint, "legacy"))
        .filter(|(_, id)| !console.is(*id, Property::Canmount, "noauto"))
        .filter(|(_, id)| console.state().filesystem(*id).is_some())
        .collect();
    // Of what is mounted over each other the first.
    wanted.sort_by(|(one, _), (other, _)| one.cmp(other));
    wanted.dedup_by(|(later, _), (first, _)| later == first);
    let mut done = true;
    for (_, id) in wanted.into_iter().rev() {
        done &= console.unmount(id, force);
    }
    done
}

/// `unshare_unmount_path`.
fn unmount_path(console: &mut Console<'_>, path: &str, force: bool) -> Ended {
    match console.stat(path, true) {
        None => {
            return Err(NotModelled(
                "zfs unmount of a path outside of all datasets".to_owned(),
            ));
        }
        Some(Err(errno)) => {
            let what = message::strerror(errno);
            console.complain(format!("cannot open '{path}': {what}"));
            console.complain(format!("warning: {path} not in/proc/self/mounts"));
            console.complain(format!("{path}: {what}"));
            return Ok(1);
        }
        Some(Ok(())) => {}
    }
    let heading = format!("cannot unmount '{path}'");
    let Some(found) = entry_of(console, path) else {
        return Ok(1);
    };
    let first = console.first_mount(found.dataset);
    let first = first.is_none_or(|first| first == found.path);
    let Some(id) = console.open_filesystem(&console.name(found.dataset)) else {
        return Ok(1);
    };
    if !found.is_same {
        console.refuse(&heading, &Reason::NotAMountpoint);
        return Ok(1);
    }
    if !first && console.release() > Release::V2_1 {
        console.complain(format!("{heading}: not an original mountpoint"));
        return Ok(1);
    }
    if console.is(id, Property::Mountpoint, "legacy") {
        let name = console.name(id);
        console.refuse(
            &format!("cannot unmount '{name}'"),
            &Reason::LegacyMountpoint,
        );
        console.complain("use umount(8) to unmount this filesystem");
        return Ok(1);
    }
    Ok(u8::from(
        !Changelist::of_mounted(console, id, force).prefix(console),
    ))
}

/// What the mount table says of a path.
struct Entry {
    dataset: DatasetId,
    path: String,
    /// Whether the path leads to where the entry does.
    is_same: bool,
}

/// `getextmntent`: the first in the mount table whose place leads today into the mount that `path` leads into;
/// until 2.1 into the same filesystem. What was mounted over plays no part.
fn entry_of(console: &mut Console<'_>, path: &str) -> Option<Entry> {
    let whole = |console: &Console<'_>, path: &str| {
        let resolved = console.state().resolve(path, true).ok()?;
        let place = console.state().mounts.locate(&resolved);
        let mount = place.mount?;
        Some((mount.id, mount.dataset, place.inside.to_owned()))
    };
    let (id, dataset, inside) = whole(console, path)?;
    let table = console.state().mounts.iter();
    let table: Vec<_> = table
        .map(|mount| (mount.dataset, mount.path.clone()))
        .collect();
    for (mounted, place) in table {
        if console.stat(&place, true) != Some(Ok(())) {
            continue;
        }
        let Some((at, of, there)) = whole(console, &place) else {
            continue;
        };
        let leads_there = match console.release() {
            Release::V2_1 => of == dataset,
            _ => at == id,
        };
        if leads_there {
            return Some(Entry {
                dataset: mounted,
                is_same: there == inside,
                path: place,
            });
        }
    }
    None
}
