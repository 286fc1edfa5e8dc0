//! `zfs mount` and `zfs unmount` (`share_mount`, `unshare_unmount`).

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::properties::Property;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::zpl::op::{At, FileOp};

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Changelist;

pub(super) fn mount(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "ajRlvo:Of");
    let (mut all, mut overlay, mut read_only) = (false, false, false);
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('O') => overlay = true,
            Given::Flag('l' | 'v') => {}
            Given::Value(_, options) if options == "ro" => read_only = true,
            Given::Value(_, options) => {
                return Err(NotModelled(format!("the mount options '{options}'")));
            }
            Given::Flag(letter) => {
                return Err(NotModelled(format!("zfs mount -{letter}")));
            }
            Given::NoValue(_) => return Ok(console.usage("missing property argument")),
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    match args.operands.as_slice() {
        [] if all => {
            let wanted: Vec<_> = every(console)
                .into_iter()
                .filter(|&id| console.is(id, Property::Canmount, "on"))
                .filter(|&id| !console.state().mounts.is_mounted(id))
                .filter_map(|id| Some((console.mountable(id)?, id)))
                .collect();
            let mut wanted = wanted;
            wanted.sort();
            let mut failed = false;
            for (_, id) in wanted {
                failed |= !console.mount_with(id, overlay, read_only);
            }
            Ok(u8::from(failed))
        }
        _ if all => Ok(console.usage("too many arguments")),
        [] => {
            let mounts = &console.state().mounts;
            let lines: Vec<_> = mounts
                .iter()
                .map(|mount| {
                    let order = console.order(mounts.is_shuffled(mount));
                    let name = console.name(mount.dataset);
                    format!("{order}{name:<30}  {}", mount.path)
                })
                .collect();
            for line in lines {
                console.say(&line);
            }
            Ok(0)
        }
        [name] => {
            let Some(id) = console.open(name, Expected::Filesystem) else {
                return Ok(1);
            };
            let mounted = mount_one(console, id, name, overlay, read_only);
            Ok(u8::from(!mounted))
        }
        _ => Ok(console.usage("too many arguments")),
    }
}

/// All filesystems of all pools.
fn every(console: &Console<'_>) -> Vec<DatasetId> {
    let roots: Vec<_> = console
        .state()
        .pools
        .values()
        .map(|pool| pool.root)
        .collect();
    roots
        .into_iter()
        .flat_map(|root| console.state().subtree(root))
        .collect()
}

/// `share_mount_one`.
fn mount_one(
    console: &mut Console<'_>,
    id: DatasetId,
    name: &str,
    overlay: bool,
    read_only: bool,
) -> bool {
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
    } else if console.state().mounts.is_mounted(id) {
        Reason::AlreadyMounted
    } else {
        return console.mount_with(id, overlay, read_only);
    };
    console.refuse(&heading, &reason);
    false
}

pub(super) fn unmount(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "afu");
    let (mut all, mut force) = (false, false);
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('f') => force = true,
            Given::Flag(_) => {}
            Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    match args.operands.as_slice() {
        [] if all => Ok(u8::from(!unmount_all(console, force))),
        _ if all => Ok(console.usage("too many arguments")),
        [] => Ok(console.usage("missing filesystem argument")),
        [path] if path.starts_with('/') => unmount_path(console, path, force),
        [name] => {
            let Some(id) = console.open(name, Expected::Filesystem) else {
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
    Changelist::of_unmount(console, id, force).prefix(console)
}

/// Those that ZFS mounts by itself, the deepest first.
fn unmount_all(console: &mut Console<'_>, force: bool) -> bool {
    let mut wanted: Vec<_> = console
        .state()
        .mounts
        .iter()
        .filter(|mount| console.state().mountpoint(mount.dataset).is_some())
        .filter(|mount| !console.is(mount.dataset, Property::Canmount, "noauto"))
        .map(|mount| (mount.path.clone(), mount.dataset))
        .collect();
    wanted.sort();
    wanted.dedup_by_key(|(_, id)| *id);
    let mut done = true;
    for (_, id) in wanted.into_iter().rev() {
        done &= console.unmount(id, force);
    }
    done
}

/// `unshare_unmount_path`.
fn unmount_path(console: &mut Console<'_>, path: &str, force: bool) -> Ended {
    let clean = path.trim_end_matches('/');
    let Some(id) = console.state().mounts.at(clean).map(|mount| mount.dataset) else {
        return not_mounted(console, path);
    };
    let name = console.name(id);
    if console.is(id, Property::Mountpoint, "legacy") {
        console.refuse(
            &format!("cannot unmount '{name}'"),
            &Reason::LegacyMountpoint,
        );
        console.complain("use umount(8) to unmount this filesystem");
        return Ok(1);
    }
    Ok(u8::from(
        !Changelist::of_unmount(console, id, force).prefix(console),
    ))
}

/// What it says of a path where no dataset is mounted; only a path in a dataset is known.
fn not_mounted(console: &mut Console<'_>, path: &str) -> Ended {
    let place = console.state().mounts.locate(path);
    let Some(dataset) = place.mount.map(|mount| mount.dataset) else {
        return Err(NotModelled(
            "zfs unmount of a path outside of all datasets".to_owned(),
        ));
    };
    let at = At {
        dataset: console.name(dataset).into(),
        path: place.inside.into(),
    };
    if console.call(FileOp::Stat { at }).is_err() {
        return Err(NotModelled(
            "zfs unmount of a path that does not exist".to_owned(),
        ));
    }
    console.refuse(&format!("cannot unmount '{path}'"), &Reason::NotAMountpoint);
    Ok(1)
}
