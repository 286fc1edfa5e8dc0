//! How archives are written: the plain form where everything fits, otherwise records before the header.

use std::io::{self, Read, Write};

use super::header::Header;
use super::number::{fits_octal, put_octal};
use super::records::{self, Records, key, record, time_text};
use super::{BLOCK, LONGEST, padding};

/// How long a name may be in the block.
const NAME: usize = 100;

/// How long the part of a name may be that stands apart.
const PREFIX: usize = 155;

/// The byte that stands for records which are about the next entry.
const RECORDS: u8 = b'x';

/// Why an entry cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum Unwritable {
    /// What the archive goes to did not take it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// No form of archive has room for what the header tells.
    #[error("the header of '{0}' fits in no archive: {1}")]
    Header(String, &'static str),
    /// A file gave fewer bytes than its header promised.
    #[error("'{0}' ended before its {1} bytes")]
    Short(String, i64),
}

/// Writes an archive, one entry after the other.
pub struct Writer<W> {
    to: W,
}

impl<W: Write> Writer<W> {
    /// An archive that goes to `to`.
    pub const fn new(to: W) -> Writer<W> {
        Writer { to }
    }

    /// Writes an entry that has no contents.
    pub fn header(&mut self, header: &Header) -> Result<(), Unwritable> {
        self.entry(header, io::empty())
    }

    /// Writes an entry and its contents, of which there must be as many bytes as it tells.
    pub fn entry(&mut self, header: &Header, contents: impl Read) -> Result<(), Unwritable> {
        let (records, plain) = needed(header)?;
        if plain {
            self.to.write_all(&ustar(header))?;
        } else {
            let bytes: Vec<u8> = records
                .iter()
                .flat_map(|(key, value)| record(key, value))
                .collect();
            if bytes.len() > LONGEST {
                return Err(no_room(header, "its records are longer than 1 MiB"));
            }
            self.to.write_all(&records_block(header, bytes.len()))?;
            self.to.write_all(&bytes)?;
            self.pad(bytes.len() as u64)?;
            let mut block = template(header, ascii);
            seal(&mut block);
            self.to.write_all(&block)?;
        }
        let size = if header.kind.is_header_only() {
            0
        } else {
            u64::try_from(header.size).map_err(|_| no_room(header, "its size is negative"))?
        };
        let copied = io::copy(&mut contents.take(size), &mut self.to)?;
        if copied < size {
            let name = String::from_utf8_lossy(&header.name).into_owned();
            return Err(Unwritable::Short(name, header.size));
        }
        self.pad(size)?;
        Ok(())
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        self.to.write_all(&[0; BLOCK][..padding(size)])
    }

    /// Writes the end mark, and gives back what the archive went to.
    pub fn finish(mut self) -> io::Result<W> {
        self.to.write_all(&[0; 2 * BLOCK])?;
        Ok(self.to)
    }
}

fn no_room(header: &Header, what: &'static str) -> Unwritable {
    Unwritable::Header(String::from_utf8_lossy(&header.name).into_owned(), what)
}

/// What of a header stands in records if there are any, and whether it goes without.
fn needed(header: &Header) -> Result<(Records, bool), Unwritable> {
    let mut records = Records::new();
    let mut plain = header.records.is_empty();
    // A record that the header has already is kept if it tells the same as the field.
    let mut field = |key: &[u8], value: Vec<u8>, fits: bool, fits_plain: bool| {
        plain &= fits_plain;
        if !fits || header.records.get(key) == Some(&value) {
            records.insert(key.to_vec(), value);
        }
    };
    let mut text = |key: &[u8], text: &[u8], room: usize, splits: bool| {
        let fits = is_ascii(text) && text.len() <= room;
        let fits_plain = fits || splits && split(text).is_some();
        field(key, text.to_vec(), fits, fits_plain);
    };
    text(key::PATH, &header.name, NAME, true);
    text(key::LINK, &header.link, NAME, false);
    text(key::USER, &header.user, 32, false);
    text(key::GROUP, &header.group, 32, false);
    let mut number = |key: &[u8], number: i64, room: usize| {
        let fits = fits_octal(room, number);
        field(key, number.to_string().into_bytes(), fits, fits);
    };
    number(key::UID, header.uid, 8);
    number(key::GID, header.gid, 8);
    number(key::SIZE, header.size, 12);
    let mtime = header.mtime;
    let fits = mtime.nanoseconds == 0 && fits_octal(12, mtime.seconds);
    field(key::MTIME, time_text(mtime), fits, fits);
    if let Some(atime) = header.atime {
        field(key::ATIME, time_text(atime), false, false);
    }
    for (number, what) in [
        (header.mode, "its mode has no room"),
        (header.major, "its device number has no room"),
        (header.minor, "its device number has no room"),
    ] {
        if !fits_octal(8, number) {
            return Err(no_room(header, what));
        }
    }
    if !matches!(header.kind.byte(), b'1' | b'2' | b'5') && header.name.ends_with(b"/") {
        return Err(no_room(header, "the name of a file ends in '/'"));
    }
    for (key, value) in &header.records {
        if !key::FIELDS.contains(&&key[..]) && !key.starts_with(key::SPARSE) {
            records.insert(key.clone(), value.clone());
        }
    }
    let is_valid = |(key, value): (&Vec<u8>, &Vec<u8>)| records::is_valid(key, value);
    if !records.iter().all(is_valid) {
        return Err(no_room(header, "there is a NUL in a name"));
    }
    Ok((records, plain))
}

/// Whether bytes can stand in a block as they are.
fn is_ascii(text: &[u8]) -> bool {
    text.iter().all(|byte| (1..0x80).contains(byte))
}

/// What can stand in a block of these bytes.
fn ascii(text: &[u8]) -> Vec<u8> {
    let kept = text.iter().filter(|byte| (1..0x80).contains(*byte));
    kept.copied().collect()
}

/// A long name in two parts, at the last `/` that leaves both short enough.
fn split(name: &[u8]) -> Option<(&[u8], &[u8])> {
    if name.len() <= NAME || !is_ascii(name) {
        return None;
    }
    let end = if name.len() > PREFIX + 1 {
        PREFIX + 1
    } else if name.ends_with(b"/") {
        name.len() - 1
    } else {
        name.len()
    };
    let slash = name[..end].iter().rposition(|&byte| byte == b'/')?;
    let (prefix, rest) = (&name[..slash], &name[slash + 1..]);
    let fits = !prefix.is_empty() && !rest.is_empty() && rest.len() <= NAME;
    (fits && prefix.len() <= PREFIX).then_some((prefix, rest))
}

/// The block of an entry of which everything fits.
fn ustar(header: &Header) -> [u8; BLOCK] {
    let parts = split(&header.name);
    let mut block = match parts {
        None => template(header, <[u8]>::to_vec),
        Some((_, rest)) => {
            let mut short = header.clone();
            short.name = rest.to_vec();
            template(&short, <[u8]>::to_vec)
        }
    };
    if let Some((prefix, _)) = parts {
        put_text(&mut block[345..500], prefix);
    }
    seal(&mut block);
    block
}

/// The block before the records of an entry.
fn records_block(header: &Header, len: usize) -> [u8; BLOCK] {
    let slash = header.name.iter().rposition(|&byte| byte == b'/');
    let (above, last) = header.name.split_at(slash.map_or(0, |slash| slash + 1));
    let mut name = above.to_vec();
    name.extend_from_slice(b"PaxHeaders.0/");
    name.extend_from_slice(last);
    let mut name = ascii(&clean(&name));
    name.truncate(NAME);
    while name.ends_with(b"/") {
        name.pop();
    }
    let mut block = [0; BLOCK];
    block[156] = RECORDS;
    put_text(&mut block[..100], &name);
    for field in [100..108, 108..116, 116..124, 136..148] {
        put_octal(&mut block[field], 0);
    }
    put_octal(
        &mut block[124..136],
        // Not longer than `LONGEST`.
        i64::try_from(len).unwrap_or(0),
    );
    seal(&mut block);
    block
}

/// A path without empty names, `.` and, where something stands before it, `..`.
fn clean(path: &[u8]) -> Vec<u8> {
    let is_absolute = path.starts_with(b"/");
    let mut kept: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if kept.last().is_some_and(|last| *last != b"..") => {
                kept.pop();
            }
            b".." if is_absolute => {}
            name => kept.push(name),
        }
    }
    let mut cleaned = if is_absolute { vec![b'/'] } else { Vec::new() };
    cleaned.extend(kept.join(&b'/'));
    cleaned
}

/// The fields that all forms have, without the checksum.
fn template(header: &Header, text: impl Fn(&[u8]) -> Vec<u8>) -> [u8; BLOCK] {
    let mut block = [0; BLOCK];
    put_text(&mut block[..100], &text(&header.name));
    put_octal(&mut block[100..108], header.mode);
    put_octal(&mut block[108..116], header.uid);
    put_octal(&mut block[116..124], header.gid);
    put_octal(&mut block[124..136], header.size);
    put_octal(&mut block[136..148], header.mtime.seconds);
    block[156] = header.kind.byte();
    put_text(&mut block[157..257], &text(&header.link));
    put_text(&mut block[265..297], &text(&header.user));
    put_text(&mut block[297..329], &text(&header.group));
    put_octal(&mut block[329..337], header.major);
    put_octal(&mut block[337..345], header.minor);
    block
}

/// Puts a text into a field, as much as fits. A part of a name never ends in `/`: some readers would
/// take it for a directory.
fn put_text(field: &mut [u8], text: &[u8]) {
    let room = field.len();
    let len = text.len().min(room);
    field[..len].copy_from_slice(&text[..len]);
    if text.len() > room && field[room - 1] == b'/' {
        let end = field.iter().rposition(|&byte| byte != b'/');
        field[end.map_or(0, |end| end + 1)] = 0;
    }
}

/// Writes what says that it is a header, and the checksum.
fn seal(block: &mut [u8; BLOCK]) {
    block[257..265].copy_from_slice(b"ustar\x0000");
    block[148..156].fill(b' ');
    let sum: i64 = block.iter().map(|&byte| i64::from(byte)).sum();
    put_octal(&mut block[148..155], sum);
}
