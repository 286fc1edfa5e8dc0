//! Bytes become operations on the model: what must hold of a machine holds behind each of them, snapshots never
//! change, and at the end the figures and the blocks are those of sets of blocks.

use std::collections::BTreeMap;
use std::sync::Arc;

use ztwin::trace::Trace;
use ztwin_model::dmu::Objset;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::generate::invariants::{check_cheap, check_spec};
use ztwin_model::generate::{Mix, Sequence, World, apply};
use ztwin_model::{Machine, Outcome, Release};

/// The files of all snapshots.
fn snapshots(machine: &Machine) -> BTreeMap<DatasetId, Objset> {
    let pools = machine.state().pools.values();
    let datasets = pools.flat_map(|pool| pool.datasets.values());
    let snapshots = datasets.filter(|dataset| dataset.is_snapshot());
    snapshots.map(|it| (it.id, it.objset.clone())).collect()
}

/// Runs it on these bytes.
///
/// # Panics
/// When something does not hold that must.
pub fn run(data: &[u8]) {
    let [how, data @ ..] = data else { return };
    let release = Release::ALL[usize::from(how & 15) % Release::ALL.len()];
    let mix = Mix::ALL[usize::from(how >> 4) % Mix::ALL.len()];
    let world = Arc::new(World::default());
    let data = &data[..data.len().min(8 * 64)];
    let sequence = Sequence::from_bytes(&world, mix, release, data);

    let mut machine = world.machine(release);
    let mut before = BTreeMap::new();
    for op in &sequence.ops {
        let outcome = apply(&mut machine, op);
        assert!(
            !matches!(outcome, Outcome::NotModelled(_)),
            "{outcome:?}{sequence:?}"
        );
        check_cheap(machine.state()).unwrap_or_else(|found| panic!("{found}{sequence:?}"));
        let now = snapshots(&machine);
        for (id, objset) in &now {
            let same = before
                .get(id)
                .is_none_or(|it: &Objset| it.shares_all(objset));
            assert!(same, "{id:?} changed{sequence:?}");
        }
        before = now;
    }
    check_spec(&machine).unwrap_or_else(|found| panic!("{found}{sequence:?}"));

    // Its text is a trace of as many steps.
    let text = format!("Drawn.\n\n{sequence}");
    let trace = Trace::parse("drawn", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(trace.steps().count(), sequence.steps().count());
    assert_eq!(trace.to_string(), text);
}
