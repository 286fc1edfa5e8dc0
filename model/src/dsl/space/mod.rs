//! What datasets take, kept up to date with every block that is born or let go of, and every snapshot, clone,
//! promotion, rollback and destruction.
//!
//! Nothing here knows which blocks a dataset has: of each dataset it keeps sums, and of those that a snapshot
//! still has a deadlist. What the figures mean stands in [`crate::spec`], and tests hold the two
//! against each other.
//!
//! A weight that is not known lies between bounds. All sums are taken twice, once as if each block weighed the
//! least it can and once the most, so that what a block adds when it is born goes again when it is freed.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::dmu::Weight;
use crate::dmu::deadlist::Deadlist;
use crate::dmu::space::Freed;
use crate::dmu::storage::Figure;
use crate::dsl::dataset::DatasetId;
use crate::fault::Fault;
use crate::maps::Radix;

/// What all datasets of a pool take.
#[derive(Clone, Debug, Default)]
pub struct Space {
    /// Of each filesystem, volume and snapshot.
    datasets: Radix<DatasetId, Arc<Account>>,
    /// Of each filesystem and volume, with its snapshots and with what is below it.
    dirs: Radix<DatasetId, Arc<Dir>>,
    /// Nobody knows which vdev takes a block, nor what it takes there.
    lost: bool,
    /// The planted fault, if any.
    fault: Option<Fault>,
}

/// A filesystem, a volume or a snapshot by itself (`dsl_dataset_phys_t`).
#[derive(Clone, Debug, Default)]
struct Account {
    /// The filesystem whose snapshot it is; itself.
    home: DatasetId,
    /// The transaction group that made the snapshot.
    txg: u64,
    /// The snapshot before it, or its origin (`ds_prev_snap_obj`).
    previous: Option<DatasetId>,
    /// Of a snapshot what comes after it: the next one, or the filesystem (`ds_next_snap_obj`).
    next: Option<DatasetId>,
    /// All that it has (`ds_referenced_bytes`).
    referenced: Weight,
    /// What neither the one before it nor the one after it has (`ds_unique_bytes`).
    unique: Weight,
    /// What the one before it has and it has not.
    deadlist: Deadlist,
}

/// A filesystem with its snapshots and with what is below it (`dsl_dir_phys_t`).
#[derive(Clone, Debug, Default)]
struct Dir {
    /// The one above it.
    parent: Option<DatasetId>,
    /// The transaction group of its origin; what is older is not charged here (`dd_origin_txg`).
    origin_txg: u64,
    /// What it has and is charged for (`DD_USED_HEAD`).
    head: Weight,
    /// What only its snapshots have and it is charged for (`DD_USED_SNAP`).
    snapshots: Weight,
    /// What those below are charged, with their reservations (`DD_USED_CHILD`, `DD_USED_CHILD_RSRV`).
    children: Figure,
    /// What those below take, without what is reserved.
    below: Weight,
    /// Property `reservation`, in bytes.
    reservation: u64,
    /// Property `refreservation`, in bytes.
    refreservation: u64,
    /// Its bookmarks.
    bookmarks: BTreeMap<DatasetId, Mark>,
}

/// What a bookmark remembers (`zfs_bookmark_phys_t`), or a snapshot tells as if it were one.
#[derive(Clone, Copy, Debug, Default)]
struct Mark {
    /// The transaction group of its snapshot.
    txg: u64,
    /// What that had.
    referenced: Weight,
    /// What of it was gone when the next snapshot was made (`zbm_referenced_freed_before_next_snap`).
    freed: Weight,
}

/// What a filesystem adds to the one above it.
#[derive(Clone, Copy, Default)]
struct Share {
    charge: Figure,
    blocks: Weight,
}

// The figures. An unknown dataset takes nothing.
impl Space {
    /// Of a pool without datasets.
    #[must_use]
    pub fn new(fault: Option<Fault>) -> Space {
        Space {
            fault,
            ..Space::default()
        }
    }

    fn faulty(&self, fault: Fault) -> bool {
        cfg!(feature = "faults") && self.fault == Some(fault)
    }

    fn account(&self, id: DatasetId) -> &Account {
        const NONE: &Account = &Account {
            home: DatasetId(0),
            txg: 0,
            previous: None,
            next: None,
            referenced: Weight::ZERO,
            unique: Weight::ZERO,
            deadlist: Deadlist::EMPTY,
        };
        self.datasets.get(&id).map_or(NONE, |account| account)
    }

    fn dir(&self, id: DatasetId) -> &Dir {
        const NONE: &Dir = &Dir {
            parent: None,
            origin_txg: 0,
            head: Weight::ZERO,
            snapshots: Weight::ZERO,
            children: Figure::ZERO,
            below: Weight::ZERO,
            reservation: 0,
            refreservation: 0,
            bookmarks: BTreeMap::new(),
        };
        self.dirs.get(&id).map_or(NONE, |dir| dir)
    }

    /// Whether it keeps account of a dataset.
    #[must_use]
    pub fn contains(&self, id: DatasetId) -> bool {
        !self.lost && self.datasets.contains_key(&id)
    }

    /// `referenced`, `logicalreferenced`, and what `refcompressratio` comes from.
    #[must_use]
    pub fn referenced(&self, id: DatasetId) -> Weight {
        self.account(id).referenced
    }

    /// What a snapshot alone has of its chain, its `used`; of a filesystem what was written since its last
    /// snapshot.
    #[must_use]
    pub fn unique(&self, id: DatasetId) -> Weight {
        self.account(id).unique
    }

    /// `used` of a filesystem or of a snapshot (`dsl_get_used`).
    #[must_use]
    pub fn used(&self, id: DatasetId) -> Figure {
        match self.dirs.get(&id) {
            Some(dir) => dir.head.size + dir.snapshots.size + self.kept(id) + dir.children,
            None => self.unique(id).size,
        }
    }

    /// `usedbydataset`
    #[must_use]
    pub fn used_by_dataset(&self, filesystem: DatasetId) -> Figure {
        self.dir(filesystem).head.size
    }

    /// `usedbysnapshots`
    #[must_use]
    pub fn used_by_snapshots(&self, filesystem: DatasetId) -> Figure {
        self.dir(filesystem).snapshots.size
    }

    /// `usedbychildren`
    #[must_use]
    pub fn used_by_children(&self, filesystem: DatasetId) -> Figure {
        self.dir(filesystem).children
    }

    /// `usedbyrefreservation`: the less the more it takes.
    #[must_use]
    pub fn used_by_refreservation(&self, filesystem: DatasetId) -> Figure {
        let kept = self.kept(filesystem);
        Figure {
            least: kept.most,
            most: kept.least,
        }
    }

    /// What is left of its `refreservation`, at the least and at the most that it takes.
    pub(crate) fn kept(&self, filesystem: DatasetId) -> Figure {
        match self.dir(filesystem).refreservation {
            0 => Figure::ZERO,
            promised => {
                let taken = self.unique(filesystem).size;
                taken.map(|taken| promised.saturating_sub(taken))
            }
        }
    }

    /// `logicalused`, and what `compressratio` comes from: nothing is reserved in it.
    #[must_use]
    pub fn blocks(&self, filesystem: DatasetId) -> Weight {
        let dir = self.dir(filesystem);
        dir.head + dir.snapshots + dir.below
    }

    /// `written` (`dsl_get_written`).
    #[must_use]
    pub fn written(&self, id: DatasetId) -> Figure {
        let account = self.account(id);
        let since = account
            .previous
            .map_or(Mark::default(), |it| self.mark_of(it));
        self.written_since_mark(id, since, false)
    }

    /// `written@snapshot`, of a snapshot of its chain or its origin's (`dsl_dataset_space_written`).
    #[must_use]
    pub fn written_since(&self, id: DatasetId, snapshot: DatasetId) -> Figure {
        self.written_since_mark(id, self.mark_of(snapshot), false)
    }

    /// `written#bookmark`, of a bookmark of a filesystem (`dsl_dataset_space_written_bookmark`).
    #[must_use]
    pub fn written_since_bookmark(
        &self,
        id: DatasetId,
        filesystem: DatasetId,
        bookmark: DatasetId,
    ) -> Option<Figure> {
        let mark = self.dir(filesystem).bookmarks.get(&bookmark)?;
        Some(self.written_since_mark(id, *mark, true))
    }

    /// What a bookmark's snapshot had.
    #[must_use]
    pub fn marked(&self, filesystem: DatasetId, bookmark: DatasetId) -> Option<Weight> {
        if self.lost {
            return None;
        }
        let mark = self.dir(filesystem).bookmarks.get(&bookmark)?;
        Some(mark.referenced)
    }

    /// What was let go of up to the snapshot behind a mark, the mark of a bookmark tells.
    fn written_since_mark(&self, id: DatasetId, mark: Mark, bookmark: bool) -> Figure {
        let mut account = self.account(id);
        let mut sum = account.referenced;
        while let Some(previous) = account
            .previous
            .filter(|&it| self.account(it).txg > mark.txg)
        {
            sum += account.deadlist.space_range(0, mark.txg);
            account = self.account(previous);
        }
        sum += if bookmark {
            mark.freed
        } else {
            account.deadlist.space()
        };
        (sum - mark.referenced).size
    }

    /// A snapshot as a bookmark of it would be (`dsl_bookmark_set_phys`).
    fn mark_of(&self, snapshot: DatasetId) -> Mark {
        let account = self.account(snapshot);
        let next = account.next.map(|next| self.account(next));
        Mark {
            txg: account.txg,
            referenced: account.referenced,
            freed: next.map_or(Weight::ZERO, |next| next.deadlist.space()),
        }
    }

    /// What `zfs destroy` would free of snapshots that follow each other, from `first` to `last`
    /// (`dsl_dataset_space_wouldfree`).
    #[must_use]
    pub fn reclaimed(&self, first: DatasetId, last: DatasetId) -> Figure {
        let since = self.previous_txg(first);
        let behind = self.account(last).next;
        let chain = std::iter::successors(behind, |&id| self.account(id).previous);
        let behind_each = chain.take_while(|&id| id != first);
        let freed = behind_each.map(|id| self.account(id).deadlist.space_range(since, u64::MAX));
        freed.sum::<Weight>().size
    }

    /// What a clone would take over when it is promoted (`dsl_dataset_promote_check`).
    #[must_use]
    pub fn promoted(&self, clone: DatasetId) -> Weight {
        let Some(origin) = self.origin(clone) else {
            return Weight::ZERO;
        };
        let shared = self.own(origin);
        let dead: Weight = shared
            .iter()
            .map(|&id| self.account(id).deadlist.space())
            .sum();
        let above = shared.last().and_then(|&id| self.account(id).previous);
        let above = above.map_or(Weight::ZERO, |above| self.referenced(above));
        self.referenced(origin) + dead - above
    }

    /// The transaction group of the snapshot before it (`ds_prev_snap_txg`).
    pub(crate) fn previous_txg(&self, id: DatasetId) -> u64 {
        let previous = self.account(id).previous;
        previous.map_or(0, |previous| self.account(previous).txg)
    }

    /// It and what came before it in the same filesystem, the newest first.
    fn own(&self, id: DatasetId) -> Vec<DatasetId> {
        let home = self.account(id).home;
        let chain = self.back(id);
        chain
            .take_while(|&id| self.account(id).home == home)
            .collect()
    }

    /// What a filesystem was cloned from.
    fn origin(&self, filesystem: DatasetId) -> Option<DatasetId> {
        self.back(filesystem)
            .find(|&id| self.account(id).home != filesystem)
    }

    /// It and all that came before it, the newest first.
    fn back(&self, id: DatasetId) -> impl Iterator<Item = DatasetId> {
        let known = self.contains(id).then_some(id);
        std::iter::successors(known, |&id| {
            self.account(id).previous.filter(|&it| self.contains(it))
        })
    }

    fn share(&self, filesystem: DatasetId) -> Share {
        let reserved = self.dir(filesystem).reservation;
        Share {
            charge: self.used(filesystem).map(|used| used.max(reserved)),
            blocks: self.blocks(filesystem),
        }
    }
}

// What changes the figures. Whether ZFS allows it is decided elsewhere.
impl Space {
    fn account_mut(&mut self, id: DatasetId) -> Option<&mut Account> {
        self.datasets.get_mut(&id).map(Arc::make_mut)
    }

    fn dir_mut(&mut self, id: DatasetId) -> Option<&mut Dir> {
        self.dirs.get_mut(&id).map(Arc::make_mut)
    }

    /// Changes what a filesystem takes, and what those above it are charged for it (`dsl_dir_diduse_space`).
    fn change(&mut self, filesystem: DatasetId, change: impl FnOnce(&mut Account, &mut Dir)) {
        let before = self.share(filesystem);
        let account = self.datasets.get_mut(&filesystem).map(Arc::make_mut);
        let dir = self.dirs.get_mut(&filesystem).map(Arc::make_mut);
        if let (Some(account), Some(dir)) = (account, dir) {
            change(account, dir);
        }
        let after = self.share(filesystem);
        self.roll_up(self.dir(filesystem).parent, before, after);
    }

    /// Tells those above what a filesystem below takes now.
    fn roll_up(&mut self, parent: Option<DatasetId>, mut before: Share, mut after: Share) {
        let mut above = parent;
        while let Some(id) = above {
            let share = self.share(id);
            let Some(dir) = self.dir_mut(id) else {
                return;
            };
            dir.children = (dir.children + after.charge).without(before.charge);
            dir.below = dir.below + after.blocks - before.blocks;
            above = dir.parent;
            (before, after) = (share, self.share(id));
        }
    }

    /// Gives up: something is written that nobody knows the size of.
    pub fn lose(&mut self) {
        self.lost = true;
    }

    /// A filesystem without blocks.
    pub fn create(&mut self, id: DatasetId, parent: Option<DatasetId>) {
        let account = Account {
            home: id,
            ..Account::default()
        };
        let dir = Dir {
            parent,
            ..Dir::default()
        };
        self.datasets.insert(id, Arc::new(account));
        self.dirs.insert(id, Arc::new(dir));
    }

    /// Blocks are written (`dsl_dataset_block_born`).
    pub fn born(&mut self, id: DatasetId, weight: Weight) {
        self.change(id, |account, dir| {
            account.referenced += weight;
            account.unique += weight;
            dir.head += weight;
        });
    }

    /// Blocks of this birth are let go of (`dsl_dataset_block_kill`).
    pub fn kill(&mut self, id: DatasetId, birth: u64, weight: Weight) {
        let freed = Freed {
            birth,
            weight,
            gone: weight,
        };
        self.kill_some(id, freed);
    }

    /// The same of blocks of which nobody knows how many they are.
    pub fn kill_some(&mut self, id: DatasetId, freed: Freed) {
        let Freed {
            birth,
            weight,
            gone,
        } = freed;
        let previous = self.account(id).previous;
        let previous_txg = self.previous_txg(id);
        if birth > previous_txg {
            self.change(id, |account, dir| {
                account.unique -= weight;
                dir.head -= weight;
            });
        } else {
            let faulty = self.faulty(Fault::DeadlistOfWrongSnapshot);
            if faulty && let Some(before) = previous.and_then(|it| self.account_mut(it)) {
                before.deadlist.insert(birth, gone);
            }
            self.change(id, |account, dir| {
                if !faulty {
                    account.deadlist.insert(birth, gone);
                }
                if birth > dir.origin_txg {
                    dir.head -= weight;
                    dir.snapshots += gone;
                }
            });
            // Only the one before it had it, unless that is its origin.
            let before = previous.filter(|&before| {
                self.account(before).next == Some(id) && birth > self.previous_txg(before)
            });
            if let Some(before) = before.and_then(|it| self.account_mut(it)) {
                before.unique += gone;
            }
        }
        if let Some(account) = self.account_mut(id) {
            account.referenced -= weight;
        }
        // `dsl_bookmark_block_killed`
        if !self.dir(id).bookmarks.is_empty()
            && let Some(dir) = self.dir_mut(id)
        {
            for mark in dir.bookmarks.values_mut() {
                if mark.txg >= previous_txg && birth <= mark.txg {
                    mark.freed += gone;
                }
            }
        }
    }

    /// A snapshot of a filesystem (`dsl_dataset_snapshot_sync_impl`).
    pub fn snapshot(&mut self, of: DatasetId, id: DatasetId, txg: u64) {
        let mut snapshot = self.account(of).clone();
        snapshot.txg = txg;
        snapshot.next = Some(of);
        snapshot.unique = Weight::ZERO;
        if let Some(before) = snapshot.previous.and_then(|it| self.account_mut(it))
            && before.next == Some(of)
        {
            before.next = Some(id);
        }
        self.datasets.insert(id, Arc::new(snapshot));
        self.change(of, |account, _| {
            account.previous = Some(id);
            account.unique = Weight::ZERO;
            account.deadlist = Deadlist::EMPTY;
        });
    }

    /// A clone of a snapshot (`dmu_objset_clone_sync`).
    pub fn clone_of(&mut self, origin: DatasetId, id: DatasetId, parent: Option<DatasetId>) {
        self.create(id, parent);
        let (referenced, txg) = (self.referenced(origin), self.account(origin).txg);
        self.change(id, |account, dir| {
            account.previous = Some(origin);
            account.referenced = referenced;
            dir.origin_txg = txg;
        });
        if self.faulty(Fault::CloneIsCharged) {
            self.change(id, |_, dir| dir.head = referenced);
        }
    }

    /// A clone takes over its origin and the snapshots before that (`dsl_dataset_promote_sync`).
    pub fn promote(&mut self, id: DatasetId) {
        let Some(origin) = self.origin(id) else {
            return;
        };
        let home = self.account(origin).home;
        let moved = self.own(origin);
        let stay: Vec<_> = self.back(home).take_while(|&it| it != origin).collect();
        let joined = self.own(id);
        let next = joined.last().copied().unwrap_or(id);
        let (txg, above_txg) = (self.account(origin).txg, self.dir(home).origin_txg);
        let dead = |space: &Space, ids: &[DatasetId], since| -> Weight {
            let lists = ids.iter().map(|&id| &space.account(id).deadlist);
            lists.map(|list| list.space_range(since, u64::MAX)).sum()
        };
        let charged = self.promoted(id);
        let of_clone = dead(self, &moved, above_txg) + dead(self, &joined, above_txg);
        let of_home = dead(self, &stay, txg);
        let unique = if self.faulty(Fault::PromoteKeepsUnique) {
            self.unique(origin)
        } else {
            dead(self, &[next], self.previous_txg(origin))
        };
        if let Some(origin) = self.account_mut(origin) {
            origin.next = Some(next);
            origin.unique = unique;
        }
        for &moved in &moved {
            if let Some(moved) = self.account_mut(moved) {
                moved.home = id;
            }
        }
        let keeps = self.faulty(Fault::PromoteKeepsLivelist);
        // What it takes over is its own or its snapshots' now; and the other way round.
        let mut bookmarks = BTreeMap::new();
        self.change(home, |_, dir| {
            // Of a clone of a clone.
            if !(above_txg > 0 && keeps) {
                dir.head = dir.head + dir.snapshots - charged - of_home;
            }
            dir.snapshots = of_home;
            dir.origin_txg = txg;
            let all = std::mem::take(&mut dir.bookmarks).into_iter();
            (bookmarks, dir.bookmarks) = all.partition(|(_, mark)| mark.txg <= txg);
        });
        let (mark, referenced) = (self.mark_of(origin), self.referenced(id));
        self.change(id, |_, dir| {
            dir.head = match above_txg {
                // All that it has, of which the bounds are closer.
                0 => referenced,
                _ => dir.head + dir.snapshots + charged - of_clone,
            };
            dir.snapshots = of_clone;
            dir.origin_txg = above_txg;
            // `dsl_bookmark_next_changed`
            let at_origin = bookmarks.values_mut().filter(|it| it.txg == txg);
            at_origin.for_each(|it| *it = mark);
            dir.bookmarks.append(&mut bookmarks);
        });
    }

    /// The head becomes what its last snapshot has (`dsl_dataset_clone_swap_sync_impl`).
    pub fn rollback(&mut self, id: DatasetId) {
        let Some(last) = self.account(id).previous else {
            return;
        };
        let referenced = self.referenced(last);
        if let Some(last) = self.account_mut(last) {
            last.unique = Weight::ZERO;
        }
        self.change(id, |account, dir| {
            let dead = &account.deadlist;
            let came_back = dead.space_range(dir.origin_txg, u64::MAX);
            dir.head = dir.head + referenced + came_back - account.referenced - dead.space();
            dir.snapshots -= came_back;
            account.referenced = referenced;
            account.unique = Weight::ZERO;
            account.deadlist = Deadlist::EMPTY;
        });
        let mark = self.mark_of(last);
        if let Some(dir) = self.dir_mut(id) {
            let at_last = dir.bookmarks.values_mut().filter(|it| it.txg == mark.txg);
            at_last.for_each(|it| *it = mark);
        }
    }

    /// A filesystem without snapshots goes (`dsl_destroy_head_sync_impl`).
    pub fn destroy(&mut self, id: DatasetId) {
        let (parent, share) = (self.dir(id).parent, self.share(id));
        self.datasets.remove(&id);
        self.dirs.remove(&id);
        self.roll_up(parent, share, Share::default());
    }

    /// A snapshot without clones goes (`dsl_destroy_snapshot_sync_impl`).
    pub fn destroy_snapshot(&mut self, id: DatasetId) {
        let Some(gone) = self.datasets.remove(&id) else {
            return;
        };
        let Some(next) = gone.next else {
            return;
        };
        let txg = |before: Option<DatasetId>| before.map_or(0, |it| self.account(it).txg);
        let previous_txg = txg(gone.previous);
        let dead = self.account(next).deadlist.clone();
        // Blocks that only it and the one before it had are that one's alone.
        let before = gone
            .previous
            .filter(|&it| self.account(it).next == Some(id));
        let alone = before.map(|it| dead.space_range(self.previous_txg(it), previous_txg));
        if let Some(before) = before.and_then(|it| self.account_mut(it)) {
            before.unique += alone.unwrap_or_default();
            before.next = Some(next);
        }
        // Those that only it and the one behind it had, which that one's next has not.
        let behind = self.account(next).next.map(|it| self.account(it));
        let alone = behind.map(|it| it.deadlist.space_range(previous_txg, gone.txg));
        let freed = dead.space_range(previous_txg, u64::MAX);
        let left = gone.previous.map_or(Weight::ZERO, |it| self.referenced(it));
        self.change(gone.home, |_, dir| {
            dir.snapshots -= freed;
            // `dsl_bookmark_ds_destroyed`
            let between = |mark: &&mut Mark| (previous_txg..gone.txg).contains(&mark.txg);
            for mark in dir.bookmarks.values_mut().filter(between) {
                mark.freed += dead.space_range(0, mark.txg);
            }
        });
        let merge = |account: &mut Account| {
            account.deadlist.free_after(previous_txg);
            account.deadlist.merge(gone.deadlist.clone());
            account.previous = gone.previous;
            match alone {
                Some(alone) => account.unique += alone,
                // `dsl_dataset_recalc_head_uniq`
                None => account.unique = account.referenced + account.deadlist.space() - left,
            }
        };
        if self.dirs.contains_key(&next) {
            self.change(next, |account, _| merge(account));
        } else if let Some(next) = self.account_mut(next) {
            merge(next);
        }
    }

    /// A filesystem is moved below another one.
    pub fn rename(&mut self, id: DatasetId, parent: DatasetId) {
        let (from, share) = (self.dir(id).parent, self.share(id));
        self.roll_up(from, share, Share::default());
        if let Some(dir) = self.dir_mut(id) {
            dir.parent = Some(parent);
        }
        self.roll_up(Some(parent), Share::default(), share);
    }

    /// Sets `reservation` (`dsl_dir_set_reservation_sync_impl`).
    pub fn reserve(&mut self, id: DatasetId, bytes: u64) {
        self.change(id, |_, dir| dir.reservation = bytes);
    }

    /// Sets `refreservation` (`dsl_dataset_set_refreservation_sync_impl`).
    pub fn refreserve(&mut self, id: DatasetId, bytes: u64) {
        self.change(id, |_, dir| dir.refreservation = bytes);
    }

    /// A bookmark of a snapshot, or of what another one marks, which a filesystem has
    /// (`dsl_bookmark_create_sync`).
    pub fn bookmark(&mut self, id: DatasetId, filesystem: DatasetId, source: DatasetId) {
        let marked = |dir: &Arc<Dir>| dir.bookmarks.get(&source).copied();
        let copied = self.dirs.values().find_map(marked);
        let mark = copied.unwrap_or_else(|| self.mark_of(source));
        if let Some(dir) = self.dir_mut(filesystem) {
            dir.bookmarks.insert(id, mark);
        }
    }

    /// A bookmark goes.
    pub fn destroy_bookmark(&mut self, id: DatasetId, filesystem: DatasetId) {
        if let Some(dir) = self.dir_mut(filesystem) {
            dir.bookmarks.remove(&id);
        }
    }
}

#[cfg(test)]
mod tests;
