//! `pointers`: which blocks the files of a pool have, when they were born, and who has the same ones.
//!
//! A real pool tells where each block lies. The model does not know, but whose history a block comes from. So
//! every arm says for each pointer something that is equal where, and only where, the block is the same, and
//! what is printed tells of that: the dataset, the oldest first, that has it too.

use std::collections::{BTreeSet, HashMap};

use super::print::kilo;

/// A filesystem or a snapshot, with what the files in it point to.
#[derive(Debug)]
pub(super) struct Holder {
    /// Its name.
    pub name: String,
    /// What it is a clone of.
    pub origin: Option<String>,
    /// By object, and as they lie in it.
    pub pointers: Vec<Pointer>,
}

/// A pointer to a block of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Pointer {
    /// The number of the file.
    pub object: u64,
    /// 0 for a block of data, more for indirect ones.
    pub level: u32,
    /// Where it starts in the file, in bytes.
    pub start: u64,
    /// Where a block of data ends; of an indirect one the same as the start.
    pub end: u64,
    /// The transaction group that wrote it.
    pub birth: u64,
    /// Where it lies; none when the pointer itself holds it.
    pub place: Option<String>,
}

/// Pointers that are printed as one, and where they end.
#[derive(PartialEq, Eq)]
struct Run {
    object: u64,
    level: u32,
    birth: usize,
    place: String,
}

/// What is printed of these, the oldest first. Births are numbered, as a pool's own transaction groups come
/// between.
pub(super) fn lines(holders: &[Holder]) -> Vec<String> {
    let all = holders.iter().flat_map(|it| &it.pointers);
    let births: BTreeSet<u64> = all.map(|it| it.birth).collect();
    let births: HashMap<u64, usize> = births.into_iter().zip(1..).collect();
    let mut first = HashMap::new();
    let mut lines = Vec::new();
    for holder in holders {
        let origin = holder.origin.as_ref();
        let origin = origin.map_or_else(String::new, |name| format!(" origin={name}"));
        lines.push(format!("{}{origin}", holder.name));
        let mut run: Option<(Run, u64, u64)> = None;
        for pointer in &holder.pointers {
            let at = (pointer.object, pointer.level, pointer.start);
            let place = match &pointer.place {
                None => " embedded".to_owned(),
                Some(place) => {
                    let found = *first
                        .entry((place, pointer.birth))
                        .or_insert((&holder.name, at));
                    match found {
                        (name, there) if there != at => format!(" as {name} {there:?}"),
                        (name, _) if *name == holder.name => String::new(),
                        (name, _) => format!(" in {name}"),
                    }
                }
            };
            let next = Run {
                object: pointer.object,
                level: pointer.level,
                birth: births.get(&pointer.birth).copied().unwrap_or_default(),
                place,
            };
            match &mut run {
                Some((run, _, end))
                    if *run == next && pointer.level == 0 && *end == pointer.start =>
                {
                    *end = pointer.end;
                }
                _ => {
                    lines.extend(run.take().map(line));
                    run = Some((next, pointer.start, pointer.end));
                }
            }
        }
        lines.extend(run.map(line));
    }
    lines
}

fn line((run, start, end): (Run, u64, u64)) -> String {
    let at = match run.level {
        0 => format!("{}-{}", kilo(start), kilo(end)),
        level => format!("L{level} {}", kilo(start)),
    };
    format!("  {} {at} born={}{}", run.object, run.birth, run.place)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holder(name: &str, origin: Option<&str>, pointers: &[(u64, u32, u64, &str)]) -> Holder {
        let pointers = pointers
            .iter()
            .map(|&(start, level, birth, place)| Pointer {
                object: 2,
                level,
                start: start << 10,
                end: (start + 128) << 10,
                birth,
                place: Some(place.to_owned()).filter(|it| !it.is_empty()),
            });
        Holder {
            name: name.to_owned(),
            origin: origin.map(str::to_owned),
            pointers: pointers.collect(),
        }
    }

    #[test]
    fn a_block_is_the_same_where_place_and_birth_are() {
        let told = lines(&[
            holder(
                "a@s",
                None,
                &[(0, 1, 7, "z"), (0, 0, 7, "x"), (128, 0, 7, "y")],
            ),
            holder(
                "a",
                None,
                &[(0, 0, 9, "x"), (128, 0, 7, "y"), (256, 0, 9, "")],
            ),
            holder(
                "b",
                Some("a@s"),
                &[(0, 0, 7, "x"), (128, 0, 7, "y"), (256, 0, 7, "y")],
            ),
        ]);
        insta::assert_snapshot!(told.join("\n"), @r"
        a@s
          2 L1 0 born=1
          2 0-256K born=1
        a
          2 0-128K born=2
          2 128K-256K born=1 in a@s
          2 256K-384K born=2 embedded
        b origin=a@s
          2 0-256K born=1 in a@s
          2 256K-384K born=1 as a@s (2, 0, 131072)
        ");
    }
}
