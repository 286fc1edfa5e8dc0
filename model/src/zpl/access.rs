//! When something was read: the access time is an attribute, too, and to change it is to write.
//!
//! It changes at each read, or, with `relatime`, at the first one after a change. That it changes after a day, too, is
//! not modelled: no trace is that long. The clock of the kernel ticks every few milliseconds, and a change and a read
//! between two ticks are at the same time for it; in the model each step is at a time of its own, and on a real pool
//! each step waits for the next tick.

use crate::dmu::ObjectId;
use crate::dsl::assign::Change;
use crate::dsl::dataset::DatasetId;
use crate::dsl::properties::Source;
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::zpl::files::{objset_mut, znode};
use crate::zpl::mount::{MountId, MountOptions};
use crate::zpl::op::Failure;
use crate::zpl::znode::Body;

impl State {
    /// An object was read through a mount, or in a snapshot without one (`touch_atime`, `zpl_file_accessed`).
    pub(super) fn was_read(&mut self, id: DatasetId, through: Option<MountId>, object: ObjectId) {
        if !self.changes_access_time(id, through, object) {
            return;
        }
        // Without space for it, it is changed in memory only (`zfs_dirty_inode`).
        match self.assign(id, Change::tables(0)) {
            Err(Failure::Errno(_)) => return,
            Err(Failure::NotModelled(_)) => self.doubt(id),
            Ok(()) => {}
        }
        let now = self.now;
        if let Ok(objset) = objset_mut(self, id) {
            objset.access(object, now);
        }
    }

    /// `atime_needs_update`, `relatime_need_update`
    fn changes_access_time(
        &self,
        id: DatasetId,
        through: Option<MountId>,
        object: ObjectId,
    ) -> bool {
        let Ok(znode) = znode(self, id, object) else {
            return false;
        };
        if self.filesystem(id).is_none() {
            return false;
        }
        let options = match through.map(|it| self.mounts.get(it)) {
            Some(Some(mount)) => mount.options,
            // A mount that was lazily unmounted is still there for open files.
            Some(None) => MountOptions::of(self, id),
            None => MountOptions::unseen(self, id),
        };
        let never = options.noatime || options.read_only;
        let was_read = znode.was_read && !self.faulty(Fault::RelatimeIsStrict);
        if never || options.relatime && was_read {
            return false;
        }
        let is_on = |property| self.property(id, property).0 == Value::Word("on");
        // ZFS asks the property of files, Linux the mount of all.
        let is_file = matches!(znode.body, Body::File(_));
        let seldom = || is_file && was_read && is_on(Property::Relatime);
        let is_from_above = matches!(self.property(id, Property::Atime).1, Source::Inherited(_));
        let is_ignored = is_from_above && self.faulty(Fault::AtimeOfParentIsIgnored);
        !self.is_readonly(id) && (is_on(Property::Atime) || is_ignored) && !seldom()
    }
}
