//! Names for the bytes that a session wrote.

use std::collections::BTreeMap;
use std::ops::Range;

use ztwin_model::dmu::data::Source;

/// A `write` step's place and data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    /// Where in the file, in bytes.
    pub offset: u64,
    /// How many bytes.
    pub len: u64,
    /// `zero`, `random:7`, `text:7`, `hex:BYTES` or `hash:HEX`.
    pub name: String,
}

/// Bytes equal at the end of one change and the beginning of the next are no end of it, up to this
/// many: data that overwrites other data agrees with it here and there by chance.
const CHANCE: usize = 64;

/// As many bytes decide whether a run of the generator begins.
const SURE: usize = 24;

/// Fewer bytes than this have no name: one in 256 is right by chance.
const LEAST: usize = 8;

/// Up to this many bytes stand in the step itself.
const SHORT: usize = 64;

/// As many zeros are a run of their own.
const ZEROS: usize = 512;

/// The data that a session declares, and the bytes that it did not.
#[derive(Clone, Debug, Default)]
pub struct Names {
    declared: BTreeMap<String, Source>,
    /// What has no other name, by its BLAKE3 hash in hex: the files of `traces/data`.
    pub unnamed: BTreeMap<String, Vec<u8>>,
}

impl Names {
    /// Takes every `random:SEED` and `text:SEED` in the text of a session's files as declared.
    pub fn declare(&mut self, text: &str) {
        for kind in ["random", "text"] {
            for (at, _) in text.match_indices(kind) {
                let Some(rest) = text[at + kind.len()..].strip_prefix(':') else {
                    continue;
                };
                let end = rest
                    .find(|c: char| !c.is_ascii_digit())
                    .unwrap_or(rest.len());
                if let Ok(seed) = rest[..end].parse() {
                    let source = if kind == "text" {
                        Source::Text
                    } else {
                        Source::Random
                    };
                    self.declared.insert(format!("{kind}:{seed}"), source(seed));
                }
            }
        }
    }

    /// The writes that lead from `old` to `new`, where `old` has already the length of `new`, or is
    /// shorter: a whole file is written when it is empty. Later ones may write over earlier ones.
    pub fn runs(&mut self, old: &[u8], new: &[u8]) -> Vec<Run> {
        let mut runs = Vec::new();
        for change in changes(old, new) {
            self.name(new, change, &mut runs);
        }
        runs
    }

    fn name(&mut self, new: &[u8], change: Range<usize>, runs: &mut Vec<Run>) {
        let mut at = change.start;
        let first = runs.len();
        // Where bytes without a name began.
        let mut unnamed = None;
        while at < change.end {
            let all_zero = at == change.start && new[change.clone()].iter().all(|&byte| byte == 0);
            let found = if all_zero {
                Some((at, change.end, "zero".to_owned()))
            } else {
                self.find(new, at, change.end)
            };
            let Some((start, end, name)) = found else {
                if let Some((index, end)) = self.goes_on(new, at, change.end, &runs[first..]) {
                    if let Some(from) = unnamed.take() {
                        self.keep(&new[from..at], from, runs);
                    }
                    let run = &mut runs[first + index];
                    run.len = end as u64 - run.offset;
                    at = end;
                    continue;
                }
                unnamed.get_or_insert(at);
                at += 1;
                continue;
            };
            if let Some(from) = unnamed.take() {
                self.keep(&new[from..at], from, runs);
            }
            // A run may begin before the first byte that differs, but not inside of another run.
            let ends = runs.iter().map(|run: &Run| run.offset + run.len);
            let floor = ends.max().unwrap_or(0);
            let start = if (start as u64) < floor { at } else { start };
            if start == at || name != "zero" {
                let (offset, len) = (start as u64, (end - start) as u64);
                runs.push(Run { offset, len, name });
            }
            at = end;
        }
        if let Some(from) = unnamed {
            self.keep(&new[from..change.end], from, runs);
        }
    }

    fn keep(&mut self, bytes: &[u8], at: usize, runs: &mut Vec<Run>) {
        let (offset, len) = (at as u64, bytes.len() as u64);
        let name = if bytes.len() <= SHORT {
            let digits = bytes.iter().map(|byte| format!("{byte:02x}"));
            format!("hex:{}", digits.collect::<String>())
        } else {
            let hash = blake3::hash(bytes).to_hex().to_string();
            self.unnamed.insert(hash.clone(), bytes.to_vec());
            format!("hash:{hash}")
        };
        runs.push(Run { offset, len, name });
    }

    /// Which of `runs` goes on at `at`, behind data that was written over it, and where it ends then.
    fn goes_on(&self, new: &[u8], at: usize, limit: usize, runs: &[Run]) -> Option<(usize, usize)> {
        if limit - at < SURE {
            return None;
        }
        runs.iter().enumerate().find_map(|(index, run)| {
            let source = self.declared.get(&run.name)?;
            let position = at as u64 - run.offset;
            let mut head = [0; SURE];
            source.read(position, &mut head);
            if head != new[at..at + SURE] {
                return None;
            }
            let mut all = vec![0; limit - at];
            source.read(position, &mut all);
            let same = all.iter().zip(&new[at..]).take_while(|(a, b)| a == b);
            Some((index, at + same.count()))
        })
    }

    /// A run of declared data, or zeros, that covers `at`: where it starts, ends, and its name. It
    /// goes to `limit`, or a little further where the bytes behind are its own too.
    fn find(&self, new: &[u8], at: usize, limit: usize) -> Option<(usize, usize, String)> {
        let zeros = new[at..limit].iter().take_while(|&&byte| byte == 0).count();
        if zeros >= ZEROS {
            return Some((at, at + zeros, "zero".to_owned()));
        }
        for back in 0..=CHANCE.min(at) {
            let start = at - back;
            for (name, source) in &self.declared {
                let sure = (limit - start).min(SURE + back);
                // Few bytes prove something only if they are all there is.
                if limit - at < LEAST || sure < SURE + back && back > 0 {
                    continue;
                }
                let mut head = [0; SURE + CHANCE];
                source.read(0, &mut head[..sure]);
                if head[..sure] != new[start..start + sure] {
                    continue;
                }
                let mut all = vec![0; (limit - start + CHANCE).min(new.len() - start)];
                source.read(0, &mut all);
                let same = all
                    .iter()
                    .zip(&new[start..])
                    .take_while(|(a, b)| a == b)
                    .count();
                return Some((start, start + same, name.clone()));
            }
        }
        None
    }
}

/// Where `new` differs from `old`, differences close to each other as one.
fn changes(old: &[u8], new: &[u8]) -> Vec<Range<usize>> {
    let mut changes: Vec<Range<usize>> = Vec::new();
    for (at, byte) in new.iter().enumerate() {
        if old.get(at) == Some(byte) {
            continue;
        }
        match changes.last_mut() {
            // What is appended is a write of its own.
            Some(last) if at - last.end <= CHANCE && (at != old.len() || old.is_empty()) => {
                last.end = at + 1;
            }
            _ => changes.push(at..at + 1),
        }
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(source: &Source, len: usize) -> Vec<u8> {
        let mut out = vec![0; len];
        source.read(0, &mut out);
        out
    }

    fn names() -> Names {
        let mut names = Names::default();
        names.declare("put /a random:7 3K + put /b text:3 20K, random:8; random: text:x");
        names
    }

    fn run(offset: u64, len: u64, name: &str) -> Run {
        Run {
            offset,
            len,
            name: name.into(),
        }
    }

    #[test]
    fn seeds_are_declared_by_standing_in_the_text() {
        let names = names();
        assert_eq!(
            names.declared.keys().collect::<Vec<_>>(),
            ["random:7", "random:8", "text:3"]
        );
    }

    #[test]
    fn a_new_file_is_named_run_by_run() {
        let mut new = bytes(&Source::Random(7), 3000);
        new.extend(bytes(&Source::Text(3), 500));
        new.extend([0; 4096]);
        let mut names = names();
        assert_eq!(
            names.runs(&[], &new),
            [
                run(0, 3000, "random:7"),
                run(3000, 500, "text:3"),
                run(3500, 4096, "zero")
            ]
        );
        assert!(names.unnamed.is_empty());
    }

    #[test]
    fn an_overwritten_range_is_one_run_whatever_it_has_in_common_with_what_was_there() {
        // Every start, so that chance agreements at the edges come up.
        let old = bytes(&Source::Text(3), 4000);
        for start in 100..400 {
            let mut new = old.clone();
            new[start..start + 1000].copy_from_slice(&bytes(&Source::Random(8), 1000));
            let runs = names().runs(&old, &new);
            assert_eq!(runs.len(), 1, "{start}: {runs:?}");
            assert_eq!(
                (runs[0].offset, runs[0].name.as_str()),
                (start as u64, "random:8")
            );
            let mut redone = old.clone();
            let at = start..start + usize::try_from(runs[0].len).unwrap();
            let data = bytes(&Source::Random(8), at.len());
            redone[at].copy_from_slice(&data);
            assert!(redone == new, "{start}");
        }
    }

    #[test]
    fn appended_data_is_a_run_of_its_own() {
        let old = bytes(&Source::Random(7), 1000);
        let mut new = old.clone();
        new.extend(bytes(&Source::Random(7), 2000));
        assert_eq!(names().runs(&old, &new), [run(1000, 2000, "random:7")]);
    }

    #[test]
    fn data_behind_what_was_written_over_it_is_still_the_same_run() {
        let mut new = bytes(&Source::Random(7), 30_000);
        new[9000..10_000].copy_from_slice(&bytes(&Source::Random(8), 1000));
        new[20_000..20_600].fill(0);
        assert_eq!(
            names().runs(&[], &new),
            [
                run(0, 30_000, "random:7"),
                run(9000, 1000, "random:8"),
                run(20_000, 600, "zero")
            ]
        );
    }

    #[test]
    fn few_bytes_that_nobody_declared_stand_in_the_step() {
        let mut names = names();
        let mut new = b"#!/bin\n".to_vec();
        new.extend(bytes(&Source::Random(8), 100));
        assert_eq!(
            names.runs(&[], &new),
            [run(0, 7, "hex:23212f62696e0a"), run(7, 100, "random:8")]
        );
        assert!(names.unnamed.is_empty());
    }

    #[test]
    fn bytes_that_nobody_declared_are_kept_under_their_hash() {
        let mut names = names();
        let script = b"#!/bin/sh\n".repeat(10);
        let mut new = script.clone();
        new.extend(bytes(&Source::Random(8), 100));
        let hash = blake3::hash(&script).to_hex().to_string();
        assert_eq!(
            names.runs(&[], &new),
            [
                run(0, 100, &format!("hash:{hash}")),
                run(100, 100, "random:8")
            ]
        );
        assert_eq!(names.unnamed.get(&hash), Some(&script));
    }
}
