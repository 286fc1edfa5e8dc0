//! What JSON tells of every pool and vdev (`fill_pool_info`, `fill_vdev_info`).

use ztwin_model::spa::Pool;

use super::{VdevLine, named_vdevs};
use crate::compare::GUID;
use crate::programs::console::{Console, NotModelled};
use crate::programs::json::{Flags, Object};

/// The version of pools that have features.
const SPA_VERSION: &str = "5000";

/// The version of filesystems.
const ZPL_VERSION: &str = "5";

impl Flags {
    /// The name of a pool's member.
    pub fn key(self, console: &Console<'_>, pool: &Pool) -> String {
        if self.by_guid {
            console.guid_of_pool(pool)
        } else {
            pool.name.clone()
        }
    }
}

impl Console<'_> {
    /// What is told of a pool.
    pub(super) fn info(&self, pool: &Pool, with_type: bool, as_number: bool) -> Object {
        let mut item = Object::default();
        item.text("name", pool.name.as_str());
        if with_type {
            item.text("type", "POOL");
        }
        item.text("state", "ONLINE");
        item.number("pool_guid", self.guid_of_pool(pool), as_number);
        if !pool.is_read_only() {
            item.number("txg", self.txg(pool.open_txg), as_number);
        }
        item.number("spa_version", SPA_VERSION, as_number);
        item.number("zpl_version", ZPL_VERSION, as_number);
        item
    }

    /// The number of a vdev.
    pub(super) fn vdev_guid(&self) -> String {
        self.unknown("the number of a vdev", GUID.marker)
    }

    /// What is told of a vdev; its members grow.
    pub(super) fn vdev_info(&self, vdev: &VdevLine, as_number: bool) -> Object {
        let mut item = Object::default();
        item.text("name", vdev.name.as_str());
        item.text("vdev_type", vdev.kind);
        item.number("guid", self.vdev_guid(), as_number);
        if let Some(path) = &vdev.path {
            item.text("path", path.as_str());
        }
        item.text("class", "normal");
        item.text("state", "ONLINE");
        item
    }

    /// A pool's vdevs, those of a group in it; `more` adds what a command tells of one.
    pub(super) fn vdevs_as_json(
        &self,
        pool: &Pool,
        by_guid: bool,
        as_number: bool,
        more: &dyn Fn(&VdevLine, &mut Object) -> Result<(), NotModelled>,
    ) -> Result<Object, NotModelled> {
        let mut all = Object::default();
        let mut group: Option<(String, Object, Object)> = None;
        for line in named_vdevs(self, pool, by_guid) {
            let mut item = self.vdev_info(&line, as_number);
            more(&line, &mut item)?;
            if let Some((_, _, inner)) = group.as_mut().filter(|_| line.depth > 1) {
                inner.object(line.name.as_str(), item);
                continue;
            }
            close(&mut all, group.take());
            if line.is_device() {
                all.object(line.name.as_str(), item);
            } else {
                group = Some((line.name.clone(), item, Object::default()));
            }
        }
        close(&mut all, group);
        Ok(all)
    }
}

/// The vdevs one beside the other, each behind what lies in it, and with it all the same.
pub(super) fn flat(vdevs: &Object) -> Object {
    let mut all = Object::default();
    for (name, vdev) in vdevs.objects() {
        let inner = vdev.objects().find(|(name, _)| *name == "vdevs");
        for (name, device) in inner.into_iter().flat_map(|(_, inner)| inner.objects()) {
            all.object(name, device.clone());
        }
        all.object(name, vdev.clone());
    }
    all
}

/// Puts a group with what lies in it beside the others.
fn close(all: &mut Object, group: Option<(String, Object, Object)>) {
    if let Some((name, mut item, inner)) = group {
        item.object("vdevs", inner);
        all.object(name, item);
    }
}
