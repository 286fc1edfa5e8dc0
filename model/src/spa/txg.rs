//! Transaction groups: what is open, and what is on disk (`txg_sync_thread`, `dsl_pool_sync`).

use std::sync::Arc;

use crate::dmu::storage::Storage;
use crate::dsl::dataset::DatasetId;
use crate::dsl::names;
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use crate::spa::Pool;

impl Pool {
    /// Closes the open transaction group: what is written from now on is born in the next one.
    pub fn close_txg(&mut self) {
        self.open_txg += 1;
        self.in_flight = 0;
        self.doubt = None;
        self.freed = [0, self.freed[0], self.freed[1]];
    }

    /// A dataset changes in the open transaction group.
    pub(crate) fn dirty(&mut self, id: DatasetId) {
        self.dirty.entry(id).or_insert(self.open_txg);
    }
}

impl State {
    /// Brings to disk what changed in transaction groups that are closed by now.
    pub(crate) fn write_closed(&mut self) {
        let (mut due, mut closed_pools) = (Vec::new(), Vec::new());
        let behind = |pool: &&mut Arc<Pool>| pool.synced_before < pool.open_txg;
        for pool in self.pools.values_mut().filter(behind).map(Arc::make_mut) {
            pool.synced_before = pool.open_txg;
            closed_pools.push(pool.root);
            let closed = pool.dirty.iter().filter(|(_, txg)| **txg < pool.open_txg);
            due.extend(closed.map(|(&id, _)| id));
        }
        for id in due {
            self.write(id);
        }
        let saves = !self.faulty(Fault::SharingSavesNothing);
        for root in closed_pools {
            if saves
                && let Some(pool) = self.pool_of_mut(root)
                && !pool.count_shared()
            {
                pool.space.lose();
            }
        }
    }

    /// Brings all of a pool to disk, before a sync task in the open transaction group sees it.
    pub(crate) fn write_open(&mut self, dataset: DatasetId) {
        let dirty = self.pool_of(dataset).map(|pool| pool.dirty.clone());
        for (id, _) in dirty.into_iter().flatten() {
            self.write(id);
        }
    }

    /// Closes the open transaction group of the pool of a dataset: what only its sync task refuses has done so.
    pub(crate) fn close_txg_at(&mut self, dataset: DatasetId) {
        if let Some(pool) = self.pool_of_mut(dataset) {
            pool.close_txg();
        }
    }

    /// As [`State::close_txg_at`], in the pool of this name.
    pub(crate) fn close_txg_named(&mut self, name: &str) {
        if let Some(pool) = self.pools.get(names::pool(name)) {
            self.close_txg_at(pool.root);
        }
    }

    fn write(&mut self, id: DatasetId) {
        let on = Storage::of(self, id);
        let how = self.policy(id);
        let deduplicates = self.property(id, Property::Dedup).0 != Value::Word("off");
        let Some(pool) = self.pool_of_mut(id) else {
            return;
        };
        let Some(txg) = pool.dirty.remove(&id) else {
            return;
        };
        pool.sharing.deduplicated |= deduplicates;
        let (Some(on), Some(dataset)) = (on, pool.datasets.get_mut(&id)) else {
            pool.space.lose();
            return;
        };
        let synced = Arc::make_mut(dataset).objset.sync(txg, &on, &how);
        if synced.is_unknown {
            pool.space.lose();
            return;
        }
        pool.space.born(id, synced.born);
        for (birth, weight) in synced.freed.iter() {
            pool.freed[0] = pool.freed[0].saturating_add(weight.size.most);
            pool.space.kill(id, birth, weight);
        }
        for freed in synced.leaves {
            pool.freed[0] = pool.freed[0].saturating_add(freed.gone.size.most);
            pool.space.kill_some(id, freed);
        }
    }
}
