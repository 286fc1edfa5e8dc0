//! The model keeps the contract of everything that can be driven; `guest_real_pool` holds a real pool to
//! the same body.

use ztwin::pools::{Blobs, End, ModelPools, Session};
use ztwin_model::Release;

#[path = "common/conformance.rs"]
mod conformance;

#[test]
fn the_model_conforms() {
    for release in Release::ALL {
        conformance::conforms(&mut ModelPools::new(release, Blobs::default()));
    }
}

/// Nothing is invented: what the model does not know, it says, and nothing happens.
#[test]
fn what_is_not_modelled_says_so() {
    for (steps, wrong) in [
        (
            &["mkdir tank:/d", "mkdir tank:/d/m", "mount tank/a /tank/d/m"][..],
            "rename tank:/d tank:/e",
        ),
        // Between the bounds of what it takes.
        (&[], "zfs set quota=24000 tank/a"),
        (&[], "zfs set reservation=872200000 tank/a"),
        (&[], "zfs create -o refreservation=872200000 tank/b"),
        (&[], "zfs userspace tank/a"),
        (&[], "zfs set zoned=on tank/a"),
        (&[], "zpool trim tank"),
        (&[], "zfs receive tank/b"),
    ] {
        let mut session = ModelPools::default().session();
        let mut run = |line: &str| {
            let words: Vec<&str> = line.split(' ').collect();
            session.run(&words).expect("the model runs")
        };
        for step in [
            "vdev /v/a 1G",
            "zpool create tank /v/a",
            "zfs create tank/a",
        ]
        .iter()
        .chain(steps)
        {
            assert_eq!(run(step).end, End::Exit(0), "{step}");
        }
        let before = run("state -v");
        let printed = run(wrong);
        assert_eq!(printed.end, End::NotModelled, "{wrong}: {printed:?}");
        assert!(printed.err.starts_with(b"ztwin: not modelled: "), "{wrong}");
        assert_eq!(run("state -v"), before, "{wrong}");
    }
}
