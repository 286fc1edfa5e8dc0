//! Layers: what stands on what, and what it takes.

use std::collections::BTreeSet;

use ztwin_model::dmu::storage::Figure;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::properties::Property;
use ztwin_model::machine::State;

/// A filesystem, volume or snapshot among the others. All figures are bytes on disk; none where the model does
/// not know.
#[derive(Clone, Debug)]
pub struct Layer {
    /// Its number.
    pub id: DatasetId,
    /// Its name.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// All that it refers to: `referenced`.
    pub refers: Option<Figure>,
    /// Of this, what others are charged for: what it was cloned from, and what that was cloned from. None of a
    /// snapshot, which shares with its neighbours.
    pub shared: Option<Figure>,
    /// What it is charged for: `usedbydataset` and `usedbysnapshots`; of a snapshot what it alone keeps, its
    /// `used`.
    pub own: Option<Figure>,
    /// What comes back when it goes with all that has to go with it; none for the root of a pool, too.
    pub frees: Option<Figure>,
    /// How many filesystems and volumes have to go with it: what is below it, its clones, and theirs.
    pub with: usize,
    /// What stands on it: its snapshots, the oldest first; of a snapshot its clones, by name.
    pub above: Vec<Layer>,
}

/// What a layer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A filesystem.
    Filesystem,
    /// A volume.
    Volume,
    /// A snapshot of one.
    Snapshot,
}

/// What nothing else is below, in all pools: by name of the pool, then of the filesystem.
#[must_use]
pub fn layers(state: &State) -> Vec<Layer> {
    let mut all = Vec::new();
    for pool in state.pools.values() {
        let heads = state.subtree(pool.root);
        let without_origin = heads.into_iter().filter(|&id| {
            let filesystem = state.filesystem(id);
            filesystem.is_some_and(|it| it.origin.is_none())
        });
        let mut found: Vec<Layer> = without_origin.filter_map(|id| layer(state, id)).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        all.extend(found);
    }
    all
}

fn layer(state: &State, id: DatasetId) -> Option<Layer> {
    let dataset = state.dataset(id)?;
    let above = match (dataset.filesystem(), dataset.snapshot()) {
        (Some(filesystem), _) => filesystem.snapshots.iter().collect(),
        (None, Some(snapshot)) => by_name(state, snapshot.clones.keys()),
        (None, None) => return None,
    };
    let refers = state.figure(id, Property::Referenced);
    let charged = state.figure(id, Property::Usedbydataset);
    let going = going_with(state, id);
    let own = own(state, id);
    let is_root = state.pools.values().any(|pool| pool.root == id);
    Some(Layer {
        id,
        name: state.name_of(id)?,
        kind: kind(dataset),
        refers,
        shared: refers
            .zip(charged)
            .map(|(refers, charged)| refers.without(charged)),
        own,
        frees: frees(state, id, &going).filter(|_| !is_root),
        with: going.len(),
        above: above.iter().filter_map(|&it| layer(state, it)).collect(),
    })
}

fn kind(dataset: &Dataset) -> Kind {
    match (dataset.is_snapshot(), dataset.volume()) {
        (true, _) => Kind::Snapshot,
        (false, Some(_)) => Kind::Volume,
        (false, None) => Kind::Filesystem,
    }
}

fn by_name(state: &State, ids: impl Iterator<Item = DatasetId>) -> Vec<DatasetId> {
    let mut ids: Vec<DatasetId> = ids.collect();
    ids.sort_by_key(|&id| state.name_of(id));
    ids
}

fn own(state: &State, id: DatasetId) -> Option<Figure> {
    if state.snapshot(id).is_some() {
        return state.figure(id, Property::Used);
    }
    let head = state.figure(id, Property::Usedbydataset)?;
    Some(head + state.figure(id, Property::Usedbysnapshots)?)
}

/// The filesystems and volumes that `zfs destroy -R` would remove besides it.
fn going_with(state: &State, id: DatasetId) -> BTreeSet<DatasetId> {
    let mut going = BTreeSet::new();
    let mut rest = vec![id];
    while let Some(next) = rest.pop() {
        let mut found = Vec::new();
        if let Some(snapshot) = state.snapshot(next) {
            found.extend(snapshot.clones.keys());
        } else if let Some(filesystem) = state.filesystem(next) {
            found.extend(filesystem.children.values().copied());
            let snapshots = filesystem.snapshots.iter();
            let snapshots = snapshots.filter_map(|it| state.snapshot(it));
            found.extend(snapshots.flat_map(|it| it.clones.keys()));
        }
        rest.extend(found.into_iter().filter(|&it| going.insert(it)));
    }
    going.remove(&id);
    going
}

/// What comes back when it goes with these.
fn frees(state: &State, id: DatasetId, going: &BTreeSet<DatasetId>) -> Option<Figure> {
    let goes = |other: &DatasetId| *other == id || going.contains(other);
    let mut freed = Figure::ZERO;
    let mut snapshots = BTreeSet::new();
    for head in going.iter().copied().chain([id]) {
        if state.snapshot(head).is_some() {
            snapshots.insert(head);
            continue;
        }
        freed = freed + own(state, head)?;
        // A snapshot that is to go with its last clone.
        let origin = state.filesystem(head).and_then(|it| it.origin);
        let origin = origin.and_then(|origin| Some((origin, state.snapshot(origin)?)));
        if let Some((origin, snapshot)) = origin
            && snapshot.deferred
            && snapshot.holds.is_empty()
            && !goes(&snapshot.filesystem)
            && snapshot.clones.keys().all(|clone| goes(&clone))
        {
            snapshots.insert(origin);
        }
    }
    let snapshots: Vec<DatasetId> = snapshots.into_iter().collect();
    Some(freed + state.reclaimed(&snapshots)?)
}

/// The filesystem that is charged for a block of `id`: the one in whose time it was written.
#[must_use]
pub fn charged(state: &State, id: DatasetId, birth: u64) -> DatasetId {
    let mut home = state.filesystem_of(id).unwrap_or(id);
    while let Some(origin) = state.origin_of(home) {
        let created = state.dataset(origin).map_or(0, |it| it.creation_txg);
        match state.filesystem_of(origin) {
            Some(below) if birth <= created => home = below,
            _ => break,
        }
    }
    home
}
