//! Whether one line of output is what was expected.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};

use super::class::{Class, Excused, METADATA, Marker, ORDER, USAGE};
use super::metadata::Amounts;
use crate::trace::{Content, Pattern, Piece, Placed, Text};

/// What earlier lines of a trace say of later ones.
#[derive(Clone, Debug, Default)]
pub(super) struct Bound {
    /// Names that `<guid:name>` bound.
    names: BTreeMap<String, String>,
    /// What pools take for themselves.
    amounts: Amounts,
}

impl Bound {
    /// What a line that agrees adds.
    pub fn extend(&mut self, matched: &mut Matched) {
        self.names.extend(std::mem::take(&mut matched.binds));
        self.amounts.extend(std::mem::take(&mut matched.amounts));
    }
}

/// A line that was printed, where markers may stand.
#[derive(Clone, Debug)]
pub(super) struct Got<'a> {
    /// Without its line feed.
    pub bytes: Cow<'a, [u8]>,
    /// Whether it ends with a line feed.
    pub newline: bool,
    /// Whether a marker stands in it.
    pub marked: bool,
    /// Whether it is a part of a list in any order; its marker is taken off.
    pub listed: bool,
}

impl<'a> Got<'a> {
    /// The lines of a stream.
    pub fn lines(stream: &'a [u8]) -> Vec<Got<'a>> {
        stream
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| {
                let (bytes, newline) = line
                    .strip_suffix(b"\n")
                    .map_or((line, false), |l| (l, true));
                let (bytes, listed) = match unlisted(bytes) {
                    Some(rest) => (Cow::Owned(rest), true),
                    None => (Cow::Borrowed(bytes), false),
                };
                let marked = bytes.contains(&b'<')
                    && std::str::from_utf8(&bytes).is_ok_and(|text| Class::find(text).is_some());
                Got {
                    bytes,
                    newline,
                    marked,
                    listed,
                }
            })
            .collect()
    }

    /// Whether it stands for the rest of a usage text.
    pub fn is_usage(&self) -> bool {
        *self.bytes == *USAGE.marker.as_bytes()
    }
}

/// The line without the marker of a list in any order, which stands at its start, or behind the `- ` that
/// drivers put in front of what a program printed.
fn unlisted(line: &[u8]) -> Option<Vec<u8>> {
    let start = if line.starts_with(b"- ") { 2 } else { 0 };
    let rest = line[start..].strip_prefix(ORDER.marker.as_bytes())?;
    Some([&line[..start], rest].concat())
}

/// Puts each list that may stand in any order into the order in which `expected` has its lines, from behind
/// the line in front of the list on.
pub(super) fn reorder(expected: &[Placed], got: &mut [Got<'_>], excused: &mut Excused) {
    let agree = |line: &Placed, it: &Got<'_>| {
        compare(&line.text, it, it.marked, &Bound::default()).is_some()
    };
    let (mut start, mut from) = (0, 0);
    if !got.iter().any(|line| line.listed) {
        return;
    }
    while start < got.len() {
        let count = got[start..].iter().take_while(|line| line.listed).count();
        if count == 0 {
            let behind = expected[from..]
                .iter()
                .position(|line| agree(line, &got[start]));
            from += behind.map_or(0, |at| at + 1);
            start += 1;
            continue;
        }
        let list = &mut got[start..start + count];
        let mut done = 0;
        for line in &expected[from..] {
            if let Some(at) = list[done..].iter().position(|it| agree(line, it)) {
                list[done..=done + at].rotate_right(1);
                done += 1;
            }
        }
        excused.count(&ORDER);
        start += count;
    }
}

/// How a line agrees.
#[derive(Debug, Default)]
pub(super) struct Matched {
    pub excused: Excused,
    /// Names that it binds.
    binds: Vec<(String, String)>,
    /// What it tells of what pools take for themselves.
    amounts: Amounts,
    /// Start and end, in characters, of each word: as printed, and as expected. Only when compared by
    /// words.
    pub cells: Vec<Cell>,
}

impl Matched {
    /// Notes that a value stands where a marker does; none if it cannot be this one.
    fn value(&mut self, marker: &Marker<'_>, value: &str, bound: &Bound) -> Option<()> {
        let exact = marker.class.name == METADATA.name
            && self.amounts.tell(&bound.amounts, marker.inside(), value)?;
        if !exact {
            self.excused.count(marker.class);
        }
        Some(())
    }
}

/// Where a word stands, in characters: its start, and its end.
pub(super) type Span = (usize, usize);

/// A word of both lines.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    pub got: Span,
    pub expected: Span,
    /// Whether a marker stands in it.
    pub marked: bool,
}

/// Compares a line. With `by_words`, runs of spaces may differ in length: a marker near by made the
/// columns of the table wider.
pub(super) fn compare(
    expected: &Text,
    got: &Got<'_>,
    by_words: bool,
    bound: &Bound,
) -> Option<Matched> {
    if expected.newline != got.newline || is_usage(expected) {
        return None;
    }
    let whole = match &expected.content {
        Content::Literal(bytes) => **bytes == *got.bytes && !by_words,
        Content::Pattern(pieces) => {
            if let Some(binds) = compare_pieces(pieces, &got.bytes, bound) {
                return Some(Matched {
                    binds,
                    ..Matched::default()
                });
            }
            false
        }
    };
    if whole {
        return Some(Matched::default());
    }
    if !by_words {
        return None;
    }
    if let Content::Literal(bytes) = &expected.content
        && got.marked
        && got.bytes.starts_with(b"{")
    {
        return compare_json(bytes, &got.bytes, bound);
    }
    let words = std::str::from_utf8(&got.bytes)
        .ok()
        .and_then(|got| compare_words(expected, got, bound));
    // What only looks like a marker is equal all the same.
    words.or_else(|| {
        matches!(&expected.content, Content::Literal(bytes) if **bytes == *got.bytes)
            .then(Matched::default)
    })
}

/// Compares a line of JSON, in which blanks matter and many markers may stand: each stands for what is
/// expected up to the character behind it.
fn compare_json(expected: &[u8], got: &[u8], bound: &Bound) -> Option<Matched> {
    let mut expected = std::str::from_utf8(expected).ok()?;
    let mut got = std::str::from_utf8(got).ok()?;
    let mut matched = Matched::default();
    while let Some(marker) = Class::find(got) {
        let Marker { class, start, .. } = marker;
        if class.name == ORDER.name {
            // The list stands between a quotation mark and the marker.
            let list = &got[got[..start].rfind('"')? + 1..start];
            let (wanted, rest) = expected.split_at_checked(start)?;
            let wanted = wanted.strip_prefix(&got[..start - list.len()])?;
            if parts(wanted.as_bytes()) != parts(list.as_bytes()) {
                return None;
            }
            matched.excused.count(class);
            (expected, got) = (rest, marker.behind(got));
            continue;
        }
        expected = expected.strip_prefix(&got[..start])?;
        got = marker.behind(got);
        let value = &expected[..expected.find(got.chars().next()?)?];
        let words: Vec<&str> = value.split(' ').filter(|word| !word.is_empty()).collect();
        if words.is_empty() || marker.accepts(&words) != words.len() {
            return None;
        }
        matched.value(&marker, value, bound)?;
        expected = &expected[value.len()..];
    }
    (expected == got).then_some(matched)
}

/// Whether it is the pattern for the rest of a usage text: it stands for lines, and no line agrees with it.
pub(super) fn is_usage(text: &Text) -> bool {
    matches!(&text.content, Content::Pattern(pieces) if pieces[..] == [Piece::Pattern(Pattern::Usage)])
}

/// A word of an expected line, with the blanks in front of it.
struct Word {
    blanks: String,
    pieces: Vec<Piece>,
    span: Span,
}

/// The words of an expected line, and the blanks behind them.
fn words_of(text: &Text) -> Option<(Vec<Word>, String)> {
    let single;
    let pieces = match &text.content {
        Content::Literal(bytes) => {
            single = [Piece::Literal(bytes.clone())];
            &single[..]
        }
        Content::Pattern(pieces) => pieces,
    };
    let mut words: Vec<Word> = Vec::new();
    let (mut blanks, mut at, mut open) = (String::new(), 0, false);
    let mut add = |blanks: &mut String, open: &mut bool, at: usize, piece: Piece, width: usize| {
        match words.last_mut().filter(|_| *open) {
            Some(word) => {
                word.pieces.push(piece);
                word.span.1 = at + width;
            }
            None => words.push(Word {
                blanks: std::mem::take(blanks),
                pieces: vec![piece],
                span: (at, at + width),
            }),
        }
        *open = true;
    };
    for piece in pieces {
        let bytes = match piece {
            Piece::Literal(bytes) => bytes,
            Piece::Pattern(_) => {
                add(&mut blanks, &mut open, at, piece.clone(), 1);
                at += 1;
                continue;
            }
        };
        let mut rest = std::str::from_utf8(bytes).ok()?;
        while let Some(c) = rest.chars().next() {
            if matches!(c, ' ' | '\t') {
                blanks.push(c);
                open = false;
                at += 1;
                rest = &rest[1..];
            } else {
                let word = &rest[..rest.find([' ', '\t']).unwrap_or(rest.len())];
                let width = word.chars().count();
                add(
                    &mut blanks,
                    &mut open,
                    at,
                    Piece::Literal(word.into()),
                    width,
                );
                at += width;
                rest = &rest[word.len()..];
            }
        }
    }
    Some((words, blanks))
}

/// The parts between commas of a list in any order.
fn parts(list: &[u8]) -> Vec<&[u8]> {
    let mut parts: Vec<_> = list.split(|&byte| byte == b',').collect();
    parts.sort_unstable();
    parts
}

/// Compares word by word: a marker stands for a value of its class.
fn compare_words(expected: &Text, got: &str, bound: &Bound) -> Option<Matched> {
    let (words, behind) = words_of(expected)?;
    let mut matched = Matched::default();
    let (mut next, mut rest, mut at) = (0, got, 0);
    loop {
        let body = rest.trim_start_matches([' ', '\t']);
        let blanks = &rest[..rest.len() - body.len()];
        at += blanks.chars().count();
        if body.is_empty() {
            let agree = next == words.len() && blanks == behind;
            return agree.then_some(matched);
        }
        let word = &body[..body.find([' ', '\t']).unwrap_or(body.len())];
        rest = &body[word.len()..];
        let first = words.get(next)?;
        // Also in front of the first one, if that is a marker at the right of its column, or its head.
        let wider = (next > 0 || Class::find(word).is_some() || !blanks.is_empty())
            && !blanks.contains('\t')
            && !first.blanks.contains('\t');
        if blanks != first.blanks && !wider {
            return None;
        }
        let mut used = 1;
        match Class::find(word) {
            None => matched
                .binds
                .extend(compare_pieces(&first.pieces, word.as_bytes(), bound)?),
            // A pattern says itself what may stand there.
            Some(_)
                if first
                    .pieces
                    .iter()
                    .any(|piece| matches!(piece, Piece::Pattern(_))) => {}
            Some(Marker {
                class, start: end, ..
            }) if class.name == ORDER.name => {
                let Some(Piece::Literal(wanted)) = first.pieces.first() else {
                    return None;
                };
                if parts(wanted) != parts(&word.as_bytes()[..end]) {
                    return None;
                }
                matched.excused.count(class);
            }
            Some(marker) => {
                let values: Vec<&str> = words[next..]
                    .iter()
                    .map_while(|word| match &word.pieces[..] {
                        [Piece::Literal(bytes)] => std::str::from_utf8(bytes).ok(),
                        _ => None,
                    })
                    .collect();
                let (prefix, suffix) = (&word[..marker.start], marker.behind(word));
                // A value may be several words, the first and the last with something around it.
                let value = (1..=values.len()).rev().find_map(|count| {
                    let mut value = values[..count].to_vec();
                    value[0] = value[0].strip_prefix(prefix)?;
                    value[count - 1] = value[count - 1].strip_suffix(suffix)?;
                    (marker.accepts(&value) == count).then_some(value)
                })?;
                used = value.len();
                matched.value(&marker, value[0], bound)?;
            }
        }
        let width = word.chars().count();
        let last = &words[next + used - 1];
        matched.cells.push(Cell {
            got: (at, at + width),
            expected: (first.span.0, last.span.1),
            marked: Class::find(word).is_some(),
        });
        at += width;
        next += used;
    }
}

/// Whether `bytes` match the pieces as a whole; the names that they bind.
fn compare_pieces(pieces: &[Piece], bytes: &[u8], bound: &Bound) -> Option<Vec<(String, String)>> {
    /// Finds the ends of a way to match, and remembers what failed, so that it takes at most
    /// pieces times bytes steps.
    fn search(
        pieces: &[Piece],
        bytes: &[u8],
        at: usize,
        ends: &mut Vec<usize>,
        failed: &mut BTreeSet<(usize, usize)>,
    ) -> bool {
        let Some(piece) = pieces.get(ends.len()) else {
            return at == bytes.len();
        };
        let state = (ends.len(), at);
        if failed.contains(&state) {
            return false;
        }
        let rest = &bytes[at..];
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let lengths: Vec<usize> = match piece {
            Piece::Literal(literal) => rest
                .starts_with(literal)
                .then_some(literal.len())
                .into_iter()
                .collect(),
            Piece::Pattern(Pattern::Set(members)) => members
                .iter()
                .filter(|member| rest.starts_with(member.as_bytes()))
                .map(String::len)
                .collect(),
            Piece::Pattern(Pattern::Range(low, high)) => {
                let number = std::str::from_utf8(&rest[..digits])
                    .ok()
                    .and_then(|n| n.parse().ok());
                let plain = digits == 1 || rest.first() != Some(&b'0');
                let inside = number.is_some_and(|n: u64| (*low..=*high).contains(&n));
                (plain && inside).then_some(digits).into_iter().collect()
            }
            Piece::Pattern(Pattern::Guid(_)) => {
                (digits > 0).then_some(digits).into_iter().collect()
            }
            Piece::Pattern(Pattern::Usage) => Vec::new(),
            Piece::Pattern(Pattern::Any) => (0..=rest.len()).collect(),
        };
        for length in lengths {
            ends.push(at + length);
            if search(pieces, bytes, at + length, ends, failed) {
                return true;
            }
            ends.pop();
        }
        failed.insert(state);
        false
    }

    let mut ends = Vec::new();
    if !search(pieces, bytes, 0, &mut ends, &mut BTreeSet::new()) {
        return None;
    }
    let mut binds: Vec<(String, String)> = Vec::new();
    let starts = std::iter::once(0).chain(ends.iter().copied());
    for ((piece, start), &end) in pieces.iter().zip(starts).zip(&ends) {
        if let Piece::Pattern(Pattern::Guid(name)) = piece {
            let value = String::from_utf8_lossy(&bytes[start..end]).into_owned();
            let known = binds.iter().find(|(n, _)| n == name).map(|(_, v)| v);
            match known.or_else(|| bound.names.get(name)) {
                Some(known) if *known != value => return None,
                Some(_) => {}
                None => binds.push((name.clone(), value)),
            }
        }
    }
    Some(binds)
}
