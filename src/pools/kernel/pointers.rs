//! What the files of a pool point to, as `zdb` tells it.

use std::collections::HashMap;
use std::time::Duration;

use super::child;
use crate::pools::Unavailable;
use crate::pools::pointers::{Holder, Pointer};

/// The filesystems and snapshots of a synced pool, in the order that `pointers` has them.
pub(super) fn of_pool(pool: &str, limit: Duration) -> Result<Vec<Holder>, Unavailable> {
    let list = [
        "list",
        "-Hpr",
        "-t",
        "filesystem,snapshot",
        "-o",
        "type,createtxg,name,origin",
        pool,
    ];
    let listed = child::must("zfs", &list, limit)?;
    let mut dumped = parse(&child::must("zdb", &["-ddddd", pool], limit)?);
    let mut holders: Vec<(u64, Holder)> = listed
        .lines()
        .filter_map(|line| {
            let mut cells = line.split('\t');
            let (kind, made, name, origin) =
                (cells.next()?, cells.next()?, cells.next()?, cells.next()?);
            let holder = Holder {
                name: name.to_owned(),
                origin: Some(origin.to_owned()).filter(|it| !matches!(it.as_str(), "-" | "")),
                // The snapshots of volumes stay out with the volumes.
                pointers: dumped.remove(name)?,
            };
            let made = if kind == "snapshot" {
                made.parse().ok()?
            } else {
                u64::MAX
            };
            Some((made, holder))
        })
        .collect();
    holders.sort_by(|a, b| (a.0, &a.1.name).cmp(&(b.0, &b.1.name)));
    Ok(holders.into_iter().map(|(_, holder)| holder).collect())
}

/// The pointers of plain files, by filesystem or snapshot.
fn parse(text: &str) -> HashMap<String, Vec<Pointer>> {
    let mut found: HashMap<String, Vec<Pointer>> = HashMap::new();
    let mut of = None;
    let mut file = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(head) = line.strip_prefix("Dataset ") {
            let name = head.split_once(" [ZPL], ID ").map(|(name, _)| name);
            of = name.map(|name| found.entry(name.to_owned()).or_default());
            file = None;
        } else if line.starts_with("    Object  lvl ") {
            let row = lines.next().unwrap_or_default();
            let object = row.split_whitespace().next().and_then(|it| it.parse().ok());
            file = object.filter(|_| row.contains("  ZFS plain file"));
        } else if let (Some(of), Some(object)) = (&mut of, file) {
            of.extend(pointer(line, object));
        }
    }
    found
}

/// A pointer to a block: the offset, the level, where it lies, the size before and after compression, and the
/// transaction group that wrote it. A hole has but one size.
fn pointer(line: &str, object: u64) -> Option<Pointer> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let [offset, level, place, rest @ ..] = &words[..] else {
        return None;
    };
    let level = level.strip_prefix('L')?.parse().ok()?;
    let start = u64::from_str_radix(offset, 16).ok()?;
    let sizes = rest.iter().find_map(|word| word.split_once("L/"))?;
    let size = u64::from_str_radix(sizes.0, 16).ok()?;
    let birth = rest.iter().find_map(|word| word.strip_prefix("B="))?;
    let birth = birth.split('/').next()?.parse().ok()?;
    Some(Pointer {
        object,
        level,
        start,
        end: if level == 0 { start + size } else { start },
        birth,
        place: (*place != "EMBEDDED").then(|| (*place).to_owned()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_of_files_are_read_from_a_dump() {
        let text = "\
Dataset mos [META], ID 0, cr_txg 4, 4.27M, 101 objects, rootbp DVA[0]=<0:9c00:200>
    Object  lvl   iblk   dblk  dsize  dnsize  lsize   %full  type
        32    1   128K   128K      0     512   128K  100.00  ZFS plain file
               0 L0 0:99999:200 200L/200P F=1 B=8/8 cksum=0:0:0:0
Dataset tank/a b@s [ZPL], ID 139, cr_txg 10, 203K, 10 objects, rootbp DVA[0]=<0:9c00:200>
    Object  lvl   iblk   dblk  dsize  dnsize  lsize   %full  type
         2    2   128K   128K   203K     512   256K  100.00  ZFS plain file
                                               176   bonus  System attributes
\tpath\t/f
Indirect blocks:
               0 L1  0:98000:400 20000L/400P F=2 B=11/11 cksum=1:2:3:4
               0  L0 0:18a00:20000 20000L/20000P F=1 B=9/9 cksum=1:2:3:4
           20000  L0 EMBEDDED et=0 20000L/13P B=9
           40000  L0 0:0:0 20000L B=11

\t\tsegment [0000000000000000, 0000000000040000) size  256K

    Object  lvl   iblk   dblk  dsize  dnsize  lsize   %full  type
        34    1   128K    512      0     512    512  100.00  ZFS directory
Indirect blocks:
               0 L0 0:9a000:200 200L/200P F=1 B=9/9 cksum=1:2:3:4
";
        let pointer = |level, start, end, birth, place: &str| Pointer {
            object: 2,
            level,
            start,
            end,
            birth,
            place: Some(place.to_owned()).filter(|it| !it.is_empty()),
        };
        let found = parse(text);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found["tank/a b@s"],
            [
                pointer(1, 0, 0, 11, "0:98000:400"),
                pointer(0, 0, 128 << 10, 9, "0:18a00:20000"),
                pointer(0, 128 << 10, 256 << 10, 9, ""),
            ]
        );
    }
}
