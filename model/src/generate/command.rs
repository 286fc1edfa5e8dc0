//! What `zfs` makes of an operation before the kernel is asked.

use crate::dsl::op::DslOp;
use crate::dsl::properties::Key;
use crate::dsl::reason::Reason;
use crate::machine::{Machine, State};
use crate::op::Op;
use crate::outcome::Outcome;
use crate::zpl::op::{FileOp, Unmount};

/// Applies an operation as the step of a trace does it: a second after the one before, and by `zfs`, which
/// refuses some things by itself, and takes off what it destroys.
pub fn apply(machine: &mut Machine, op: &Op) -> Outcome {
    let _ = machine.apply(&Op::Wait(1));
    if let Some(reason) = refused(machine.state(), op) {
        return Outcome::Refused(reason);
    }
    if let Some(unmount) = unmount_before(machine.state(), op) {
        match machine.apply(&unmount) {
            Outcome::Done => {}
            other => return other,
        }
    }
    machine.apply(op)
}

/// What takes off the filesystem that is to be destroyed, if it is mounted (`zfs_do_destroy`, `destroy_callback`):
/// nothing that depends on it is in the way, and it is not the pool's root.
fn unmount_before(state: &State, op: &Op) -> Option<Op> {
    let Op::Dataset(DslOp::Destroy { name }) = op else {
        return None;
    };
    let id = state.find(name)?;
    let filesystem = state.filesystem(id)?;
    filesystem.parent?;
    let alone = filesystem.children.is_empty() && filesystem.snapshots.is_empty();
    let mount = state.mounts.first(id).filter(|_| alone)?;
    Some(Op::File(FileOp::Unmount {
        path: mount.path.as_str().into(),
        how: Unmount::Plain,
    }))
}

/// Why `zfs` refuses it, if it does so by itself.
fn refused(state: &State, op: &Op) -> Option<Reason> {
    let is_there = |name: &str| state.find(name).is_some();
    let Op::Dataset(op) = op else { return None };
    match op {
        // `zfs_do_destroy`: those that are missing do not matter only if there is another one.
        DslOp::DestroySnapshots { names, .. } => {
            let found = names.iter().any(|name| is_there(name));
            (!found).then_some(Reason::NoSuchDataset)
        }
        DslOp::DestroyBookmark { name } => (!is_there(name)).then_some(Reason::NoSuchBookmark),
        // `zfs_do_inherit`
        DslOp::Inherit {
            key: Key::Native(property),
            ..
        } => (!property.inherits()).then(|| Reason::NotInheritable(property.name().into())),
        _ => None,
    }
}
