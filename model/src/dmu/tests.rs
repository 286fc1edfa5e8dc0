use super::compress::Compression;
use super::data::{Piece, Source};
use super::storage::Storage;
use super::*;
use crate::dsl::dataset::DatasetId;
use crate::zpl::znode::{Special, Xattrs};

const TERMS: Terms = Terms {
    txg: 5,
    recordsize: 128 << 10,
    policy: Policy {
        compression: Compression::Lz4,
        ..Policy::PLAIN
    },
    now: 0,
    reading: 0,
    dataset: DatasetId(1),
};

fn random(len: u64) -> Piece {
    Source::Random(1).piece(len)
}

fn grown(writes: &[(u64, u64)]) -> Vec<u64> {
    let mut blocks = Blocks::default();
    let size = |&(offset, len): &(u64, u64)| {
        blocks.write(offset, &random(len), TERMS);
        blocks.block_size()
    };
    writes.iter().map(size).collect()
}

#[test]
fn a_single_block_grows_with_its_file_up_to_the_record_size() {
    // Measured on OpenZFS 2.3 with recordsize 128K.
    let writes = [
        (0, 1000),
        (1000, 4000),
        (5000, 123),
        (5123, 95_000),
        (100_123, 95_000),
    ];
    assert_eq!(grown(&writes), [1024, 5120, 5632, 100_352, 131_072]);
}

#[test]
fn a_smaller_record_size_lets_an_odd_block_grow_to_the_next_power_of_two_only() {
    // Measured on OpenZFS 2.3: files of these lengths, then recordsize 4K and 100000 bytes more.
    for (len, after) in [(5000, 8192), (100_000, 131_072), (4096, 4096), (2048, 4096)] {
        let mut blocks = Blocks::default();
        blocks.write(0, &random(len), TERMS);
        blocks.write(
            len,
            &random(100_000),
            Terms {
                recordsize: 4096,
                ..TERMS
            },
        );
        assert_eq!(blocks.block_size(), after, "a file of {len} bytes");
    }
}

#[test]
fn the_block_size_is_frozen_by_a_second_block() {
    let mut blocks = Blocks::default();
    blocks.write(0, &random(300_000), TERMS);
    blocks.write(
        300_000,
        &random(700_000),
        Terms {
            recordsize: 1 << 20,
            ..TERMS
        },
    );
    assert_eq!(blocks.block_size(), 131_072);
    blocks.truncate(0, TERMS);
    assert_eq!(blocks.block_size(), 131_072);
}

#[test]
fn zeros_are_holes_only_with_compression() {
    let mut blocks = Blocks::default();
    blocks.write(0, &random(300_000), TERMS);
    blocks.write(131_072, &Piece::zeros(131_072), TERMS);
    assert_eq!(blocks.ranges(|_| true), [(0, 131_072), (262_144, 393_216)]);
    blocks.write(
        131_072,
        &Piece::zeros(131_072),
        Terms {
            policy: Policy::PLAIN,
            ..TERMS
        },
    );
    assert_eq!(blocks.ranges(|_| true), [(0, 393_216)]);
}

#[test]
fn only_blocks_that_are_written_are_born_anew() {
    let mut blocks = Blocks::default();
    blocks.write(0, &random(512 << 10), TERMS);
    let later = Terms { txg: 9, ..TERMS };
    blocks.write(130 << 10, &random(1), later);
    assert_eq!(
        blocks.ranges(|block| block.birth == 9),
        [(128 << 10, 256 << 10)]
    );
    // The rest of the last block is zeroed in place, so it is born anew; a whole block is not.
    blocks.truncate(300 << 10, later);
    assert_eq!(blocks.ranges(|block| block.birth < 9), [(0, 128 << 10)]);
    let mut whole = Blocks::default();
    whole.write(0, &random(512 << 10), TERMS);
    whole.truncate(256 << 10, later);
    assert_eq!(whole.ranges(|block| block.birth < 9), [(0, 256 << 10)]);
}

#[test]
fn what_was_cut_off_reads_as_zeros_afterwards() {
    let mut blocks = Blocks::default();
    blocks.write(0, &random(300_000), TERMS);
    blocks.truncate(1000, TERMS);
    blocks.truncate(300_000, TERMS);
    let mut expected = data::to_bytes(&[random(1000)]);
    expected.resize(300_000, 0);
    assert_eq!(data::to_bytes(&blocks.read(0, u64::MAX)), expected);
}

/// What a file takes with sectors of 4K, in bytes.
fn charged(blocks: &Blocks) -> u64 {
    let mut synced = blocks.clone();
    synced.sync(&Storage::single(12), &mut Synced::default());
    let figure = synced.charged();
    assert_eq!(figure.least, figure.most);
    figure.least
}

#[test]
fn a_file_that_was_cut_off_keeps_its_indirect_block() {
    let plain = Terms {
        policy: Policy::PLAIN,
        ..TERMS
    };
    let mut blocks = Blocks::default();
    blocks.write(0, &random(100_000), plain);
    assert_eq!(charged(&blocks), 102_400);
    blocks.write(0, &random(300_000), plain);
    assert_eq!(charged(&blocks), (3 << 17) + 8192);
    blocks.truncate(0, plain);
    assert_eq!(charged(&blocks), 0);
    blocks.write(0, &random(10), plain);
    assert_eq!(charged(&blocks), (1 << 17) + 8192);
}

#[test]
fn a_far_byte_takes_a_block_of_each_level() {
    let mut blocks = Blocks::default();
    blocks.write(0, &random(10), TERMS);
    // Their pointer holds them, as long as the block is small.
    assert_eq!(charged(&blocks), 0);
    blocks.write(1 << 40, &random(10), TERMS);
    // Two blocks; above each one of the first and of the second level; and one above all.
    assert_eq!(charged(&blocks), 2 * 4096 + 5 * 8192);
}

#[test]
fn a_hole_is_punched_where_whole_blocks_lie() {
    let plain = Terms {
        policy: Policy::PLAIN,
        ..TERMS
    };
    let mut blocks = Blocks::default();
    blocks.write(0, &random(512 << 10), plain);
    _ = blocks.punch(100_000, 300_000, plain);
    assert_eq!(
        blocks.ranges(|_| true),
        [(0, 128 << 10), (384 << 10, 512 << 10)]
    );
    assert_eq!(data::to_bytes(&blocks.read(99_999, 2))[1], 0);
    // A block that the end of the file lies in is not freed.
    let mut single = Blocks::default();
    single.write(0, &random(100_000), plain);
    _ = single.punch(0, 100_000, plain);
    assert_eq!(single.ranges(|_| true), [(0, 100_352)]);
}

/// A filesystem whose root directory has files of this length, made in one transaction group.
fn filesystem(files: u64, len: u64) -> Objset {
    let mut objset = Objset::new_filesystem(1, 0, 1);
    objset.sync(1, &Storage::single(12), &PLAIN);
    (0..files).for_each(|number| add_file(&mut objset, &format!("f{number}"), len, 2));
    objset
}

const PLAIN: Policy = Policy::PLAIN;

fn add_file(objset: &mut Objset, name: &str, len: u64, txg: u64) {
    let mut blocks = Blocks::default();
    let terms = Terms {
        txg,
        policy: PLAIN,
        ..TERMS
    };
    blocks.write(0, &random(len), terms);
    let id = objset.add(Znode::new(Body::File(blocks), 0o644, 0, 0, txg, 0), 1);
    let root = objset.get_mut(ROOT).expect("every filesystem has a root");
    if let Body::Directory { entries, table, .. } = &mut root.body {
        entries.insert(name.into(), id);
        table.enter(name, id, entries.len());
    }
}

fn exact(figure: storage::Figure) -> u64 {
    assert_eq!(figure.least, figure.most);
    figure.least
}

#[test]
fn an_empty_filesystem_takes_twelve_blocks_each_twice() {
    // Measured on OpenZFS 2.3: `referenced` and `logicalreferenced`.
    for (ashift, referenced, logical) in [
        (12, 98_304, 43_008),
        (13, 196_608, 79_872),
        (14, 393_216, 153_600),
        (16, 1_572_864, 399_360),
    ] {
        let mut objset = Objset::new_filesystem(1, 0, 1);
        let synced = objset.sync(1, &Storage::single(ashift), &PLAIN);
        assert!(synced.freed.is_empty());
        assert_eq!(synced.born, objset.held());
        assert_eq!(exact(synced.born.size), referenced, "ashift {ashift}");
        assert_eq!(exact(synced.born.logical), logical, "ashift {ashift}");
    }
}

#[test]
fn files_take_what_they_were_measured_to() {
    // On OpenZFS 2.3, with sectors of 4K and of 16K.
    for (files, len, of_12, of_14) in [
        (10, 0, 106_496, 425_984),
        (100, 0, 122_880, 491_520),
        (320, 0, 180_224, 720_896),
        (1000, 0, 368_640, 1_409_024),
        (10, 3000, 147_456, 0),
        (100, 3000, 532_480, 2_129_920),
        (1000, 3000, 4_464_640, 17_793_024),
    ] {
        let mut objset = filesystem(files, len);
        objset.sync(2, &Storage::single(12), &PLAIN);
        let held = objset.held().size;
        if files < 1000 {
            assert_eq!(exact(held), of_12, "{files} of {len} bytes");
        }
        // How well the directory compresses is not quite known.
        assert!(held.least <= of_12 && of_12 <= held.most && held.most - held.least <= 8192);
        let mut objset = Objset::new_filesystem(1, 0, 1);
        (0..files).for_each(|number| add_file(&mut objset, &format!("f{number}"), len, 2));
        objset.sync(2, &Storage::single(14), &PLAIN);
        if of_14 > 0 {
            assert_eq!(exact(objset.held().size), of_14, "{files} of {len} bytes");
        }
    }
}

#[test]
fn a_sync_writes_the_way_to_what_has_changed_and_nothing_else() {
    let on = Storage::single(12);
    let mut objset = filesystem(100, 3000);
    objset.sync(2, &on, &PLAIN);
    let snapshot = objset.clone();
    // A block of dnodes, five above it, and the objset, each twice.
    if let Some(znode) = objset.get_mut(70) {
        znode.mode = 0o600;
    }
    let synced = objset.sync(3, &on, &PLAIN);
    assert_eq!(exact(synced.born.size), 2 * 7 * 4096);
    assert_eq!(synced.freed.space(), synced.born);
    assert!(synced.freed.iter().all(|(birth, _)| birth == 2));
    assert_eq!(snapshot.held(), objset.held());
    assert_eq!(objset.sync(4, &on, &PLAIN), Synced::default());
    // What comes and goes within one transaction group never was, but for the way to it.
    let id = objset.add(
        Znode::new(Body::File(Blocks::default()), 0o644, 0, 0, 5, 0),
        1,
    );
    let big = Piece {
        len: 1 << 20,
        ..random(1)
    };
    if let Some(Znode {
        body: Body::File(blocks),
        ..
    }) = objset.get_mut(id)
    {
        blocks.write(0, &big, Terms { txg: 5, ..TERMS });
    }
    // And the delete queue has changed, whose dnode stands in another block.
    objset.free(id);
    let synced = objset.sync(5, &on, &PLAIN);
    assert_eq!(exact(synced.born.size), 2 * 8 * 4096);
}

proptest::proptest! {
    /// What was held, with what each sync wrote and without what it gave up, is what is held.
    #[test]
    fn what_syncs_write_and_give_up_is_what_is_held(
        calls in proptest::collection::vec((0_usize..4, 0_u64..3_000_000, 0_u64..2_000_000, 0_u8..8), 0..40),
        ashift in proptest::sample::select(vec![9_u32, 12, 14]),
    ) {
        let on = Storage::single(ashift);
        let mut objset = Objset::new_filesystem(1, 0, 1);
        let mut held = objset.sync(1, &on, &PLAIN).born;
        let mut ids = [0; 4];
        for (call, (file, offset, len, kind)) in (0..).zip(calls) {
            // A transaction group holds two calls.
            let txg = 2 + call / 2;
            let terms = Terms { txg, ..TERMS };
            if objset.get(ids[file]).is_none() {
                ids[file] = objset.add(Znode::new(Body::File(Blocks::default()), 0o644, 0, 0, txg, 0), 1);
            } else if kind == 0 {
                objset.free(ids[file]);
            }
            if let Some(Znode { body: Body::File(blocks), .. }) = objset.get_mut(ids[file]) {
                match kind {
                    1 => blocks.truncate(offset, terms),
                    2 => _ = blocks.punch(offset, len, terms),
                    3 => blocks.write(offset, &Piece::zeros(len), terms),
                    _ => blocks.write(offset, &random(len), terms),
                }
            }
            if call % 2 == 0 {
                continue;
            }
            let synced = objset.sync(txg, &on, &PLAIN);
            proptest::prop_assert!(synced.freed.iter().all(|(birth, _)| birth < txg));
            held = held - synced.freed.space() + synced.born;
            proptest::prop_assert_eq!(held, objset.held());
            let files = objset.iter().filter_map(|(_, znode)| match &znode.body {
                Body::File(blocks) => Some(blocks.charged()),
                _ => None,
            });
            proptest::prop_assert!(files.sum::<storage::Figure>().least <= held.size.least);
        }
    }
}

proptest::proptest! {
    /// Any writes and truncations leave the bytes that an ordinary buffer would have.
    #[test]
    fn blocks_hold_what_a_buffer_would(
        calls in proptest::collection::vec((0_u64..6000, 0_u64..5000, 0_u8..5), 0..20),
        recordsize in proptest::sample::select(vec![512_u64, 1024, 4096]),
        holes in proptest::bool::ANY,
    ) {
        let policy = if holes { TERMS.policy } else { Policy::PLAIN };
        let terms = Terms { recordsize, policy, ..TERMS };
        let mut blocks = Blocks::default();
        let mut buffer: Vec<u8> = Vec::new();
        for (offset, len, kind) in calls {
            let (start, end) = (usize::try_from(offset)?, usize::try_from(offset + len)?);
            let data = match kind {
                4 => {
                    _ = blocks.punch(offset, len, terms);
                    let size = buffer.len();
                    buffer[start.min(size)..end.min(size)].fill(0);
                    continue;
                }
                0 => {
                    blocks.truncate(offset, terms);
                    buffer.resize(start, 0);
                    continue;
                }
                1 => Piece::zeros(len),
                2 => Source::Text(offset).piece(len),
                _ => Source::Random(offset).piece(len),
            };
            blocks.write(offset, &data, terms);
            if len > 0 {
                buffer.resize(buffer.len().max(end), 0);
                buffer[start..end].copy_from_slice(&data::to_bytes(&[data]));
            }
        }
        proptest::prop_assert_eq!(blocks.size(), buffer.len() as u64);
        proptest::prop_assert_eq!(data::to_bytes(&blocks.read(0, u64::MAX)), buffer);
    }
}

/// The bytes of a block of dnodes, and of an indirect block.
const DNODES: u64 = 16 << 10;
const INDIRECT: u64 = 128 << 10;

/// What changed in an objset counts for, each block its size.
fn dirty(objset: &Objset) -> (u64, u64) {
    let figure = objset.dirty_space(|size| size);
    (figure.least, figure.most)
}

/// A filesystem on disk whose root directory takes so many slots, with so many empty files.
fn synced(slots: u64, files: u64, on: &Storage) -> Objset {
    let mut objset = Objset::new_filesystem(1, 0, slots);
    (0..files).for_each(|_| _ = objset.add(empty_file(), 1));
    objset.sync(1, on, &PLAIN);
    objset
}

fn empty_file() -> Znode {
    Znode::new(Body::File(Blocks::default()), 0o644, 0, 0, 1, 0)
}

#[test]
fn what_changed_counts_for_the_way_to_it() {
    let on = Storage::single(12);
    let clean = synced(1, 100, &on);
    assert_eq!(dirty(&clean), (0, 0));
    // `dbuf_dirty`: the block of the dnode, and one of each of five levels above it. The first hundred numbers lie below
    // the same ones.
    let way = 5 * INDIRECT;
    let changed = |ids: &[ObjectId]| {
        let mut objset = clean.clone();
        for &id in ids {
            objset.get_mut(id).expect("it was made").mode = 0o600;
        }
        dirty(&objset)
    };
    assert_eq!(changed(&[70]), (DNODES + way, DNODES + way));
    assert_eq!(changed(&[70, 71, 95]).0, DNODES + way);
    assert_eq!(changed(&[70, 98, 3]).0, 3 * DNODES + way);
    // 32768 numbers lie below an indirect block.
    let mut far = clean.clone();
    for slots in [32; 1025] {
        far.add(
            Znode {
                slots,
                ..empty_file()
            },
            1,
        );
    }
    far.sync(2, &on, &PLAIN);
    for id in [3, 32_768] {
        far.get_mut(id).expect("it was made").mode = 0o600;
    }
    assert_eq!(dirty(&far).0, 2 * DNODES + way + INDIRECT);
    // What is in a block of a file, and in that above it once it has two.
    let mut objset = clean.clone();
    let plain = Terms {
        policy: PLAIN,
        txg: 2,
        ..TERMS
    };
    for (id, len) in [(70, 4096), (71, 512)] {
        let file = &mut objset.get_mut(id).expect("it was made").body;
        let Body::File(blocks) = file else {
            panic!("{file:?}")
        };
        blocks.write(0, &random(len), plain);
    }
    let blocks = 4096 + 512;
    assert_eq!(
        dirty(&objset),
        (DNODES + way + blocks, DNODES + way + blocks)
    );
    // One that waits in the delete queue, or goes, is in its table. Its blocks may count until they are gone: however large
    // sectors are, no less than they did.
    let mut queued = clean.clone();
    queued.queue(70);
    assert_eq!(dirty(&queued).0, DNODES + way + 512);
    let in_sectors = |objset: &Objset| objset.dirty_space(|size| size.next_multiple_of(64 << 10));
    objset.free(70);
    let after = dirty(&objset);
    // The file's own dnode in one block, those of the queue and of 71 in two others.
    assert_eq!(after.0, 2 * DNODES + way + 512 + 512);
    assert!(in_sectors(&objset).most - in_sectors(&objset).least >= 64 << 10);
    // Of a file without blocks nothing else counts.
    let mut empty = clean.clone();
    empty.free(72);
    let two = 2 * DNODES + way + 512;
    assert_eq!(dirty(&empty), (two, two));
}

#[test]
fn a_spill_block_may_count_until_it_is_on_disk() {
    let on = Storage::single(12);
    let mut objset = synced(1, 100, &on);
    let with = |len| {
        let inline = vec![("user.a".into(), random(len))];
        Some(Box::new(Xattrs {
            inline: Some(inline),
            ..Xattrs::default()
        }))
    };
    // The first layout of its kind is written to a table of a header and a leaf, below an indirect block. Its dnode lies
    // in the block of the root directory.
    let (way, layout) = (5 * INDIRECT, 2 * (16 << 10) + INDIRECT);
    objset.get_mut(70).expect("it was made").xattrs = with(20);
    objset.lay_out(70);
    let two = 2 * DNODES + way + layout;
    assert_eq!(dirty(&objset), (two, two));
    objset.sync(2, &on, &PLAIN);
    // What is in the dnode counts for nothing more; 600 bytes with a header of 8 and 48 bytes about them take 1024.
    objset.get_mut(70).expect("it was made").xattrs = with(24);
    objset.lay_out(70);
    assert_eq!(dirty(&objset), (DNODES + way, DNODES + way));
    let in_sectors = objset.dirty_space(|size| size.max(512));
    assert_eq!(exact(in_sectors), DNODES + way);
    objset.get_mut(71).expect("it was made").xattrs = with(600);
    objset.lay_out(71);
    assert_eq!(dirty(&objset), (two, two + 1024));
}

#[test]
fn tables_stand_behind_a_root_directory_of_any_size() {
    // The same changes count for as much, and write as much.
    let on = Storage::single(12);
    let run = |slots| {
        let mut objset = synced(slots, 3, &on);
        let inline = vec![("user.a".into(), random(20))];
        objset.get_mut(3).expect("it was made").xattrs = Some(Box::new(Xattrs {
            inline: Some(inline),
            ..Xattrs::default()
        }));
        objset.lay_out(3);
        (dirty(&objset), objset.sync(2, &on, &PLAIN))
    };
    let (counted, synced) = run(1);
    // Both blocks of dnodes, five above them, the objset, and the table of layouts: a header and a leaf.
    assert_eq!(exact(synced.born.size), 2 * (2 + 5 + 1 + 2) * 4096);
    for slots in [2, 4, 8, 16] {
        assert_eq!(run(slots), (counted, synced.clone()), "{slots} slots");
    }
}

#[test]
fn a_layout_is_written_once() {
    // A FIFO has the attributes of a root directory that was made without project: no new layout (`sa_find_layout`).
    let on = Storage::single(12);
    let mut objset = Objset::new_filesystem(1, 0, 1);
    objset.grow_attributes();
    objset.sync(1, &on, &PLAIN);
    let add = |objset: &mut Objset, body| {
        objset.add(Znode::new(body, 0o644, 0, 0, 2, 0), 1);
    };
    add(&mut objset, Body::Special(Special::Fifo));
    let way = 5 * INDIRECT;
    assert_eq!(dirty(&objset).0, DNODES + way);
    objset.sync(2, &on, &PLAIN);
    // A file has one more, the first of them.
    for layouts in [1, 0] {
        add(&mut objset, Body::File(Blocks::default()));
        let table = (DNODES + 2 * (16 << 10) + INDIRECT) * layouts;
        assert_eq!(dirty(&objset).0, DNODES + way + table);
        objset.sync(3, &on, &PLAIN);
    }
}

#[test]
fn a_spill_block_is_known_to_two_bytes() {
    // To the byte, on sectors that small.
    let on = Storage::single(0);
    for len in [200, 400, 600] {
        let mut objset = synced(1, 1, &on);
        let inline = vec![
            ("user.a".into(), random(len)),
            ("user.b".into(), Piece::zeros(2000)),
        ];
        let xattrs = Xattrs {
            inline: Some(inline),
            ..Xattrs::default()
        };
        objset.get_mut(2).expect("it was made").xattrs = Some(Box::new(xattrs));
        objset.lay_out(2);
        objset.sync(2, &on, &PLAIN);
        // Random bytes, two runs of zeros, and what is around them.
        let spill = objset
            .inner
            .metadata
            .spilled(2)
            .map(|it| it.weight.physical);
        let spill = spill.expect("it does not fit into the dnode");
        assert_eq!(spill.most - spill.least, 4);
        assert!(
            spill.least > len + 30 && spill.most < len + 150,
            "{len}: {spill:?}"
        );
    }
}

#[test]
fn a_directory_is_written_when_its_table_changes() {
    // Pointers hold no blocks (feature `embedded_data` is off), so that an empty table of 512 bytes is one.
    let on = Storage::single(12);
    let how = Policy {
        embeds_metadata: false,
        ..PLAIN
    };
    let mut objset = synced(1, 0, &on);
    let id = objset.add(Znode::new(Body::directory(ROOT), 0o755, 0, 0, 2, 0), 1);
    let way = 2 * (1 + 5 + 1);
    let sync = |objset: &mut Objset, txg| exact(objset.sync(txg, &on, &how).born.size) / 4096;
    assert_eq!(sync(&mut objset, 2), way + 2);
    objset.get_mut(id).expect("it was made").mode = 0o700;
    assert_eq!(sync(&mut objset, 3), way);
    if let Body::Directory { entries, table, .. } =
        &mut objset.get_mut(id).expect("it was made").body
    {
        entries.insert("a".into(), 40);
        table.enter("a", 40, 1);
    }
    assert_eq!(sync(&mut objset, 4), way + 2);
}

#[test]
fn an_unmount_commits_what_the_intent_log_tells_of() {
    let on = Storage::single(12);
    let mut objset = synced(1, 3, &on);
    objset.commit();
    assert!(!objset.is_dirty());
    // Access times it does not (`zfs_dirty_inode`).
    objset.access(3, 5);
    objset.commit();
    objset.sync(2, &on, &PLAIN);
    assert!(!objset.begin_log());
    objset.get_mut(3).expect("it was made").mode = 0o600;
    objset.commit();
    assert!(objset.begin_log());
}

#[test]
fn a_table_grows_by_64_bytes_with_each_entry() {
    // The delete queue: four numbers fit into its pointer, whatever they are; then it is a block of whole sectors, one
    // for a header and seven entries (`mzap_phys_t`), which takes at most that.
    let on = Storage::single(9);
    for (queued, size) in [
        (0, 0),
        (4, 0),
        (5, 512),
        (7, 512),
        (8, 1024),
        (15, 1024),
        (16, 1536),
        (100, 6656),
    ] {
        let mut objset = synced(1, 200, &on);
        (38..38 + queued).for_each(|id| objset.queue(id));
        let way = {
            let mut other = objset.clone();
            other.inner = Arc::new(Inner {
                unlinked: BTreeSet::new(),
                ..Inner::clone(&other.inner)
            });
            other.sync(2, &on, &PLAIN).born.size
        };
        let born = objset.sync(2, &on, &PLAIN).born.size;
        // `bytes` of its pointer show in the block of dnodes.
        assert!(
            born.most.abs_diff(way.most + 2 * size) <= 1024,
            "{queued}: {born:?}, {way:?}"
        );
        assert_eq!(metadata_block(&objset), size, "{queued}");
    }
}

/// The most that the table of the delete queue takes, once.
fn metadata_block(objset: &Objset) -> u64 {
    let blocks = objset.inner.metadata.blocks(metadata::DELETE_QUEUE);
    blocks.iter().map(|it| it.weight.physical.most).sum()
}

#[test]
fn a_large_directory_holds_what_it_wrote() {
    let on = Storage::single(12);
    let mut objset = synced(1, 1, &on);
    let before = objset.held();
    let root = objset.get_mut(ROOT).expect("every filesystem has a root");
    if let Body::Directory { entries, table, .. } = &mut root.body {
        for number in 0..20 {
            let name = format!("n{number:04}{}", "x".repeat(55));
            entries.insert(name.as_str().into(), 2);
            table.enter(&name, 2, entries.len());
        }
    }
    // The header, a leaf and the block above; perhaps three leaves more, and the small table of 21 times 64 bytes.
    let least = DNODES + 5 * INDIRECT + 2 * (16 << 10) + INDIRECT;
    assert_eq!(dirty(&objset), (least, least + 3 * (16 << 10) + 1536));
    let synced = objset.sync(2, &on, &PLAIN);
    // Measured (`large-directory-of-long-names.trace`): header, leaf and the block above them, besides the way there.
    assert_eq!(exact(synced.born.size), 2 * (1 + 5 + 1 + 3) * 4096);
    assert_eq!(objset.held(), before - synced.freed.space() + synced.born);
    // All of it is given up with it.
    let inner = Arc::make_mut(&mut objset.inner);
    let root = inner
        .objects
        .get(&ROOT)
        .cloned()
        .expect("every filesystem has a root");
    inner.metadata.free(ROOT, &root);
    let synced = objset.sync(3, &on, &PLAIN);
    assert_eq!(synced.leaves.len(), 1);
    assert_eq!(
        (synced.leaves[0].birth, exact(synced.leaves[0].weight.size)),
        (2, 8192)
    );
}

#[test]
fn deadlists_are_merged_whichever_is_longer() {
    let weight = |bytes| Weight {
        size: storage::Figure::exact(bytes),
        ..Weight::ZERO
    };
    let list = |births: &[u64]| {
        let mut list = deadlist::Deadlist::EMPTY;
        for &birth in births {
            list.insert(birth, weight(birth));
        }
        list
    };
    assert!(list(&[]).is_empty() && !list(&[3]).is_empty());
    for (one, other, all) in [
        (&[3, 5][..], &[][..], &[(3, 3), (5, 5)][..]),
        (&[], &[3, 5], &[(3, 3), (5, 5)]),
        (&[3], &[3, 5], &[(3, 6), (5, 5)]),
        (&[3, 5], &[5, 7], &[(3, 3), (5, 10), (7, 7)]),
    ] {
        let mut merged = list(one);
        merged.merge(list(other));
        assert_eq!(
            merged.iter().collect::<Vec<_>>(),
            all.iter()
                .map(|&(birth, bytes)| (birth, weight(bytes)))
                .collect::<Vec<_>>()
        );
        assert_eq!(merged.space(), all.iter().map(|it| weight(it.1)).sum());
    }
}
