//! Sets of block numbers: what the model keeps them in, beside roaring bitmaps.
//!
//! The blocks of a file that wait for a sync are such a set. It has to be copied with the machine at no cost, and to be
//! changed right behind that. `cargo bench --bench sets`; docs/performance.md has the figures.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, criterion_group, criterion_main};
use roaring::RoaringTreemap;
use ztwin_model::maps::Radix;

/// The numbers of the blocks of a file of so many, in an order that is none: `blocks` is a power of two.
fn scattered(blocks: u64) -> impl Iterator<Item = u64> {
    (0..blocks).map(move |number| number.wrapping_mul(0x9e37_79b9) % blocks)
}

fn sets(c: &mut Criterion) {
    for (name, blocks) in [("8192 blocks", 1 << 13), ("1M blocks", 1_u64 << 20)] {
        let radix: Radix<u64, ()> = scattered(blocks).map(|number| (number, ())).collect();
        let roaring: RoaringTreemap = scattered(blocks).collect();
        c.bench_function(&format!("radix: {name} one by one"), |b| {
            b.iter(|| {
                let mut set = Radix::new();
                scattered(blocks).for_each(|number| _ = set.insert(number, ()));
                set
            });
        });
        c.bench_function(&format!("roaring: {name} one by one"), |b| {
            b.iter(|| {
                let mut set = RoaringTreemap::new();
                scattered(blocks).for_each(|number| _ = set.insert(number));
                set
            });
        });
        // The copy stays, as that of a machine does.
        c.bench_function(&format!("radix: copy of {name}, and one more"), |b| {
            b.iter_batched(
                || (),
                |()| {
                    let mut set = radix.clone();
                    set.insert(black_box(blocks), ());
                    set
                },
                BatchSize::SmallInput,
            );
        });
        c.bench_function(&format!("roaring: copy of {name}, and one more"), |b| {
            b.iter_batched(
                || (),
                |()| {
                    let mut set = roaring.clone();
                    set.insert(black_box(blocks));
                    set
                },
                BatchSize::SmallInput,
            );
        });
    }
}

criterion_group!(benches, sets);
criterion_main!(benches);
