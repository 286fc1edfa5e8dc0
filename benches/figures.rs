//! What it costs to ask for the space figures of every dataset after a step, as a test does that holds each
//! state of a pool against the model.
//!
//! `cargo bench --bench figures`; docs/performance.md has the figures.

use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use ztwin::pools::{Blobs, ModelPools, Session};
use ztwin_model::Release;

fn run(session: &mut impl Session, words: &str) {
    let words: Vec<&str> = words.split(' ').collect();
    let printed = session.run(&words).expect("the model runs");
    assert!(printed.succeeded(), "{words:?}: {printed:?}");
}

/// A machine with a pool `tank` that has so many filesystems, ten below each of those above, and so many
/// snapshots.
fn session(filesystems: u32, snapshots: u32) -> impl Session {
    let mut session = ModelPools::new(Release::default(), Blobs::default()).session();
    run(&mut session, "vdev /v/a 1T");
    run(&mut session, "zpool create tank /v/a");
    for number in 1..filesystems {
        run(&mut session, &format!("zfs create {}", name(number)));
    }
    for number in 0..snapshots {
        let of = name(number % filesystems);
        write(&mut session, &of, number);
        run(&mut session, &format!("zfs snapshot {of}@{number}"));
    }
    session
}

fn write(session: &mut impl Session, to: &str, seed: u32) {
    run(
        session,
        &format!("write {to}:/file 0 128K data=random:{seed}"),
    );
}

/// The name of a filesystem.
fn name(number: u32) -> String {
    match number {
        0 => "tank".to_owned(),
        _ => format!("{}/{number}", name((number - 1) / 10)),
    }
}

fn figures(criterion: &mut Criterion) {
    for (list, title) in [
        ("zfs list -Hp -o space", "space of all filesystems"),
        ("zfs list -Hp -t all -o space,written,lused,ratio", "all"),
    ] {
        let mut group = criterion.benchmark_group(title);
        for (filesystems, snapshots) in [
            (100, 0),
            (1_000, 0),
            (1_000, 1_000),
            (10_000, 0),
            (10, 10_000),
        ] {
            let mut session = session(filesystems, snapshots);
            let all = u64::from(filesystems + snapshots);
            group.throughput(Throughput::Elements(all));
            let name = format!("{filesystems} filesystems, {snapshots} snapshots");
            let mut number = 0;
            group.bench_function(name, |bench| {
                bench.iter_custom(|times| {
                    let mut spent = Duration::ZERO;
                    for _ in 0..times {
                        number += 1;
                        write(&mut session, "tank/1", number);
                        run(&mut session, "zpool sync");
                        let start = Instant::now();
                        run(&mut session, list);
                        spent += start.elapsed();
                    }
                    spent
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, figures);
criterion_main!(benches);
