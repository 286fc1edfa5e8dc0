//! Files with holes: where their data is.

use std::io::Read;

use super::number::number;
use super::read::{Error, Source};
use super::records::{Records, decimal, key};
use super::{BLOCK, LONGEST};

/// Where data is in a file: offset and length.
pub(super) type Map = Vec<(i64, i64)>;

/// How many stretches of data a map may have.
const MOST: usize = 1 << 20;

/// How a header says that its file has holes.
pub(super) enum Form {
    /// In its records.
    Records,
    /// At the start of its contents.
    Contents,
}

/// In which form the records of a header tell of holes, if they do.
pub(super) fn form(records: &Records) -> Option<Form> {
    let text = |key: &[u8]| records.get(key).map_or(&b""[..], Vec::as_slice);
    match (text(b"GNU.sparse.major"), text(b"GNU.sparse.minor")) {
        (b"0", b"0" | b"1") => Some(Form::Records),
        (b"1", b"0") => Some(Form::Contents),
        // The first versions did not tell.
        (b"", b"") if !text(key::SPARSE_MAP).is_empty() => Some(Form::Records),
        _ => None,
    }
}

/// Adds a stretch.
fn push(map: &mut Map, offset: i64, len: i64) -> Result<(), Error> {
    if map.len() >= MOST {
        return Err(Error::SparseTooLong);
    }
    map.push((offset, len));
    Ok(())
}

/// A number of stretches, of which twice as many can be counted.
fn count(text: &[u8]) -> Option<usize> {
    usize::try_from(decimal(text)?)
        .ok()
        .filter(|count| isize::try_from(*count).is_ok_and(|it| it.checked_mul(2).is_some()))
}

/// The map in the records.
pub(super) fn from_records(records: &Records) -> Result<Map, Error> {
    let text = |key: &[u8]| records.get(key).map_or(&b""[..], Vec::as_slice);
    let expected = count(text(b"GNU.sparse.numblocks")).ok_or(Error::Header)?;
    let all = text(key::SPARSE_MAP);
    let numbers: Vec<&[u8]> = if all.is_empty() {
        Vec::new()
    } else {
        all.split(|&byte| byte == b',').collect()
    };
    if numbers.len() != 2 * expected {
        return Err(Error::Header);
    }
    let mut map = Map::new();
    for pair in numbers.chunks_exact(2) {
        let [offset, len] = [pair[0], pair[1]].map(decimal);
        let (Some(offset), Some(len)) = (offset, len) else {
            return Err(Error::Header);
        };
        push(&mut map, offset, len)?;
    }
    Ok(map)
}

/// The map at the start of the contents, one number a line, up to the end of a block; and how many bytes
/// it took.
pub(super) fn from_contents(contents: &mut impl Read) -> Result<(Map, u64), Error> {
    let mut bytes: Vec<u8> = Vec::new();
    let mut lines = 0;
    let mut feed = |bytes: &mut Vec<u8>, wanted: usize| {
        while lines < wanted {
            if bytes.len() + BLOCK > LONGEST {
                return Err(Error::SparseTooLong);
            }
            let mut block = [0; BLOCK];
            contents.read_exact(&mut block).map_err(Error::from_exact)?;
            lines += block.split(|&byte| byte == b'\n').count() - 1;
            bytes.extend_from_slice(&block);
        }
        Ok(())
    };
    feed(&mut bytes, 1)?;
    let expected = bytes
        .split(|&byte| byte == b'\n')
        .next()
        .and_then(count)
        .ok_or(Error::Header)?;
    // The first line is one more.
    feed(&mut bytes, (2 * expected).saturating_add(1))?;
    let numbers: Vec<Option<i64>> = bytes
        .split(|&byte| byte == b'\n')
        .skip(1)
        .take(2 * expected)
        .map(decimal)
        .collect();
    let mut map = Map::new();
    for pair in numbers.chunks_exact(2) {
        let (Some(offset), Some(len)) = (pair[0], pair[1]) else {
            return Err(Error::Header);
        };
        push(&mut map, offset, len)?;
    }
    Ok((map, bytes.len() as u64))
}

/// The map of the old form of GNU tar: four stretches in the header, and blocks of 21 behind it. And the
/// size of the file.
pub(super) fn from_block<R: Read>(
    block: &[u8; BLOCK],
    source: &mut Source<R>,
) -> Result<(Map, i64), Error> {
    let size = number(&block[483..495]).ok_or(Error::Header)?;
    let mut map = Map::new();
    let mut entries: Vec<u8> = block[386..483].to_vec();
    let mut read = entries.len();
    loop {
        let (stretches, extended) = entries.split_at(entries.len() - 1);
        for stretch in stretches.chunks_exact(24) {
            if stretch[0] == 0 {
                break;
            }
            let offset = number(&stretch[..12]).ok_or(Error::Header)?;
            let len = number(&stretch[12..]).ok_or(Error::Header)?;
            push(&mut map, offset, len)?;
        }
        if extended[0] == 0 {
            return Ok((map, size));
        }
        let mut more = [0; BLOCK];
        source.exact(&mut more)?;
        // 21 stretches, and the byte that says whether others follow.
        entries = more[..=21 * 24].to_vec();
        read += BLOCK;
        if read >= LONGEST {
            return Err(Error::SparseTooLong);
        }
    }
}

/// Whether the stretches of a file of that size are in order, and all of them in it.
pub(super) fn is_valid(map: &Map, size: i64) -> bool {
    let mut end = 0;
    size >= 0
        && map.iter().all(|&(offset, len)| {
            let valid = offset >= 0
                && len >= 0
                && offset >= end
                && offset.checked_add(len).is_some_and(|it| it <= size);
            end = offset.saturating_add(len);
            valid
        })
}
