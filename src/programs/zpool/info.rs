//! What JSON tells of every pool and vdev (`fill_pool_info`, `fill_vdev_info`).

use ztwin_model::spa::Pool;

use super::{VdevLine, vdev_lines};
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
            console.guid(pool.root)
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
        item.number("pool_guid", self.guid(pool.root), as_number);
        item.number("txg", self.txg(pool.open_txg), as_number);
        item.number("spa_version", SPA_VERSION, as_number);
        item.number("zpl_version", ZPL_VERSION, as_number);
        item
    }

    /// What is told of a vdev; its members grow.
    pub(super) fn vdev_info(&self, vdev: &VdevLine, as_number: bool) -> Object {
        let mut item = Object::default();
        item.text("name", vdev.name.as_str());
        item.text("vdev_type", vdev.kind);
        let guid = self.unknown("the number of a vdev", GUID.marker);
        item.number("guid", guid, as_number);
        if vdev.leaf {
            item.text("path", vdev.name.as_str());
        }
        item.text("class", "normal");
        item.text("state", "ONLINE");
        item
    }

    /// A pool's vdevs, those of a group in it; `more` adds what a command tells of one.
    pub(super) fn vdevs_as_json(
        &self,
        pool: &Pool,
        as_number: bool,
        more: &dyn Fn(&VdevLine, &mut Object) -> Result<(), NotModelled>,
    ) -> Result<Object, NotModelled> {
        let mut all = Object::default();
        let mut group: Option<(String, Object, Object)> = None;
        for line in vdev_lines(pool) {
            let mut item = self.vdev_info(&line, as_number);
            more(&line, &mut item)?;
            if let Some((_, _, inner)) = group.as_mut().filter(|_| line.depth > 1) {
                inner.object(line.name.as_str(), item);
                continue;
            }
            close(&mut all, group.take());
            if line.leaf {
                all.object(line.name.as_str(), item);
            } else {
                group = Some((line.name.clone(), item, Object::default()));
            }
        }
        close(&mut all, group);
        Ok(all)
    }
}

/// Puts a group with what lies in it beside the others.
fn close(all: &mut Object, group: Option<(String, Object, Object)>) {
    if let Some((name, mut item, inner)) = group {
        item.object("vdevs", inner);
        all.object(name, item);
    }
}
