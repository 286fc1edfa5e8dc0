//! What must hold of a machine whatever was done to it. Each has a name, which is what a failure is told by.

use std::fmt;

use crate::dmu::storage::Figure;
use crate::dsl::dataset::DatasetId;
use crate::machine::{Machine, State};
use crate::op::Op;
use crate::spa::Pool;
use crate::spa::op::PoolOp;
use crate::spec;

/// Something that must hold, and does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the invariant.
    pub invariant: &'static str,
    /// The full name of the dataset that shows it.
    pub dataset: String,
    /// What was seen there.
    pub seen: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Violation {
            invariant,
            dataset,
            seen,
        } = self;
        write!(f, "{invariant}: {dataset}: {seen}")
    }
}

/// An invariant of a dataset in a pool; says what is wrong.
type Invariant = fn(&State, &Pool, DatasetId) -> Option<String>;

/// Those that cost a few lookups for each dataset.
pub const CHEAP: [(&str, Invariant); 5] = [
    // And so is found by its name.
    ("hangs below its parent", hangs_below_its_parent),
    ("origin and clones know each other", origin_and_clones),
    ("snapshots stand by age", snapshots_by_age),
    ("deferred only while needed", deferred_while_needed),
    ("used is the sum of its parts", used_is_a_sum),
];

/// Holds a machine against all that is cheap.
pub fn check_cheap(state: &State) -> Result<(), Violation> {
    for pool in state.pools.values() {
        for id in pool.datasets.keys() {
            for (invariant, holds) in CHEAP {
                if let Some(seen) = holds(state, pool, id) {
                    return Err(Violation {
                        invariant,
                        dataset: state.name_of(id).unwrap_or_default(),
                        seen,
                    });
                }
            }
        }
    }
    Ok(())
}

/// Brings all pools to disk and holds their figures and blocks against [`spec`].
pub fn check_spec(machine: &Machine) -> Result<(), Violation> {
    let mut machine = machine.clone();
    let names: Vec<String> = machine.state().pools.keys().cloned().collect();
    for pool in names {
        let _ = machine.apply(&Op::Pool(PoolOp::Sync { pool }));
    }
    let state = machine.state();
    for pool in state.pools.values() {
        spec::check(state, pool).map_err(|found| Violation {
            invariant: "figures are those of sets of blocks",
            dataset: found.dataset.clone(),
            seen: found.to_string(),
        })?;
    }
    Ok(())
}

fn hangs_below_its_parent(_: &State, pool: &Pool, id: DatasetId) -> Option<String> {
    let dataset = pool.dataset(id)?;
    let below = match (dataset.filesystem(), dataset.snapshot()) {
        (Some(filesystem), _) => match filesystem.parent {
            Some(parent) => {
                let parent = pool.dataset(parent).and_then(|it| it.filesystem());
                parent.and_then(|it| it.children.get(&dataset.component).copied())
            }
            None => Some(pool.root),
        },
        (_, Some(snapshot)) => {
            let filesystem = pool.dataset(snapshot.filesystem)?.filesystem();
            filesystem.and_then(|it| it.snapshots.get(&dataset.component))
        }
        _ => return None,
    };
    (below != Some(id)).then(|| format!("{id:?}, and there stands {below:?}"))
}

fn origin_and_clones(_: &State, pool: &Pool, id: DatasetId) -> Option<String> {
    let dataset = pool.dataset(id)?;
    if let Some(origin) = dataset.filesystem().and_then(|it| it.origin) {
        let origin = pool.dataset(origin).and_then(|it| it.snapshot());
        if !origin.is_some_and(|it| it.clones.contains_key(&id)) {
            return Some("its origin does not know it".to_owned());
        }
    }
    let stranger = dataset.snapshot()?.clones.keys().find(|&clone| {
        let clone = pool.dataset(clone).and_then(|it| it.filesystem());
        clone.and_then(|it| it.origin) != Some(id)
    })?;
    Some(format!("{stranger:?} is no clone of it"))
}

fn snapshots_by_age(_: &State, pool: &Pool, id: DatasetId) -> Option<String> {
    let filesystem = pool.dataset(id)?.filesystem()?;
    let made = |id| pool.dataset(id).map_or(0, |it| it.creation_txg);
    let origin = filesystem.origin.map_or(0, made);
    let mut ages = filesystem.snapshots.iter().map(made);
    let mut newest = origin;
    let older = ages.find(|&age| {
        let older = age < newest || age == newest && age != origin;
        newest = age;
        older
    })?;
    Some(format!("one of {older} stands behind one of {newest}"))
}

fn deferred_while_needed(_: &State, pool: &Pool, id: DatasetId) -> Option<String> {
    let snapshot = pool.dataset(id)?.snapshot()?;
    let needed = !snapshot.clones.is_empty() || !snapshot.holds.is_empty();
    (snapshot.deferred && !needed).then(|| "nothing needs it".to_owned())
}

fn used_is_a_sum(_: &State, pool: &Pool, id: DatasetId) -> Option<String> {
    pool.dataset(id)?.filesystem()?;
    let space = &pool.space;
    if !space.contains(id) || pool.doubt.is_some() {
        return None;
    }
    let parts: Figure = space.used_by_dataset(id)
        + space.used_by_snapshots(id)
        + space.used_by_children(id)
        + space.used_by_refreservation(id);
    let used = space.used(id);
    // Bounds of a sum are wider where its parts hang together.
    let within = parts.least <= used.least && used.most <= parts.most;
    (!within).then(|| format!("{used:?}, and {parts:?}"))
}
