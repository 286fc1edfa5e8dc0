//! Which blocks of a file a snapshot has too, told by the streams that `zfs send` makes.
//!
//! An increment from a snapshot carries every block that is newer than it, so what a full stream has and
//! no increment on the way has, is shared.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{child, unavailable};
use crate::pools::Unavailable;

/// The name of the snapshot that is made for the moment.
const MOMENT: &str = "ztwin-shared";

/// Snapshots from the one asked about to the newest; between each two an increment can be sent.
#[derive(Debug)]
pub(super) struct Chain {
    /// Oldest first.
    snapshots: Vec<String>,
    /// The snapshot of the file's filesystem that is to be made for the moment, as the newest.
    moment: Option<String>,
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|&word| word.to_owned()).collect()
}

/// Whether a snapshot of that name exists.
pub(super) fn exists(snapshot: &str, limit: Duration) -> Result<bool, Unavailable> {
    let listed = child::run(
        "zfs",
        &words(&["list", "-H", "-t", "snapshot", "-o", "name", snapshot]),
        &[],
        limit,
    )?;
    Ok(listed.succeeded() && listed.out == format!("{snapshot}\n").as_bytes())
}

fn property(dataset: &str, name: &str, limit: Duration) -> Result<String, Unavailable> {
    let got = child::must(
        "zfs",
        &["get", "-H", "-p", "-o", "value", name, dataset],
        limit,
    )?;
    Ok(got.trim().to_owned())
}

fn createtxg(snapshot: &str, limit: Duration) -> Result<u64, Unavailable> {
    let txg = property(snapshot, "createtxg", limit)?;
    txg.parse()
        .map_err(|_| unavailable(format!("{snapshot} has createtxg '{txg}', no number")))
}

/// The way from `snapshot` to `dataset` along origins; none when there is none.
pub(super) fn chain(
    dataset: &str,
    snapshot: &str,
    limit: Duration,
) -> Result<Option<Chain>, Unavailable> {
    let oldest = createtxg(snapshot, limit)?;
    let of = snapshot.split('@').next().unwrap_or_default();
    // A snapshot is itself the newest.
    let moment = (!dataset.contains('@')).then(|| format!("{dataset}@{MOMENT}"));
    let mut at = dataset.to_owned();
    let mut snapshots = Vec::new();
    loop {
        let filesystem = at.split('@').next().unwrap_or_default().to_owned();
        if at.contains('@') {
            snapshots.push(at.clone());
        }
        if at == snapshot {
            break;
        }
        if filesystem == of {
            if at.contains('@') && createtxg(&at, limit)? <= oldest {
                return Ok(None);
            }
            snapshots.push(snapshot.to_owned());
            break;
        }
        at = property(&filesystem, "origin", limit)?;
        if at == "-" || at.is_empty() {
            return Ok(None);
        }
    }
    snapshots.reverse();
    Ok(Some(Chain { snapshots, moment }))
}

/// A run of bytes: start, end.
type Range = (u64, u64);

/// The byte ranges of the blocks of a file that are as old as the chain's first snapshot.
pub(super) fn ranges(
    mut chain: Chain,
    object: u64,
    limit: Duration,
) -> Result<Vec<Range>, Unavailable> {
    let moment = chain.moment.take();
    if let Some(moment) = &moment {
        child::must("zfs", &["snapshot", moment], limit)?;
        chain.snapshots.push(moment.clone());
    }
    let computed = compute(&chain.snapshots, object, limit);
    if let Some(moment) = &moment {
        child::must("zfs", &["destroy", moment], limit)?;
    }
    computed
}

fn compute(snapshots: &[String], object: u64, limit: Duration) -> Result<Vec<Range>, Unavailable> {
    let Some(last) = snapshots.last() else {
        return Ok(Vec::new());
    };
    let mut shared = writes(None, last, object, limit)?;
    for pair in snapshots.windows(2) {
        for newer in writes(Some(&pair[0]), &pair[1], object, limit)? {
            shared.remove(&newer);
        }
    }
    Ok(merge(shared))
}

/// Joins blocks that follow each other.
fn merge(blocks: BTreeSet<Range>) -> Vec<Range> {
    let mut merged: Vec<Range> = Vec::new();
    for (start, end) in blocks {
        match merged.last_mut() {
            Some(last) if last.1 == start => last.1 = end,
            _ => merged.push((start, end)),
        }
    }
    merged
}

/// The level-0 blocks of an object that a stream carries.
fn writes(
    from: Option<&str>,
    to: &str,
    object: u64,
    limit: Duration,
) -> Result<BTreeSet<Range>, Unavailable> {
    let mut send = words(&["send", "-L"]);
    if let Some(from) = from {
        send.extend(words(&["-i", from]));
    }
    send.push(to.to_owned());
    let stream = child::run("zfs", &send, &[], limit)?;
    if !stream.succeeded() {
        return Err(unavailable(format!(
            "`zfs send` of {to} from {from:?} failed: {}",
            String::from_utf8_lossy(&stream.err).trim()
        )));
    }
    let dumped = child::run("zstream", &words(&["dump", "-v"]), &stream.out, limit)?;
    if !dumped.succeeded() {
        return Err(unavailable(format!(
            "`zstream dump` of {to} from {from:?} failed: {}",
            String::from_utf8_lossy(&dumped.err).trim()
        )));
    }
    Ok(parse(&String::from_utf8_lossy(&dumped.out), object))
}

/// The `WRITE` records of an object.
fn parse(text: &str, object: u64) -> BTreeSet<Range> {
    let mut ranges = BTreeSet::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("WRITE ")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let field = |name: &str| {
            let at = words.windows(2).position(|pair| pair == [name, "="])?;
            words.get(at + 2)?.parse::<u64>().ok()
        };
        if field("object") != Some(object) {
            continue;
        }
        if let (Some(offset), Some(size)) = (field("offset"), field("logical_size")) {
            ranges.insert((offset, offset + size));
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_of_one_object_are_read_from_a_dump() {
        let text = "\
OBJECT object = 2 type = 19 bonustype = 44 blksz = 131072 bonuslen = 176
WRITE object = 2 type = 19 checksum type = 7 compression type = 0 flags = 0 offset = 0 \
logical_size = 131072 compressed_size = 0 payload_size = 131072 props = 8f00000000
WRITE object = 3 type = 19 checksum type = 7 compression type = 0 flags = 0 offset = 0 \
logical_size = 512 compressed_size = 0 payload_size = 512 props = 8f00000000
FREE object = 2 offset = 262144 length = -1
WRITE object = 2 type = 19 checksum type = 7 compression type = 0 flags = 0 offset = 131072 \
logical_size = 131072 compressed_size = 0 payload_size = 131072 props = 8f00000000
";
        assert_eq!(
            parse(text, 2),
            BTreeSet::from([(0, 131_072), (131_072, 262_144)])
        );
        assert_eq!(merge(parse(text, 2)), [(0, 262_144)]);
        assert_eq!(parse(text, 9), BTreeSet::new());
    }
}
