//! `zfs set` (`zfs_do_set`, `zfs_prop_set_list`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;
use ztwin_model::dsl::value::Target;
use ztwin_model::fault::Fault;

use super::{iterate, volume};

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Changelist;
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let mut stay_mounted = false;
    let operands = if console.release() == Release::V2_1 {
        if let Some(letter) = args::leading_option(words) {
            return Ok(console.usage(&format!("invalid option '{letter}'")));
        }
        words.to_vec()
    } else {
        let args = args::parse(words, "u");
        for given in args.given {
            match given {
                Given::Flag(_) => stay_mounted = true,
                Given::Value(letter, _) | Given::NoValue(letter) | Given::Unknown(letter) => {
                    return Ok(console.usage(&format!("invalid option '{letter}'")));
                }
            }
        }
        args.operands
    };
    match operands.as_slice() {
        [] => return Ok(console.usage("missing arguments")),
        [one] if one.contains('=') => return Ok(console.usage("missing dataset name(s)")),
        [_] => return Ok(console.usage("missing property=value argument(s)")),
        _ => {}
    }
    let first = operands.iter().position(|operand| !operand.contains('='));
    let Some(first) = first else {
        return Ok(console.usage("missing dataset name(s)"));
    };
    let (properties, datasets) = operands.split_at(first);
    // Since 2.2 that is not seen where no property stands before.
    let ordered = first == 0 && console.release() > Release::V2_1;
    if !ordered && datasets.iter().any(|operand| operand.contains('=')) {
        return Ok(console.usage("invalid argument order"));
    }
    let mut given = settings::Given::default();
    for property in properties {
        if !given.add(console, property) {
            return Ok(255);
        }
    }
    let failed = failure(console);
    let (found, missing) = iterate::operands(console, datasets);
    let mut code = u8::from(missing);
    for id in found {
        let name = console.name(id);
        let done = set(console, id, &name, &given, stay_mounted)?;
        if !done {
            code |= failed;
        }
        // Since 2.2 the last error counts, be it of a dataset before (`set_callback`).
        if (!done || console.release() > Release::V2_1) && console.could_not_mount() {
            console.complain("property may be set but unable to remount filesystem");
        }
    }
    Ok(code)
}

/// The exit code of a `zfs set` that the kernel or the check of the values refuses (`set_callback`).
fn failure(console: &Console<'_>) -> u8 {
    if console.release() == Release::V2_1 {
        1
    } else {
        255
    }
}

/// Sets them on one dataset: all are checked first, then each is set as far as it goes.
fn set(
    console: &mut Console<'_>,
    id: DatasetId,
    name: &str,
    given: &settings::Given,
    stay_mounted: bool,
) -> Result<bool, NotModelled> {
    let heading = format!("cannot set property for '{name}'");
    let snapshot = name.contains('@');
    let on = if snapshot {
        Target::Snapshot
    } else {
        settings::target_of_head(console, id)
    };
    let mut settings = match given.check(on, name, console)? {
        Ok(settings) => settings,
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(false);
        }
    };
    // Setting the version that it has does nothing but get into the history, where anything can be set.
    let pool = console.state().pool_of(id);
    if pool.is_some_and(|pool| !pool.is_read_only()) {
        let before = settings.len();
        settings.retain(|(key, _)| *key != Key::Native(Property::Version));
        if settings.len() < before {
            console.logged = console.root_of(names::pool(name));
        }
    }
    let size_before = volume::add_reservation(console, id, &mut settings);
    volume::fix_automatic(console, id, &mut settings);
    for (key, value) in &settings {
        if console.state().fits(id, key, value) == Fits::Unknown {
            return Err(NotModelled(format!(
                "whether '{name}' has the space for what is set"
            )));
        }
    }
    let mut changes = Vec::new();
    for (key, value) in &settings {
        let mut change = match key {
            Key::Native(property @ (Property::Mountpoint | Property::Zoned)) if !stay_mounted => {
                Changelist::of_mountpoint(console, id, *property)
            }
            Key::Native(Property::Canmount)
                if !stay_mounted
                    && *value == Value::Word("off")
                    && (console.state().mounts.is_mounted(id)
                        || console.state().faulty(Fault::CanmountOffReachesChildren)) =>
            {
                Changelist::of_mountpoint(console, id, Property::Canmount)
            }
            _ => Changelist::none(),
        };
        if !change.prefix(console) {
            return Ok(false);
        }
        changes.push(change);
    }
    let keys: Vec<Key> = settings.iter().map(|(key, _)| key.clone()).collect();
    let last = set_each(console, id, name, settings);
    if let (Some(Reason::OutOfSpace), Some(size)) = (&last, size_before) {
        // Back to a size that there is room for. What becomes of that is not told.
        let _ = console.dataset(DslOp::Set {
            name: name.into(),
            settings: vec![(Key::Native(Property::Volsize), Value::Number(size))],
        });
    }
    if last.is_some() {
        // What was taken off stays off.
        return Ok(false);
    }
    let mut done = true;
    for mut change in changes {
        // Since 2.2 it is no failure that something cannot be mounted again.
        done &= change.postfix(console) || console.release() > Release::V2_1;
    }
    Ok(done && (snapshot || console.remount(id, &keys)))
}

/// Sets each by itself. What the kernel does something for comes before what is only kept, and what does not
/// fit a second time, when others may have made room (`zfs_set_prop_nvlist`). Of those that are refused each
/// is told with the last reason, which is returned: what has to do with space as what it means for it.
fn set_each(
    console: &mut Console<'_>,
    id: DatasetId,
    name: &str,
    settings: Vec<(Key, Value)>,
) -> Option<Reason> {
    let (mut refused, mut again, mut kept) = (Vec::new(), Vec::new(), Vec::new());
    let set = |console: &mut Console<'_>, (key, value): &(Key, Value)| {
        console.dataset(DslOp::Set {
            name: name.into(),
            settings: vec![(key.clone(), value.clone())],
        })
    };
    for setting in settings {
        let (key, value) = &setting;
        // `zfs_check_settable`
        if !is_special(key) && console.state().lacks_feature(id, key, value) {
            refused.push((setting.0, Reason::NeedsFeature));
        } else if !is_special(key) {
            kept.push(setting);
        } else if set(console, &setting).is_err() {
            again.push(setting);
        }
    }
    for setting in again.into_iter().chain(kept) {
        if let Err(reason) = set(console, &setting) {
            refused.push((setting.0, reason));
        }
    }
    let last = match refused.last()?.1.clone() {
        Reason::BelowUsed | Reason::AboveAvailable => Reason::OutOfSpace,
        reason => reason,
    };
    let heading = format!("cannot set property for '{name}'");
    for (key, _) in &refused {
        tell(console, &heading, key, &last);
    }
    Some(last)
}

/// `zfs_setprop_error`
fn tell(console: &mut Console<'_>, heading: &str, key: &Key, reason: &Reason) {
    let reason = match (reason, key) {
        (Reason::NeedsFeature, _) => {
            console.note(reason);
            console.complain(format!(
                "{heading}: pool and or dataset must be upgraded to set this property or value"
            ));
            return;
        }
        (Reason::OutOfSpace, Key::Native(Property::Quota | Property::Refquota)) => {
            &Reason::BelowUsed
        }
        (Reason::OutOfSpace, Key::Native(Property::Reservation | Property::Refreservation)) => {
            &Reason::AboveAvailable
        }
        (reason, _) => reason,
    };
    console.refuse(heading, reason);
}

/// Whether the kernel does more than keep it (`zfs_prop_set_special`).
fn is_special(key: &Key) -> bool {
    let special = [
        Property::FilesystemLimit,
        Property::Quota,
        Property::Refquota,
        Property::Refreservation,
        Property::Reservation,
        Property::Snapdev,
        Property::SnapshotLimit,
        Property::Volmode,
        Property::Volsize,
    ];
    special.map(Key::Native).contains(key)
}
