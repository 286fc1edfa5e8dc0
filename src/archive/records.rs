//! Records of a header that has more to tell than fits in its block: `LENGTH KEY=VALUE`, one a line.

use std::collections::BTreeMap;

use super::header::{Header, Time};
use super::read::Error;

/// Records by their key.
pub(super) type Records = BTreeMap<Vec<u8>, Vec<u8>>;

/// The keys that are about a field of the header.
pub(super) mod key {
    pub const PATH: &[u8] = b"path";
    pub const LINK: &[u8] = b"linkpath";
    pub const SIZE: &[u8] = b"size";
    pub const UID: &[u8] = b"uid";
    pub const GID: &[u8] = b"gid";
    pub const USER: &[u8] = b"uname";
    pub const GROUP: &[u8] = b"gname";
    pub const MTIME: &[u8] = b"mtime";
    pub const ATIME: &[u8] = b"atime";
    pub const CTIME: &[u8] = b"ctime";
    /// All of them.
    pub const FIELDS: [&[u8]; 10] = [PATH, LINK, SIZE, UID, GID, USER, GROUP, MTIME, ATIME, CTIME];
    /// What the keys of a file with holes start with.
    pub const SPARSE: &[u8] = b"GNU.sparse.";
    pub const SPARSE_MAP: &[u8] = b"GNU.sparse.map";
    pub const SPARSE_OFFSET: &[u8] = b"GNU.sparse.offset";
    pub const SPARSE_BYTES: &[u8] = b"GNU.sparse.numbytes";
}

/// One record as it is written.
pub(super) fn record(key: &[u8], value: &[u8]) -> Vec<u8> {
    let rest = key.len() + value.len() + b" =\n".len();
    // The length counts its own digits.
    let mut len = rest + rest.to_string().len();
    len = rest + len.to_string().len();
    let mut record = format!("{len} ").into_bytes();
    record.extend_from_slice(key);
    record.push(b'=');
    record.extend_from_slice(value);
    record.push(b'\n');
    record
}

/// Whether a record may be: its key has no `=`, and there is no NUL where a text is.
pub(super) fn is_valid(key: &[u8], value: &[u8]) -> bool {
    let text = match key {
        key::PATH | key::LINK | key::USER | key::GROUP => value,
        _ => key,
    };
    !key.is_empty() && !key.contains(&b'=') && !text.contains(&0)
}

/// Reads all records. Those of the first form of a map of holes, which has each offset and length on its
/// own, become the one of the second.
pub(super) fn parse(mut bytes: &[u8]) -> Result<Records, Error> {
    let mut records = Records::new();
    let mut map: Vec<&[u8]> = Vec::new();
    while !bytes.is_empty() {
        let (key, value, rest) = first(bytes).ok_or(Error::Header)?;
        bytes = rest;
        if key == key::SPARSE_OFFSET || key == key::SPARSE_BYTES {
            let expected = if map.len().is_multiple_of(2) {
                key::SPARSE_OFFSET
            } else {
                key::SPARSE_BYTES
            };
            if key != expected || value.contains(&b',') {
                return Err(Error::Header);
            }
            map.push(value);
        } else {
            records.insert(key.to_vec(), value.to_vec());
        }
    }
    if !map.is_empty() {
        records.insert(key::SPARSE_MAP.to_vec(), map.join(&b','));
    }
    Ok(records)
}

/// Key and value of the first record, and what follows it.
fn first(bytes: &[u8]) -> Option<(&[u8], &[u8], &[u8])> {
    let blank = bytes.iter().position(|&byte| byte == b' ')?;
    let len = usize::try_from(decimal(&bytes[..blank])?).ok()?;
    if len < 5 || len > bytes.len() || len <= blank + 1 {
        return None;
    }
    let (line, rest) = bytes.split_at(len);
    let record = line[blank + 1..].strip_suffix(b"\n")?;
    let equals = record.iter().position(|&byte| byte == b'=')?;
    let (key, value) = (&record[..equals], &record[equals + 1..]);
    is_valid(key, value).then_some((key, value, rest))
}

/// A whole number with an optional sign.
pub(super) fn decimal(text: &[u8]) -> Option<i64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// A time: seconds, and perhaps a fraction of them.
fn time(text: &[u8]) -> Option<Time> {
    let point = text.iter().position(|&byte| byte == b'.');
    let (whole, fraction) = match point {
        None => (text, &b""[..]),
        Some(point) => (&text[..point], &text[point + 1..]),
    };
    let seconds = decimal(whole)?;
    if !fraction.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let digits = fraction.iter().copied().chain(std::iter::repeat(b'0'));
    let nanoseconds = digits
        .take(9)
        .fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
    Some(if nanoseconds > 0 && whole.starts_with(b"-") {
        Time {
            seconds: seconds.checked_sub(1)?,
            nanoseconds: 1_000_000_000 - nanoseconds,
        }
    } else {
        Time {
            seconds,
            nanoseconds,
        }
    })
}

/// A time as a record has it.
pub(super) fn time_text(time: Time) -> Vec<u8> {
    let (mut seconds, mut nanoseconds, mut sign) = (time.seconds, time.nanoseconds, "");
    if nanoseconds == 0 {
        return seconds.to_string().into_bytes();
    }
    if seconds < 0 {
        sign = "-";
        seconds = -(seconds + 1);
        nanoseconds = 1_000_000_000 - nanoseconds;
    }
    let text = format!("{sign}{seconds}.{nanoseconds:09}");
    text.trim_end_matches('0').as_bytes().to_vec()
}

/// Puts what records tell into a header. An empty value leaves what the block has.
pub(super) fn merge(header: &mut Header, records: Records) -> Result<(), Error> {
    for (key, value) in records.iter().filter(|(_, value)| !value.is_empty()) {
        let number = || decimal(value).ok_or(Error::Header);
        match &key[..] {
            key::PATH => header.name.clone_from(value),
            key::LINK => header.link.clone_from(value),
            key::USER => header.user.clone_from(value),
            key::GROUP => header.group.clone_from(value),
            key::UID => header.uid = number()?,
            key::GID => header.gid = number()?,
            key::SIZE => header.size = number()?,
            key::MTIME => header.mtime = time(value).ok_or(Error::Header)?,
            key::ATIME => header.atime = Some(time(value).ok_or(Error::Header)?),
            key::CTIME => {
                time(value).ok_or(Error::Header)?;
            }
            _ => {}
        }
    }
    header.records = records;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_record_counts_itself() {
        assert_eq!(record(b"path", b"x"), b"9 path=x\n");
        assert_eq!(record(b"k", b"v"), b"6 k=v\n");
        assert_eq!(record(b"k", &[b'v'; 93]).len(), 99);
        assert_eq!(record(b"k", &[b'v'; 94]).len(), 101);
        for len in 0..2000 {
            let bytes = record(b"key", &vec![b'v'; len]);
            assert_eq!(parse(&bytes).unwrap()[&b"key"[..]].len(), len);
        }
    }

    #[test]
    fn records_that_make_no_sense_are_refused() {
        for bytes in [
            &b"9 path=x"[..],
            b"9 path=x ",
            b"8 path=x\n",
            b"11 path=x\n",
            b"path=x\n",
            b"4 =\n",
            b"5 a\nb",
            b"6 =ab\n",
            b"11 path=\0x\n",
            b"-1 k=v\n",
            b"99999999999999999999 k=v\n",
        ] {
            assert!(parse(bytes).is_err(), "{}", bytes.escape_ascii());
        }
        assert!(parse(b"11 other=\0\n").is_ok());
    }

    #[test]
    fn times_have_fractions_and_signs() {
        let time_of = |text: &str| time(text.as_bytes()).map(|it| (it.seconds, it.nanoseconds));
        assert_eq!(time_of("5"), Some((5, 0)));
        assert_eq!(time_of("5."), Some((5, 0)));
        assert_eq!(time_of("5.25"), Some((5, 250_000_000)));
        assert_eq!(time_of("-0.5"), Some((-1, 500_000_000)));
        assert_eq!(time_of("-5.5"), Some((-6, 500_000_000)));
        assert_eq!(time_of("5.0000000019"), Some((5, 1)));
        assert_eq!(time_of("5.x"), None);
        assert_eq!(time_of(""), None);
        for text in ["5", "5.25", "-5.5", "-0.5", "-7"] {
            let time = time(text.as_bytes()).unwrap();
            assert_eq!(time_text(time), text.as_bytes());
        }
    }
}
