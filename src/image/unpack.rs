//! Compressed streams, their digests, and their limits.

use std::io::{self, BufReader, Read};

use flate2::read::MultiGzDecoder;
use ruzstd::decoding::StreamingDecoder;
use sha2::{Digest as _, Sha256, Sha512};

use super::Error;

/// How a stream is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Not at all.
    Plain,
    /// gzip.
    Gzip,
    /// zstd.
    Zstd,
    /// By something that is not read.
    Unread(&'static str),
}

/// How a stream with these first bytes is compressed. Daemons go by them too, and not by media types.
pub(super) fn form(start: &[u8]) -> Form {
    let starts = |magic: &[u8]| start.starts_with(magic);
    // Between the frames of zstd may be some that say nothing.
    let skippable =
        start.len() >= 4 && start[0] & 0xf0 == 0x50 && start[1..4] == [0x2a, 0x4d, 0x18];
    if starts(&[0x1f, 0x8b, 0x08]) {
        Form::Gzip
    } else if starts(&[0x28, 0xb5, 0x2f, 0xfd]) || skippable {
        Form::Zstd
    } else if starts(b"BZh") {
        Form::Unread("bzip2")
    } else if starts(&[0xfd, b'7', b'z', b'X', b'Z', 0]) {
        Form::Unread("xz")
    } else {
        Form::Plain
    }
}

/// The stream without its compression.
pub(super) fn decoder(form: Form, from: Box<dyn Read>) -> Box<dyn Read> {
    match form {
        Form::Gzip => Box::new(MultiGzDecoder::new(from)),
        Form::Zstd => Box::new(Frames {
            from: Some(from),
            current: None,
        }),
        Form::Plain | Form::Unread(_) => from,
    }
}

/// Frames of zstd, one after the other.
struct Frames {
    /// What comes behind the current frame, between frames.
    from: Option<Box<dyn Read>>,
    current: Option<StreamingDecoder<Box<dyn Read>, ruzstd::decoding::FrameDecoder>>,
}

impl Read for Frames {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some(current) = &mut self.current {
                let read = current.read(buffer)?;
                if read > 0 || buffer.is_empty() {
                    return Ok(read);
                }
                self.from = self.current.take().map(StreamingDecoder::into_inner);
            }
            let Some(mut from) = self.from.take() else {
                return Ok(0);
            };
            let mut first = [0];
            if from.read(&mut first)? == 0 {
                return Ok(0);
            }
            let from: Box<dyn Read> = Box::new(io::Cursor::new(first).chain(from));
            match StreamingDecoder::new(from) {
                Ok(decoder) => self.current = Some(decoder),
                Err(error) => return Err(io::Error::other(error.to_string())),
            }
        }
    }
}

/// A stream that fails when it is longer than it may be.
pub(super) struct Limited<R> {
    from: R,
    left: u64,
}

/// What a stream fails with that is too long.
#[derive(Debug, thiserror::Error)]
#[error("it is longer than allowed")]
pub(super) struct TooLong;

impl<R: Read> Limited<R> {
    pub(super) const fn new(from: R, most: u64) -> Limited<R> {
        Limited { from, left: most }
    }
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.left = self
            .left
            .checked_sub(read as u64)
            .ok_or_else(|| io::Error::other(TooLong))?;
        Ok(read)
    }
}

/// A digest as images name it: `sha256:HEX`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Digest {
    text: String,
    is_512: bool,
}

impl Digest {
    /// Reads one.
    pub fn parse(text: &str) -> Result<Digest, Error> {
        let wrong = || Error::Algorithm(text.to_owned());
        let (algorithm, digits) = text.split_once(':').ok_or_else(wrong)?;
        let len = match algorithm {
            "sha256" => 64,
            "sha512" => 128,
            _ => return Err(wrong()),
        };
        let is_lower = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        if digits.len() != len || !digits.bytes().all(is_lower) {
            return Err(wrong());
        }
        Ok(Digest {
            text: text.to_owned(),
            is_512: algorithm == "sha512",
        })
    }

    /// As it is written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The path of the blob in an OCI layout.
    #[must_use]
    pub fn path(&self) -> String {
        format!("blobs/{}", self.text.replacen(':', "/", 1))
    }

    /// A sum that can be compared with it.
    pub(super) fn sum(&self) -> Sum {
        if self.is_512 {
            Sum::Long(Box::new(Sha512::new()))
        } else {
            Sum::Short(Box::new(Sha256::new()))
        }
    }
}

/// A digest that is being made.
pub(super) enum Sum {
    Short(Box<Sha256>),
    Long(Box<Sha512>),
}

impl Sum {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        match self {
            Sum::Short(sum) => sum.update(bytes),
            Sum::Long(sum) => sum.update(bytes),
        }
    }

    pub(super) fn text(self) -> String {
        let hex = |bytes: &[u8]| -> String {
            let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
            let digits = bytes.iter().flat_map(|it| [digit(it >> 4), digit(it & 15)]);
            digits.collect()
        };
        match self {
            Sum::Short(sum) => format!("sha256:{}", hex(&sum.finalize())),
            Sum::Long(sum) => format!("sha512:{}", hex(&sum.finalize())),
        }
    }
}

/// A stream that sums up what is read from it, and counts it.
pub(super) struct Summed<R> {
    from: R,
    pub(super) sum: Sum,
    pub(super) count: u64,
}

impl<R: Read> Summed<R> {
    pub(super) const fn new(from: R, sum: Sum) -> Summed<R> {
        Summed {
            from,
            sum,
            count: 0,
        }
    }
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.sum.update(&buffer[..read]);
        self.count += read as u64;
        Ok(read)
    }
}

/// The first bytes of a stream, and the whole of it.
pub(super) fn peek(from: Box<dyn Read>) -> io::Result<(Vec<u8>, Box<dyn Read>)> {
    let mut from = BufReader::with_capacity(1 << 16, from);
    let mut start = Vec::new();
    Read::by_ref(&mut from).take(8).read_to_end(&mut start)?;
    let whole = io::Cursor::new(start.clone()).chain(from);
    Ok((start, Box::new(whole)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_read_strictly() {
        let zeros = "0".repeat(64);
        let digest = Digest::parse(&format!("sha256:{zeros}")).unwrap();
        assert_eq!(digest.path(), format!("blobs/sha256/{zeros}"));
        for wrong in [
            "sha256",
            "sha256:",
            "md5:00",
            &format!("sha256:{}", "A".repeat(64)),
            &format!("sha256:../{}", "0".repeat(61)),
            &format!("sha512:{zeros}"),
        ] {
            assert!(Digest::parse(wrong).is_err(), "{wrong}");
        }
        let mut sum = digest.sum();
        sum.update(b"abc");
        assert_eq!(
            sum.text(),
            "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn a_stream_that_is_too_long_fails() {
        let mut bytes = Vec::new();
        assert_eq!(
            Limited::new(&b"abc"[..], 3)
                .read_to_end(&mut bytes)
                .unwrap(),
            3
        );
        assert!(
            Limited::new(&b"abcd"[..], 3)
                .read_to_end(&mut bytes)
                .is_err()
        );
    }
}
