//! Lines of output: literal bytes, patterns, and how they are escaped.

use std::fmt::{self, Write as _};

/// A line that a step printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Text {
    /// What stands in it, without the line feed.
    pub content: Content,
    /// Whether it ends with a line feed; `(no-eol)` when not.
    pub newline: bool,
}

/// What stands in a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// These bytes. No line feed among them.
    Literal(Vec<u8>),
    /// A line marked `~`. No empty literal in it, and no two in a row.
    Pattern(Vec<Piece>),
}

/// A part of a line marked `~`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// These bytes.
    Literal(Vec<u8>),
    /// Any bytes that match.
    Pattern(Pattern),
}

/// A pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pattern {
    /// `<range:a..b>`: a plain decimal number, `a` and `b` included.
    Range(u64, u64),
    /// `<set:a|b>`: one of these. None is empty or holds `<`, `>`, `|`, `\` or control characters.
    Set(Vec<String>),
    /// `<guid:name>`: a decimal number; the first use binds the name, later ones must be equal.
    Guid(String),
    /// `<*>`: anything, also nothing.
    Any,
    /// `<usage>`, alone on a line: the rest of the stream, behind a line that starts or ends with `usage:`. The
    /// long help of OpenZFS is not copied into traces.
    Usage,
}

/// Where a line stands, as far as its form depends on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// On standard output, where nothing stands in front of it.
    Bare,
    /// Behind a mark: `! `, `~ ` or `!~ `.
    Marked,
}

const ESCAPED: &str = "(esc)";
const NO_EOL: &str = "(no-eol)";

impl Text {
    /// A literal line that ends with a line feed.
    #[must_use]
    pub fn literal(bytes: impl Into<Vec<u8>>) -> Self {
        Text {
            content: Content::Literal(bytes.into()),
            newline: true,
        }
    }

    /// The lines of a stream, all literal.
    #[must_use]
    pub fn lines(stream: &[u8]) -> Vec<Text> {
        stream
            .split_inclusive(|&byte| byte == b'\n')
            .map(|line| match line.strip_suffix(b"\n") {
                Some(line) => Text::literal(line),
                None => Text {
                    content: Content::Literal(line.to_vec()),
                    newline: false,
                },
            })
            .collect()
    }

    /// Whether a usage text may start with this line: some complaints in front of it have no line feed.
    #[must_use]
    pub fn starts_usage(&self) -> bool {
        matches!(&self.content, Content::Literal(text)
            if text.starts_with(b"usage:") || text.ends_with(b"usage:"))
    }

    /// Whether it is marked `~`.
    #[must_use]
    pub fn is_pattern(&self) -> bool {
        matches!(self.content, Content::Pattern(_))
    }

    /// The line as it stands behind its indent and mark, without either.
    pub(super) fn written(&self, place: Place) -> String {
        let (raw, escape) = match &self.content {
            Content::Literal(bytes) => (bytes.clone(), needs_escape(bytes, place)),
            Content::Pattern(pieces) => {
                let (mut raw, mut escape) = (Vec::new(), false);
                for piece in pieces {
                    match piece {
                        Piece::Literal(bytes) => {
                            escape |= bytes.contains(&b'<');
                            raw.extend_from_slice(bytes);
                        }
                        Piece::Pattern(pattern) => {
                            raw.extend_from_slice(pattern.to_string().as_bytes());
                        }
                    }
                }
                let escape = escape || needs_escape(&raw, Place::Marked);
                (raw, escape)
            }
        };
        let mut written = match (&self.content, escape) {
            (_, false) => String::from_utf8_lossy(&raw).into_owned(),
            (Content::Literal(bytes), true) => {
                let mut written = String::new();
                escape_into(&mut written, bytes, true, |_| false);
                if place == Place::Bare && is_markup(&written) {
                    let first = written.remove(0);
                    written.insert_str(0, &format!("\\x{:02x}", u32::from(first)));
                }
                written
            }
            (Content::Pattern(pieces), true) => {
                let mut written = String::new();
                for (i, piece) in pieces.iter().enumerate() {
                    match piece {
                        Piece::Literal(bytes) => {
                            let last = i + 1 == pieces.len();
                            escape_into(&mut written, bytes, last, |byte| byte == b'<');
                        }
                        // Writing to a string cannot fail.
                        Piece::Pattern(pattern) => drop(write!(written, "{pattern}")),
                    }
                }
                written
            }
        };
        let mut suffix = |text: &str| {
            if !written.is_empty() {
                written.push(' ');
            }
            written.push_str(text);
        };
        if escape {
            suffix(ESCAPED);
        }
        if !self.newline {
            suffix(NO_EOL);
        }
        written
    }

    /// Reads what [`Text::written`] wrote. An error is an offset in characters and what was expected.
    pub(super) fn read(written: &str, pattern: bool) -> Result<Text, TextError> {
        let strip = |text: &'_ str, suffix| -> Option<usize> {
            if text == suffix {
                return Some(0);
            }
            let rest = text.strip_suffix(suffix)?;
            rest.ends_with(' ').then(|| rest.len() - 1)
        };
        let mut text = written;
        let mut newline = true;
        if let Some(length) = strip(text, NO_EOL) {
            (text, newline) = (&text[..length], false);
        }
        let mut escaped = false;
        if let Some(length) = strip(text, ESCAPED) {
            (text, escaped) = (&text[..length], true);
        }
        let characters = text.chars().count();
        if !escaped && newline && text.ends_with([' ', '\t']) {
            return Err(TextError {
                at: text.trim_end_matches([' ', '\t']).chars().count(),
                width: characters - text.trim_end_matches([' ', '\t']).chars().count(),
                expected: "no bare blanks at the end of a line".into(),
                help: Some(r"blanks that a step printed are written `\x20 (esc)` or `\t (esc)`"),
            });
        }
        if let Some(at) = text.chars().position(|c| c.is_ascii_control() && c != '\t') {
            return Err(TextError {
                at,
                width: 1,
                expected: "no bare control characters".into(),
                help: Some(
                    r"a control character that a step printed is written `\xHH`, and ` (esc)` at the end of the line",
                ),
            });
        }
        let content = if pattern {
            Content::Pattern(read_pieces(text, escaped)?)
        } else {
            Content::Literal(if escaped {
                unescape(text, 0)?
            } else {
                text.as_bytes().to_vec()
            })
        };
        Ok(Text { content, newline })
    }
}

/// What is wrong with a line of output, as an offset in characters.
#[derive(Debug)]
pub(super) struct TextError {
    pub at: usize,
    pub width: usize,
    pub expected: String,
    pub help: Option<&'static str>,
}

/// Whether a bare line would be read as something else than output.
pub(super) fn is_markup(line: &str) -> bool {
    line.starts_with(['$', '!', '~', '@', '?']) || prompt(line).is_some() || ending(line).is_some()
}

/// The digits or the word of `[N]` and `[panic]`.
pub(super) fn ending(line: &str) -> Option<&str> {
    let inner = line.strip_prefix('[')?.strip_suffix(']')?;
    let digits = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_digit());
    (digits || inner == "panic").then_some(inner)
}

/// The process of `p2$ ...`; empty for `$ ...`.
pub(super) fn prompt(line: &str) -> Option<&str> {
    let (process, rest) = line.split_once('$')?;
    let name = process.is_empty()
        || (process.starts_with(|c: char| c.is_ascii_lowercase())
            && process
                .bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()));
    (name && (rest.is_empty() || rest.starts_with(' '))).then_some(process)
}

fn needs_escape(bytes: &[u8], place: Place) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return true;
    };
    text.chars().any(|c| c.is_ascii_control() && c != '\t')
        || text.ends_with([' ', '\t'])
        || [ESCAPED, NO_EOL].iter().any(|suffix| {
            text.strip_suffix(suffix)
                .is_some_and(|rest| rest.is_empty() || rest.ends_with(' '))
        })
        || (place == Place::Bare && (text.is_empty() || is_markup(text)))
}

/// Appends `bytes` with escapes; those that `also` names, and the last byte if it is a blank and `last`.
fn escape_into(written: &mut String, bytes: &[u8], last: bool, also: impl Fn(u8) -> bool) {
    let hex = |written: &mut String, byte: u8| {
        // Writing to a string cannot fail.
        let _ = write!(written, "\\x{byte:02x}");
    };
    let (bytes, blank) = match bytes.split_last() {
        Some((&blank @ (b' ' | b'\t'), rest)) if last => (rest, Some(blank)),
        _ => (bytes, None),
    };
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match u8::try_from(c) {
                Ok(b'\\') => written.push_str("\\\\"),
                Ok(byte) if (byte.is_ascii_control() && byte != b'\t') || also(byte) => {
                    hex(written, byte);
                }
                _ => written.push(c),
            }
        }
        for &byte in chunk.invalid() {
            hex(written, byte);
        }
    }
    match blank {
        Some(b'\t') => written.push_str("\\t"),
        Some(byte) => hex(written, byte),
        None => {}
    }
}

/// The bytes that escaped text stands for. `at` is its offset in characters, for errors.
fn unescape(text: &str, at: usize) -> Result<Vec<u8>, TextError> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut chars = text.chars().enumerate();
    while let Some((i, c)) = chars.next() {
        if c != '\\' {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        let fail = |width| TextError {
            at: at + i,
            width,
            expected: r"one of the escapes \\ \t \xHH".into(),
            help: Some("a backslash is written `\\\\` in a line that ends with ` (esc)`"),
        };
        match chars.next() {
            Some((_, '\\')) => bytes.push(b'\\'),
            Some((_, 't')) => bytes.push(b'\t'),
            Some((_, 'x')) => {
                let mut digit = || chars.next().and_then(|(_, c)| c.to_digit(16));
                let (Some(high), Some(low)) = (digit(), digit()) else {
                    return Err(fail(2));
                };
                let byte = u8::try_from(high * 16 + low).unwrap_or_default();
                if byte == b'\n' {
                    return Err(TextError {
                        at: at + i,
                        width: 4,
                        expected: "no line feed within a line".into(),
                        help: None,
                    });
                }
                bytes.push(byte);
            }
            _ => return Err(fail(1)),
        }
    }
    Ok(bytes)
}

/// The pieces of a line marked `~`.
fn read_pieces(text: &str, escaped: bool) -> Result<Vec<Piece>, TextError> {
    let mut pieces = Vec::new();
    let (mut rest, mut at) = (text, 0);
    while !rest.is_empty() {
        let literal = &rest[..rest.find('<').unwrap_or(rest.len())];
        if !literal.is_empty() {
            pieces.push(Piece::Literal(if escaped {
                unescape(literal, at)?
            } else {
                literal.as_bytes().to_vec()
            }));
        }
        rest = &rest[literal.len()..];
        at += literal.chars().count();
        if rest.is_empty() {
            break;
        }
        let fail = |width, expected: &str| TextError {
            at,
            width,
            expected: expected.to_owned(),
            help: Some(
                r"a `<` that a step printed is written `\x3c`, and ` (esc)` at the end of the line",
            ),
        };
        let Some(end) = rest.find('>') else {
            return Err(fail(1, "a `>` that closes the pattern"));
        };
        let inner = &rest[1..end];
        let width = inner.chars().count() + 2;
        let pattern = Pattern::read(inner).ok_or_else(|| {
            fail(
                width,
                "one of the patterns <range:a..b>, <set:a|b>, <guid:name>, <*>, <usage>",
            )
        })?;
        if pattern == Pattern::Usage && (!pieces.is_empty() || end + 1 < rest.len()) {
            return Err(fail(width, "<usage> alone on its line"));
        }
        pieces.push(Piece::Pattern(pattern));
        rest = &rest[end + 1..];
        at += width;
    }
    Ok(pieces)
}

impl Pattern {
    /// Reads what stands between `<` and `>`.
    fn read(inner: &str) -> Option<Pattern> {
        /// Only one way to write a number, so that it prints as it was read.
        fn number(text: &str) -> Option<u64> {
            text.parse()
                .ok()
                .filter(|number: &u64| number.to_string() == text)
        }
        if inner == "*" {
            return Some(Pattern::Any);
        }
        if inner == "usage" {
            return Some(Pattern::Usage);
        }
        let (kind, value) = inner.split_once(':')?;
        match kind {
            "range" => {
                let (low, high) = value.split_once("..")?;
                let (low, high) = (number(low)?, number(high)?);
                (low <= high).then_some(Pattern::Range(low, high))
            }
            "set" => {
                let members: Vec<_> = value.split('|').map(str::to_owned).collect();
                members
                    .iter()
                    .all(|member| {
                        !member.is_empty()
                            && !member.contains(|c: char| c.is_control() || "<>\\".contains(c))
                    })
                    .then_some(Pattern::Set(members))
            }
            "guid" => (!value.is_empty()
                && value
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b == b'_'))
            .then(|| Pattern::Guid(value.to_owned())),
            _ => None,
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pattern::Range(low, high) => write!(f, "<range:{low}..{high}>"),
            Pattern::Set(members) => write!(f, "<set:{}>", members.join("|")),
            Pattern::Guid(name) => write!(f, "<guid:{name}>"),
            Pattern::Any => f.write_str("<*>"),
            Pattern::Usage => f.write_str("<usage>"),
        }
    }
}
