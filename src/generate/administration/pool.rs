//! What is drawn of pools.

use super::World;
use crate::generate::words;

/// Properties of pools with values to set; some of them are refused.
const SETTINGS: [&str; 18] = [
    "comment=x",
    "comment=",
    "autoexpand=on",
    "autoreplace=on",
    "delegation=off",
    "failmode=continue",
    "listsnapshots=on",
    "listsnapshots=off",
    "bootfs=tank/a",
    "bootfs=",
    "cachefile=none",
    "cachefile=",
    "ashift=12",
    "readonly=on",
    "com.example:p=1",
    "nosuch=1",
    "feature@nosuch=enabled",
    "version=28",
];

/// Options of `zpool create`; some of them are refused.
const OPTIONS: [&str; 16] = [
    "-d",
    "-m none",
    "-m /mnt/p",
    "-m legacy",
    "-O canmount=off",
    "-O mountpoint=none",
    "-O atime=off",
    "-O compression=zle",
    "-O nosuch=1",
    "-o ashift=9",
    "-o ashift=13",
    "-o feature@bookmarks=disabled",
    "-o comment=x",
    "-o version=28",
    "-o failmode=panic",
    "-o feature@nosuch=enabled",
];

/// Columns of `zpool list` and `zpool get`.
const COLUMNS: [&str; 18] = [
    "name",
    "health",
    "size",
    "capacity",
    "altroot",
    "readonly",
    "checkpoint",
    "comment",
    "bootfs",
    "cachefile",
    "ashift",
    "autoexpand",
    "listsnapshots",
    "guid",
    "version",
    "fragmentation",
    "feature@bookmarks",
    "nosuch",
];

impl World<'_> {
    fn pool(&mut self) -> Option<String> {
        let pools: Vec<&String> = self.state.pools.keys().collect();
        let pool = self.draw.one(&pools).map(|&it| it.clone());
        if self.draw.chance(1, 20) {
            return Some("nosuch".to_owned());
        }
        pool
    }

    /// Commands that only look.
    pub(super) fn look_at_pools(&mut self) -> Option<Vec<String>> {
        let lines = [
            "zpool list -H -o name",
            "zpool list -H -o name,health tank",
            "zpool get -H health,readonly tank",
            "zpool list -H -o name nosuch",
            "zpool sync nosuch",
            "zpool destroy nosuch",
            "zpool status",
            "zpool status -x",
            "zpool status -v",
            "zpool status -P tank",
            "zpool status -L",
            "zpool status -j",
            "zpool status tank nosuch",
            "zpool get all tank",
            "zpool get -H -o name,property,value,source comment,bootfs,cachefile",
            "zpool get feature@bookmarks,feature@large_dnode,feature@zpool_checkpoint tank",
            "zpool history tank",
            "zpool list",
            "zpool list -v",
            "zpool list -vP tank",
            "zpool list -j",
            "zpool list -o name,altroot,readonly,checkpoint",
            "zpool import -d /v",
            "zpool upgrade",
        ];
        self.draw.one(&lines).map(|line| words(line))
    }

    pub(super) fn list_pools(&mut self) -> Option<Vec<String>> {
        let mut columns = vec![*self.draw.one(&COLUMNS)?];
        while columns.len() < 5 && self.draw.chance(2, 3) {
            columns.push(self.draw.one(&COLUMNS)?);
        }
        let columns = columns.join(",");
        let mut rest = Vec::new();
        while self.draw.chance(1, 3) {
            rest.push(self.pool()?);
        }
        if self.draw.chance(1, 2) {
            rest.insert(0, columns);
            return Some(self.command("zpool get", &["-H", "-p", "-j"], &rest));
        }
        rest.splice(..0, ["-o".to_owned(), columns]);
        Some(self.command("zpool list", &["-H", "-p", "-j"], &rest))
    }

    /// Takes a pool away, and brings it back soon.
    pub(super) fn export_or_import(&mut self) -> Option<Vec<String>> {
        if let Some(pool) = self.state.exported.last() {
            let mut rest = words("-d /v");
            rest.push(pool.name.clone());
            if self.draw.chance(1, 8) {
                rest.push("other".to_owned());
            }
            if self.draw.chance(1, 8) {
                rest.splice(..0, words("-R /mnt/alt"));
            }
            return Some(self.command("zpool import", &["-N", "-f"], &rest));
        }
        let pool = self.pool()?;
        Some(self.command("zpool export", &["-f"], &[pool]))
    }

    /// A pool of the vdevs that there are, mostly of those that no pool has.
    pub(super) fn create_pool(&mut self) -> Option<Vec<String>> {
        let state = self.state;
        let free: Vec<String> = state
            .vdevs
            .keys()
            .filter(|path| {
                state.owner_of_vdev(path).is_none() && state.exported_owner_of_vdev(path).is_none()
            })
            .map(ToString::to_string)
            .collect();
        let all: Vec<String> = state.vdevs.keys().map(ToString::to_string).collect();
        let from = if free.is_empty() || self.draw.chance(1, 8) {
            all
        } else {
            free
        };
        let mut devices = vec![self.draw.one(&from)?.clone()];
        while self.draw.chance(1, 3) {
            devices.push(self.draw.one(&from)?.clone());
        }
        let shape = *self
            .draw
            .one(&["", "", "", "mirror", "raidz", "raidz2", "log"])?;
        if !shape.is_empty() {
            let at = if shape == "log" { devices.len() - 1 } else { 0 };
            devices.insert(at, shape.to_owned());
        }
        let name = *self.draw.one(&["tank", "tank", "dozer", "c0d0", "t nk"])?;
        let mut rest = Vec::new();
        while self.draw.chance(1, 2) {
            rest.extend(words(self.draw.one(&OPTIONS)?));
        }
        rest.push(name.to_owned());
        rest.extend(devices);
        Some(self.command("zpool create", &["-f", "-n"], &rest))
    }

    /// Seldom: with the pool goes what the sequence has made.
    pub(super) fn destroy_pool(&mut self) -> Option<Vec<String>> {
        if self.draw.chance(2, 3) {
            return None;
        }
        let pool = self.pool()?;
        Some(self.command("zpool destroy", &["-f"], &[pool]))
    }

    pub(super) fn checkpoint(&mut self) -> Option<Vec<String>> {
        let pool = self.pool()?;
        Some(self.command("zpool checkpoint", &["-d"], &[pool]))
    }

    pub(super) fn set_of_pool(&mut self) -> Option<Vec<String>> {
        let setting = (*self.draw.one(&SETTINGS)?).to_owned();
        let pool = self.pool()?;
        Some(self.command("zpool set", &[], &[setting, pool]))
    }
}
