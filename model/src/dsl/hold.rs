//! User holds (`dsl_dataset_user_hold`, `dsl_dataset_user_release`).

use std::sync::Arc;

use crate::dsl::op::Result;
use crate::dsl::reason::Reason;
use crate::machine::State;

/// The longest tag, in bytes.
const MAX_TAG: usize = 255;

impl State {
    /// Missing snapshots do not matter, unless all are; the first that is in the way is told.
    pub(crate) fn hold(&mut self, names: &[Arc<str>], tag: &str) -> Result {
        let mut found = Vec::new();
        if tag.is_empty() {
            return Err(Reason::WrongType);
        }
        for name in names {
            let Some(id) = self.find(name) else {
                continue;
            };
            let refused = match self.snapshot(id) {
                None => Reason::WrongType,
                // It compares with a length that is one more than a table's name may have; a table finds that out
                // when it is asked, but the first hold makes one, and that must not fail
                // (`dsl_dataset_user_hold_check_one`).
                Some(_) if tag.len() > MAX_TAG + 1 => Reason::TagTooLong,
                Some(snapshot) if tag.len() > MAX_TAG && !snapshot.was_held => {
                    return Err(Reason::KernelPanic);
                }
                Some(_) if tag.len() > MAX_TAG => Reason::TooLongOrDeep,
                Some(snapshot) if snapshot.holds.contains_key(tag) => Reason::TagExists,
                Some(_) => {
                    found.push(id);
                    continue;
                }
            };
            // Only the sync task looks (`dsl_dataset_user_hold_check`).
            self.close_txg_named(name);
            return Err(Reason::Snapshots(vec![(name.clone(), refused)]));
        }
        if found.is_empty() {
            return Err(Reason::NoSuchDataset);
        }
        let now = self.now;
        for id in found {
            if let Some(snapshot) = self.snapshot_mut(id) {
                snapshot.holds.insert(tag.into(), now);
                snapshot.was_held = true;
            }
        }
        self.close_txg_named(&names[0]);
        Ok(())
    }

    /// Releases those that have the tag; the last hold of a deferred snapshot destroys it.
    pub(crate) fn release(&mut self, names: &[Arc<str>], tag: &str) -> Result {
        self.unmount_automatic_of(names);
        let mut found = Vec::new();
        let mut missing = Reason::NoSuchDataset;
        for name in names {
            let Some(id) = self.find(name) else {
                continue;
            };
            if self
                .snapshot(id)
                .is_some_and(|it| it.holds.contains_key(tag))
            {
                found.push(id);
            } else {
                missing = Reason::NoSuchTag;
            }
        }
        if found.is_empty() {
            return Err(missing);
        }
        for id in found {
            if let Some(snapshot) = self.snapshot_mut(id) {
                snapshot.holds.remove(tag);
            }
            self.reap(id);
        }
        self.close_txg_named(&names[0]);
        Ok(())
    }
}
