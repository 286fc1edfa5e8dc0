//! Renaming (`dsl_dir_rename_check`, `dsl_dataset_rename_snapshot_check`).

use std::sync::Arc;

use crate::dsl::dataset::{Dataset, DatasetId};
use crate::dsl::names::{self, Expected};
use crate::dsl::op::Result;
use crate::dsl::properties::{Key, Source};
use crate::dsl::property::Property;
use crate::dsl::reason::Reason;
use crate::dsl::room::Fits;
use crate::fault::Fault;
use crate::machine::State;

impl State {
    /// A filesystem takes what is below it along; what it inherits then comes from its new place.
    pub(crate) fn rename(&mut self, from: &str, to: &str) -> Result {
        names::check(from, Expected::Filesystem)?;
        names::check_new(to, Expected::Filesystem)?;
        let id = self.find(from).ok_or(Reason::NoSuchDataset)?;
        let Some(old_parent) = self.filesystem(id).and_then(|it| it.parent) else {
            return Err(Reason::WrongType);
        };
        let Some(above) = names::parent(to) else {
            return Err(Reason::NoDatasetName);
        };
        if !self.pools.contains_key(names::pool(to)) {
            return Err(Reason::NoSuchPool(names::pool(to).into()));
        }
        let parent = self.find(above).ok_or(Reason::NoParent)?;
        if self.dataset(parent).and_then(Dataset::volume).is_some()
            && !self.faulty(Fault::VolumesHaveChildren)
        {
            return Err(Reason::ParentNotFilesystem);
        }
        if names::pool(from) != names::pool(to) {
            return Err(Reason::OtherPool);
        }
        if self.subtree(id).contains(&parent) {
            return Err(Reason::BelowItself);
        }
        if self.find(to).is_some() {
            return Err(Reason::AlreadyExists);
        }
        self.check_names_below(id, from, to)?;
        if self.fits_below(id, parent) == Fits::No {
            return Err(Reason::OutOfSpace);
        }

        self.write_open(id);
        let sticky = self
            .faulty(Fault::InheritedSticksAfterRename)
            .then(|| self.inherited(id));
        if self.pool_of(id).is_some_and(|pool| pool.counts) {
            self.count_below(id);
        }
        let component: Arc<str> = names::component(to).into();
        if let Some(parent) = self.filesystem_mut(old_parent) {
            parent.children.remove(names::component(from));
        }
        if let Some(parent) = self.filesystem_mut(parent) {
            parent.children.insert(component.clone(), id);
        }
        if let Some(filesystem) = self.filesystem_mut(id) {
            filesystem.parent = Some(parent);
        }
        if let Some(dataset) = self.dataset_mut(id) {
            dataset.component = component;
            dataset.settings.extend(sticky.into_iter().flatten());
        }
        if self.faulty(Fault::RenameForgetsChildren) {
            self.leave_children(id, old_parent);
        }
        if let Some(pool) = self.pool_of_mut(id) {
            pool.space.rename(id, parent);
            pool.close_txg();
        }
        // All below it are told what their properties are (`dsl_prop_notify_all`).
        if !self.faulty(Fault::RenameKeepsReadOnly) {
            for id in self.subtree(id) {
                self.mounts.follow_property(id);
                self.open_files.follow_property(id);
            }
        }
        Ok(())
    }

    /// `dsl_valid_rename`: no name below may become too long, and none deeper than it was may be too deep.
    fn check_names_below(&self, id: DatasetId, from: &str, to: &str) -> Result {
        let deeper = names::nesting(to) > names::nesting(from);
        for below in self.subtree(id) {
            let name = self.name_of(below).unwrap_or_default();
            let renamed = format!("{to}{}", name.get(from.len()..).unwrap_or_default());
            let longest = self
                .filesystem(below)
                .into_iter()
                .flat_map(|it| it.snapshots.iter())
                .filter_map(|snapshot| self.dataset(snapshot))
                .map(|snapshot| snapshot.component.len() + 1)
                .max()
                .unwrap_or(0);
            let too_deep = deeper && names::is_too_deep(&renamed);
            if too_deep || renamed.len() + longest > names::MAX_NAME {
                return Err(Reason::TooLongOrDeep);
            }
        }
        Ok(())
    }

    /// What a dataset inherits, as settings of its own (a planted fault).
    fn inherited(&self, id: DatasetId) -> Vec<(Key, crate::dsl::property::Value)> {
        Property::all(self.release)
            .filter_map(|property| match self.property(id, property) {
                (value, Source::Inherited(_)) => Some((Key::Native(property), value)),
                _ => None,
            })
            .collect()
    }

    /// Leaves the children of a renamed filesystem where it was (a planted fault).
    fn leave_children(&mut self, id: DatasetId, old_parent: DatasetId) {
        let Some(filesystem) = self.filesystem_mut(id) else {
            return;
        };
        for (component, child) in &std::mem::take(&mut filesystem.children) {
            if let Some(child) = self.filesystem_mut(*child) {
                child.parent = Some(old_parent);
            }
            if let Some(parent) = self.filesystem_mut(old_parent) {
                parent.children.insert(component.clone(), *child);
            }
        }
    }

    /// Renames a snapshot, or those of that name in a whole subtree, all or none.
    pub(crate) fn rename_snapshots(
        &mut self,
        filesystem: &str,
        from: &str,
        to: &str,
        recursive: bool,
    ) -> Result {
        names::check(filesystem, Expected::Filesystem)?;
        let top = self.find(filesystem).ok_or(Reason::NoSuchDataset)?;
        let filesystems = if recursive {
            self.subtree(top)
        } else {
            vec![top]
        };
        // `recursive_unmount`
        for id in &filesystems {
            let named = self.filesystem(*id).and_then(|it| it.snapshots.get(from));
            if let Some(snapshot) = named {
                self.unmount_automatic(snapshot);
            }
        }
        let mut renamed = Vec::new();
        for id in filesystems {
            let name = self.name_of(id).unwrap_or_default();
            names::check_new(&format!("{name}@{to}"), Expected::Snapshot)?;
            let Some(snapshot) = self.find(&format!("{name}@{from}")) else {
                continue;
            };
            if self.find(&format!("{name}@{to}")).is_some() {
                return Err(if recursive {
                    Reason::ChildHasSnapshot
                } else {
                    Reason::AlreadyExists
                });
            }
            renamed.push(snapshot);
        }
        if renamed.is_empty() {
            return Err(Reason::NoSuchDataset);
        }
        for id in renamed {
            let (now, home) = (self.now, self.filesystem_of(id));
            let Some(dataset) = self.dataset_mut(id) else {
                continue;
            };
            dataset.component = to.into();
            let txg = dataset.creation_txg;
            if let Some(home) = home.and_then(|home| self.filesystem_mut(home)) {
                home.snapshots.remove(txg, from);
                home.snapshots.insert(txg, to.into(), id);
                home.snapshots_changed = Some(now);
            }
        }
        if let Some(pool) = self.pool_of_mut(top) {
            pool.close_txg();
        }
        Ok(())
    }
}
