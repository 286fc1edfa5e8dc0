//! `zfs inherit` (`zfs_do_inherit`, `zfs_prop_inherit`).

use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{Class, Key, Property};
use ztwin_model::dsl::reason::Reason;

use super::iterate;
use crate::programs::console::{Console, Ended, WRONG_USE};
use crate::programs::mounting::Changelist;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "rS") else {
        return Ok(WRONG_USE);
    };
    let (recursive, received) = (flags.has('r'), flags.has('S'));
    let Some((name, datasets)) = flags.operands.split_first() else {
        return Ok(console.usage("missing property argument"));
    };
    if datasets.is_empty() {
        return Ok(console.usage("missing dataset argument"));
    }
    let Some(key) = Key::by_name(name, console.release()) else {
        console.note(&Reason::UnknownProperty(name.as_str().into()));
        return Ok(console.usage(&format!("invalid property '{name}'")));
    };
    if let Some(code) = check(console, &key, name, received) {
        return Ok(code);
    }
    let (mut found, missing) = iterate::operands(console, datasets);
    let mut code = u8::from(missing);
    if recursive {
        found = found
            .into_iter()
            .flat_map(|id| with_snapshots(console, id))
            .collect();
        iterate::sort_by_name(console, &mut found);
        found.dedup();
        found.retain(|&id| applies(console, id, &key));
    }
    for id in found {
        if !inherit(console, id, &key, name) {
            code = 1;
        }
    }
    Ok(code)
}

/// What cannot be inherited at all; its exit code.
fn check(console: &mut Console<'_>, key: &Key, name: &str, received: bool) -> Option<u8> {
    let named: Arc<str> = name.into();
    if matches!(key.class(), Class::Status | Class::Once) {
        console.note(&Reason::ReadonlyProperty(named));
        console.complain(format!("{name} property is read-only"));
        return Some(1);
    }
    if key.class() != Class::Inherited && !received {
        console.note(&Reason::NotInheritable(named));
        console.complain(format!("'{name}' property cannot be inherited"));
        let of_space = [
            Property::Quota,
            Property::Refquota,
            Property::Reservation,
            Property::Refreservation,
        ];
        if of_space.map(Key::Native).contains(key) {
            console.complain(format!("use 'zfs set {name}=none' to clear"));
            console.complain(format!(
                "use 'zfs inherit -S {name}' to revert to received value"
            ));
        }
        return Some(1);
    }
    if received
        && [Property::Volsize, Property::Version]
            .map(Key::Native)
            .contains(key)
    {
        console.note(&Reason::NotInheritable(named));
        console.complain(format!(
            "'{name}' property cannot be reverted to a received value"
        ));
        return Some(1);
    }
    None
}

/// The filesystem and all below it, each followed by its snapshots.
fn with_snapshots(console: &Console<'_>, id: DatasetId) -> Vec<DatasetId> {
    let filesystems = console.state().subtree(id);
    filesystems
        .into_iter()
        .flat_map(|id| std::iter::once(id).chain(console.snapshots(id)))
        .collect()
}

fn applies(console: &Console<'_>, id: DatasetId, key: &Key) -> bool {
    let kind = console.state().dataset(id).map_or(0, Dataset::kinds);
    key.is_for(kind, console.release())
}

fn inherit(console: &mut Console<'_>, id: DatasetId, key: &Key, property: &str) -> bool {
    let name = console.name(id);
    let heading = format!("cannot inherit {property} for '{name}'");
    if !applies(console, id, key) {
        console.refuse(&heading, &Reason::NotForThisType);
        return false;
    }
    // `zfs_ioc_inherit_prop`
    let fixed = [Property::Mlslabel, Property::Keylocation].map(Key::Native);
    if fixed.contains(key) {
        console.refuse(&heading, &Reason::NotPermitted);
        return false;
    }
    let name_is_snapshot = name.contains('@');
    let mut changes = match key {
        Key::Native(property @ (Property::Mountpoint | Property::Canmount | Property::Zoned)) => {
            Changelist::of_mountpoint(console, id, *property)
        }
        _ => Changelist::none(),
    };
    if !changes.prefix(console) {
        return false;
    }
    let inherited = console.dataset(DslOp::Inherit {
        name: name.into(),
        key: key.clone(),
    });
    if let Err(reason) = &inherited {
        // What was taken off stays off.
        console.refuse(&heading, reason);
        return false;
    }
    // Since 2.2 it is no failure that something cannot be mounted again.
    let mounted = changes.postfix(console) || console.release() > Release::V2_1;
    mounted && (name_is_snapshot || console.remount(id, std::slice::from_ref(key)))
}
