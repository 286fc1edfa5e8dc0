//! What gzip makes of a block: how many bytes, as Linux's `zlib_deflate` has it (zlib 1.1.3), which OpenZFS calls
//! (`zfs_gzip_compress`, `spl-zlib.c`).
//!
//! Newer versions of zlib end blocks of deflate elsewhere. The size alone is wanted, so that nothing is written.

/// The shortest and the longest match.
const MATCH: std::ops::RangeInclusive<usize> = 3..=258;

/// What is in memory of the input: two windows.
const WINDOW: usize = 1 << 15;

/// With less than this ahead, more is read (`MIN_LOOKAHEAD`).
const AHEAD: usize = 258 + 3 + 1;

/// The farthest match.
const FAR: usize = WINDOW - AHEAD;

/// The shortest match is not worth it from farther away than this (`TOO_FAR`).
const TOO_FAR: usize = 4096;

/// The literals and matches in a block of deflate, at most (`lit_bufsize` less one).
const MOST: usize = (1 << 14) - 1;

/// Each so many of them it looks whether the block should end.
const LOOK: usize = 4096;

/// Literals, the end of a block, and lengths of matches.
const LITERALS: usize = 286;

/// The literal that ends a block.
const END: usize = 256;

/// Distances of matches.
const DISTANCES: usize = 30;

/// Lengths of codes.
const LENGTHS: usize = 19;

/// The order in which the lengths of the codes of lengths stand (RFC 1951, 3.2.7).
const ORDER: [usize; LENGTHS] = [
    16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15,
];

/// How a level looks for matches (`configuration_table`).
struct Effort {
    /// With a match so long the search is shortened.
    good: usize,
    /// With one so long no better one is looked for at the next byte; where that is never done, it is the longest of
    /// which all bytes can be found again.
    lazy: usize,
    /// One so long is taken at once.
    nice: usize,
    /// So many candidates are looked at.
    chain: usize,
}

impl Effort {
    fn of(level: i16) -> Effort {
        let (good, lazy, nice, chain) = match level {
            0 | 1 => (4, 4, 8, 4),
            2 => (4, 5, 16, 8),
            3 => (4, 6, 32, 32),
            4 => (4, 4, 16, 16),
            5 => (8, 16, 32, 32),
            6 => (8, 16, 128, 128),
            7 => (8, 32, 128, 256),
            8 => (32, 128, 258, 1024),
            _ => (32, 258, 258, 4096),
        };
        Effort {
            good,
            lazy,
            nice,
            chain,
        }
    }
}

/// The size of `bytes` when compressed at a level from 1 to 9, if they fit into `room`.
pub(super) fn size(bytes: &[u8], level: i16, room: u64) -> Option<u64> {
    let mut search = Search::new(bytes, level);
    if level <= 3 {
        search.fast();
    } else {
        search.slow();
    }
    search.block.flush(search.at, true, search.base);
    // Two bytes stand in front, and a checksum behind.
    let size = 2 + search.block.bits.div_ceil(8) + 4;
    (size <= room).then_some(size)
}

/// Looks for matches.
struct Search<'a> {
    bytes: &'a [u8],
    level: i16,
    effort: Effort,
    /// The last position with each hash, and the one before each position; 0 for none.
    head: Vec<usize>,
    before: Vec<usize>,
    /// Where it is.
    at: usize,
    /// Where what is in memory begins and ends.
    base: usize,
    read: usize,
    block: Block,
}

impl Search<'_> {
    fn new(bytes: &[u8], level: i16) -> Search<'_> {
        Search {
            bytes,
            level,
            effort: Effort::of(level),
            head: vec![0; 1 << 15],
            before: vec![0; WINDOW],
            at: 0,
            base: 0,
            read: 0,
            block: Block::new(0),
        }
    }

    /// Reads on where little is left ahead; whether there is anything left (`fill_window`).
    fn fill(&mut self) -> bool {
        while self.read - self.at < AHEAD {
            let mut room = 2 * WINDOW - (self.read - self.base);
            if self.at - self.base >= WINDOW + FAR {
                self.base += WINDOW;
                room += WINDOW;
            }
            if self.read == self.bytes.len() {
                break;
            }
            self.read = self.bytes.len().min(self.read + room);
        }
        self.at < self.read
    }

    /// Enters the current position, and returns the last one with the same hash.
    fn insert(&mut self) -> usize {
        let Some(&[a, b, c]) = self.bytes.get(self.at..self.at + 3) else {
            return 0;
        };
        let hash = (usize::from(a) << 10 ^ usize::from(b) << 5 ^ usize::from(c)) & 0x7fff;
        let last = std::mem::replace(&mut self.head[hash], self.at);
        self.before[self.at % WINDOW] = last;
        last
    }

    /// Whether a position can be looked at: what is no longer in memory, and the very first byte, cannot.
    fn is_near(&self, from: usize) -> bool {
        from > self.base && self.at - from <= FAR
    }

    /// The longest match that is longer than one that there is already, with where it begins, from one position back
    /// on (`longest_match`).
    fn longest(&self, mut from: usize, mut best: usize) -> (usize, Option<usize>) {
        let ahead = self.bytes.len() - self.at;
        let most = ahead.min(*MATCH.end());
        let nice = self.effort.nice.min(ahead);
        let limit = self.at.saturating_sub(FAR).max(self.base);
        let mut chain = self.effort.chain;
        if best >= self.effort.good {
            chain >>= 2;
        }
        let here = &self.bytes[self.at..self.at + most];
        let mut start = None;
        for _ in 0..chain {
            let there = &self.bytes[from..];
            let may_be_longer = best < most && there[best] == here[best];
            if may_be_longer {
                let same = here.iter().zip(there).take_while(|(a, b)| a == b).count();
                if same > best {
                    (best, start) = (same, Some(from));
                    if best >= nice {
                        break;
                    }
                }
            }
            from = self.before[from % WINDOW];
            if from <= limit {
                break;
            }
        }
        (best.min(ahead), start)
    }

    /// Takes each match where it is found (`deflate_fast`).
    fn fast(&mut self) {
        while self.fill() {
            let from = self.insert();
            let shortest = *MATCH.start();
            let found = if self.is_near(from) {
                self.longest(from, shortest - 1)
            } else {
                (0, None)
            };
            let full = match found {
                (length, Some(start)) if length >= shortest => {
                    let full = self.tally_match(length, self.at - start);
                    let all = length <= self.effort.lazy;
                    for _ in 1..length {
                        self.at += 1;
                        if all {
                            self.insert();
                        }
                    }
                    full
                }
                _ => self.tally_literal(self.at),
            };
            self.at += 1;
            if full {
                self.block.flush(self.at, false, self.base);
            }
        }
    }

    /// Looks at the next byte for a longer match before it takes one (`deflate_slow`).
    fn slow(&mut self) {
        let shortest = *MATCH.start();
        let (mut length, mut start) = (shortest - 1, 0);
        let mut literal_waits = false;
        while self.fill() {
            let from = self.insert();
            let (last, last_start) = (length, start);
            length = shortest - 1;
            if last < self.effort.lazy && self.is_near(from) {
                let found = self.longest(from, last);
                length = found.0;
                start = found.1.unwrap_or(start);
                if length == shortest && self.at - start > TOO_FAR {
                    length = shortest - 1;
                }
            }
            if last >= shortest && length <= last {
                let full = self.tally_match(last, self.at - 1 - last_start);
                for _ in 2..last {
                    self.at += 1;
                    self.insert();
                }
                self.at += 1;
                literal_waits = false;
                length = shortest - 1;
                if full {
                    self.block.flush(self.at, false, self.base);
                }
            } else {
                if literal_waits && self.tally_literal(self.at - 1) {
                    self.block.flush(self.at, false, self.base);
                }
                literal_waits = true;
                self.at += 1;
            }
        }
        if literal_waits {
            self.tally_literal(self.at - 1);
        }
    }

    fn tally_literal(&mut self, at: usize) -> bool {
        self.block.literals[usize::from(self.bytes[at])] += 1;
        self.block.is_full(self.level, self.at)
    }

    fn tally_match(&mut self, length: usize, distance: usize) -> bool {
        self.block.matches += 1;
        self.block.literals[END + 1 + length_code(length)] += 1;
        self.block.distances[distance_code(distance)] += 1;
        self.block.is_full(self.level, self.at)
    }
}

/// What stands for the length of a match: four for each power of two.
fn length_code(length: usize) -> usize {
    match length - MATCH.start() {
        255 => 28,
        short @ 0..8 => short,
        rest => {
            let bits = rest.ilog2() as usize;
            4 * (bits - 1) + (rest >> (bits - 2)) % 4
        }
    }
}

/// What stands for the distance of a match: two for each power of two.
fn distance_code(distance: usize) -> usize {
    match distance - 1 {
        near @ 0..4 => near,
        rest => {
            let bits = rest.ilog2() as usize;
            2 * bits + (rest >> (bits - 1)) % 2
        }
    }
}

/// The bits that follow each symbol.
fn length_bits(symbol: usize) -> u64 {
    match symbol.checked_sub(END + 1) {
        None | Some(0..8 | 28..) => 0,
        Some(code) => code as u64 / 4 - 1,
    }
}

fn distance_bits(code: usize) -> u64 {
    (code as u64 / 2).saturating_sub(1)
}

fn repeat_bits(code: usize) -> u64 {
    match code {
        16 => 2,
        17 => 3,
        18 => 7,
        _ => 0,
    }
}

/// The bits of each literal and length with codes that never change (RFC 1951, 3.2.6).
fn fixed_bits(symbol: usize) -> u64 {
    match symbol {
        144..256 => 9,
        256..280 => 7,
        _ => 8,
    }
}

/// The bits of symbols that come so often.
fn total(counts: &[u64], bits: impl Fn(usize) -> u64) -> u64 {
    let each = counts.iter().enumerate();
    each.map(|(symbol, count)| count * bits(symbol)).sum()
}

/// A block of deflate, by how often what is in it.
struct Block {
    /// Where it begins in the input.
    start: usize,
    literals: [u64; LITERALS],
    distances: [u64; DISTANCES],
    matches: usize,
    /// Literals and matches.
    count: usize,
    /// The bits of all blocks before it.
    bits: u64,
}

impl Block {
    fn new(start: usize) -> Block {
        let mut literals = [0; LITERALS];
        literals[END] = 1;
        Block {
            start,
            literals,
            distances: [0; DISTANCES],
            matches: 0,
            count: 0,
            bits: 0,
        }
    }

    /// Counts one more; whether the block should end: when it is long, or shrinks well with few matches
    /// (`zlib_tr_tally`).
    fn is_full(&mut self, level: i16, at: usize) -> bool {
        self.count += 1;
        if level > 2 && self.count.is_multiple_of(LOOK) {
            let distances = total(&self.distances, |it| 5 + distance_bits(it));
            let most = (8 * self.count as u64 + distances) / 8;
            if self.matches < self.count / 2 && most < (at - self.start) as u64 / 2 {
                return true;
            }
        }
        self.count == MOST
    }

    /// Ends it in the shortest of the three ways (`zlib_tr_flush_block`).
    fn flush(&mut self, end: usize, is_last: bool, base: usize) {
        let fixed = total(&self.literals, |it| fixed_bits(it) + length_bits(it))
            + total(&self.distances, |it| 5 + distance_bits(it));
        let literals = Tree::new(&self.literals, 15, length_bits);
        let distances = Tree::new(&self.distances, 15, distance_bits);
        let mut lengths = [0; LENGTHS];
        literals.count_lengths(&mut lengths);
        distances.count_lengths(&mut lengths);
        let lengths = Tree::new(&lengths, 7, repeat_bits);
        let told = ORDER.iter().rposition(|&code| lengths.lengths[code] > 0);
        let told = told.map_or(4, |last| (last + 1).max(4)) as u64;
        let dynamic = literals.bits + distances.bits + lengths.bits + 3 * told + 5 + 5 + 4;
        let in_bytes = |bits: u64| (bits + 3).div_ceil(8);
        let stored = (end - self.start) as u64;
        let is_there = self.start >= base;
        let best = in_bytes(dynamic).min(in_bytes(fixed));
        self.bits += 3;
        if is_there && stored + 4 <= best {
            self.bits = self.bits.next_multiple_of(8) + 8 * (4 + stored);
        } else if in_bytes(fixed) == best {
            self.bits += fixed;
        } else {
            self.bits += dynamic;
        }
        if !is_last {
            *self = Block {
                bits: self.bits,
                ..Block::new(end)
            };
        }
    }
}

/// The codes of Huffman for what a block has, as far as it takes to know their lengths (`build_tree`).
struct Tree {
    /// The length of the code of each symbol, up to the last one that is there.
    lengths: Vec<usize>,
    /// The bits of all that the block has.
    bits: u64,
}

/// Symbols and what was joined of them, the rarest first (`heap`).
struct Heap {
    /// From 1 on.
    nodes: Vec<usize>,
    counts: Vec<u64>,
    depths: Vec<usize>,
}

impl Heap {
    /// Whether a node goes first: of two as rare the flatter one.
    fn is_smaller(&self, a: usize, b: usize) -> bool {
        (self.counts[a], self.depths[a]) <= (self.counts[b], self.depths[b])
    }

    fn sink(&mut self, mut place: usize) {
        let node = self.nodes[place];
        let last = self.nodes.len() - 1;
        let mut child = 2 * place;
        while child <= last {
            if child < last && self.is_smaller(self.nodes[child + 1], self.nodes[child]) {
                child += 1;
            }
            if self.is_smaller(node, self.nodes[child]) {
                break;
            }
            self.nodes[place] = self.nodes[child];
            place = child;
            child *= 2;
        }
        self.nodes[place] = node;
    }

    /// Takes the first one.
    fn pop(&mut self) -> usize {
        let first = self.nodes[1];
        self.nodes.swap_remove(1);
        if self.nodes.len() > 1 {
            self.sink(1);
        }
        first
    }
}

impl Tree {
    fn new(counts: &[u64], most: usize, extra: impl Fn(usize) -> u64) -> Tree {
        let symbols = counts.len();
        let mut counts = counts.to_vec();
        let mut nodes: Vec<usize> = (0..symbols).filter(|&it| counts[it] > 0).collect();
        let mut last = nodes.last().copied();
        // There are at least two codes.
        let mut forced = 0;
        while nodes.len() < 2 {
            let symbol = match last {
                Some(last @ 0..2) => last + 1,
                _ => 0,
            };
            last = last.max(Some(symbol));
            counts[symbol] = 1;
            forced += 1;
            nodes.push(symbol);
        }
        let last = last.unwrap_or(0);
        nodes.insert(0, usize::MAX);
        let mut heap = Heap {
            nodes,
            counts,
            depths: vec![0; symbols],
        };
        for place in (1..=(heap.nodes.len() - 1) / 2).rev() {
            heap.sink(place);
        }
        // In the order in which they were joined, and into what.
        let mut joined = Vec::new();
        let mut above = vec![0; symbols];
        while heap.nodes.len() > 2 {
            let (first, second) = (heap.pop(), heap.nodes[1]);
            joined.extend([first, second]);
            let node = above.len();
            above.push(0);
            (above[first], above[second]) = (node, node);
            heap.counts.push(heap.counts[first] + heap.counts[second]);
            heap.depths
                .push(heap.depths[first].max(heap.depths[second]) + 1);
            heap.nodes[1] = node;
            heap.sink(1);
        }
        let mut lengths = vec![0; above.len()];
        let mut of_length = vec![0_usize; most + 1];
        let mut too_long = 0_usize;
        for &node in joined.iter().rev() {
            let length = lengths[above[node]] + 1;
            too_long += usize::from(length > most);
            lengths[node] = length.min(most);
            if node < symbols {
                of_length[lengths[node]] += 1;
            }
        }
        // Those that would be too long hang below shorter ones instead (`gen_bitlen`).
        let reshaped = too_long > 0;
        while too_long > 0 {
            let shorter = (1..most).rev().find(|&it| of_length[it] > 0).unwrap_or(1);
            of_length[shorter] -= 1;
            of_length[shorter + 1] += 2;
            of_length[most] -= 1;
            too_long = too_long.saturating_sub(2);
        }
        if reshaped {
            let mut leaves = joined.iter().filter(|&&node| node < symbols);
            for length in (1..=most).rev() {
                for &node in leaves.by_ref().take(of_length[length]) {
                    lengths[node] = length;
                }
            }
        }
        lengths.truncate(last + 1);
        let counts = &heap.counts[..=last];
        let bits = total(counts, |it| lengths[it] as u64 + extra(it)) - forced;
        Tree { lengths, bits }
    }

    /// Counts the codes that tell the lengths: those that repeat are told once (`scan_tree`).
    fn count_lengths(&self, counts: &mut [u64; LENGTHS]) {
        let mut previous = None;
        let mut rest = &self.lengths[..];
        while let Some(&length) = rest.first() {
            let most = match (length, previous) {
                (0, _) => 138,
                (_, previous) if previous == Some(length) => 6,
                _ => 7,
            };
            let run = rest
                .iter()
                .take(most)
                .take_while(|it| **it == length)
                .count();
            let least = if most == 7 { 4 } else { 3 };
            if run < least {
                counts[length] += run as u64;
            } else if length > 0 {
                counts[length] += u64::from(previous != Some(length));
                counts[16] += 1;
            } else if run <= 10 {
                counts[17] += 1;
            } else {
                counts[18] += 1;
            }
            previous = Some(length);
            rest = &rest[run..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dmu::data::Source;

    fn sizes(bytes: &[u8]) -> Vec<u64> {
        let sizes = (1..=9).map(|level| size(bytes, level, u64::MAX));
        sizes.map(Option::unwrap_or_default).collect()
    }

    #[test]
    fn what_ends_no_block_early_is_as_in_any_zlib() {
        // `python3 -c 'import zlib; ...'`
        assert_eq!(sizes(b""), [8; 9]);
        assert_eq!(sizes(b"a"), [9; 9]);
        assert_eq!(sizes(&[0; 4096]), [41, 41, 41, 26, 26, 26, 26, 26, 26]);
        let mut text = vec![0; 16 << 10];
        Source::Text(1).read(0, &mut text);
        let expected = [1679, 1677, 1554, 1603, 1452, 1422, 1423, 1423, 1423];
        assert_eq!(sizes(&text), expected);
        let mut mixed = text.clone();
        Source::Random(1).read(0, &mut mixed[3000..9000]);
        let expected = [7554, 7541, 7428, 7504, 7348, 7338, 7335, 7335, 7335];
        assert_eq!(sizes(&mixed), expected);
    }

    #[test]
    fn noise_is_stored() {
        let mut noise = vec![0; 40_000];
        Source::Random(1).read(0, &mut noise);
        // Blocks of 16383 bytes, with five bytes in front of each.
        assert_eq!(sizes(&noise), [40_000 + 3 * 5 + 6; 9]);
        assert_eq!(size(&noise, 6, 40_000), None);
    }

    #[test]
    fn lengths_and_distances_have_the_codes_of_the_standard() {
        let lengths = [3, 10, 11, 12, 13, 18, 19, 257, 258].map(length_code);
        assert_eq!(lengths, [0, 7, 8, 8, 9, 11, 12, 27, 28]);
        let distances = [1, 4, 5, 6, 7, 9, 24_577, 32_768].map(distance_code);
        assert_eq!(distances, [0, 3, 4, 4, 5, 6, 29, 29]);
        let bits = [257, 264, 265, 284, 285].map(length_bits);
        assert_eq!(bits, [0, 0, 1, 5, 0]);
        assert_eq!([0, 3, 4, 29].map(distance_bits), [0, 0, 1, 13]);
    }
}
