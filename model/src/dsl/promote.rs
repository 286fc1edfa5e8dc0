//! Promoting a clone (`dsl_dataset_promote_check`, `dsl_dataset_promote_sync`).

use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// The snapshots up to the origin move to the clone, and the filesystem they came from becomes a
    /// clone of the origin. Other clones keep their origins, which now have another name.
    pub(crate) fn promote(&mut self, name: &str) -> Result {
        names::check(name, Expected::Filesystem)?;
        let clone = self.find(name).ok_or(Reason::NoSuchDataset)?;
        let origin = self.origin_of(clone).ok_or(Reason::NotAClone)?;
        let home = self.snapshot(origin).map(|it| it.filesystem);
        let (Some(home), Some(target)) = (home, self.filesystem(clone)) else {
            return Err(Reason::NotAClone);
        };
        let Some(source) = self.filesystem(home) else {
            return Err(Reason::NotAClone);
        };
        let through = source
            .snapshots
            .iter()
            .position(|&id| id == origin)
            .map_or(0, |at| at + 1);
        let through = if self.faulty(Fault::PromoteMovesOneTooMany) {
            (through + 1).min(source.snapshots.len())
        } else {
            through
        };
        let component = |id| self.dataset(id).map(|it| it.component.clone());
        let taken: Vec<_> = target
            .snapshots
            .iter()
            .copied()
            .filter_map(component)
            .collect();
        let clash = source.snapshots[..through]
            .iter()
            .copied()
            .filter_map(component)
            .find(|component| taken.contains(component));
        if let Some(component) = clash {
            let origin = self.name_of(origin).unwrap_or_default();
            return Err(Reason::ConflictingSnapshot(component, origin.into()));
        }
        let above = source.origin;

        let now = self.now;
        let Some(source) = self.filesystem_mut(home) else {
            return Err(Reason::NotAClone);
        };
        let mut moved: Vec<_> = source.snapshots.drain(..through).collect();
        source.origin = Some(origin);
        source.snapshots_changed = Some(now);
        for &id in &moved {
            if let Some(snapshot) = self.snapshot_mut(id) {
                snapshot.filesystem = clone;
            }
        }
        let leaves = self.faulty(Fault::PromoteLeavesOrigin);
        if let Some(target) = self.filesystem_mut(clone) {
            moved.append(&mut target.snapshots);
            target.snapshots = moved;
            if !leaves {
                target.origin = above;
            }
        }
        if let Some(snapshot) = self.snapshot_mut(origin) {
            snapshot.clones.insert(home);
            if !leaves {
                snapshot.clones.remove(&clone);
            }
        }
        if let Some(snapshot) = above.and_then(|above| self.snapshot_mut(above)) {
            snapshot.clones.remove(&home);
            snapshot.clones.insert(clone);
        }
        if let Some(pool) = self.pool_of_mut(clone) {
            pool.close_txg();
        }
        Ok(())
    }
}
