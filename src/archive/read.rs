//! How archives are read, and which ones are refused.

use std::io::{self, Read};

use bytes::Bytes;

use super::header::{Header, Kind, Time};
use super::number::{number, octal, until_nul};
use super::records::{self, Records};
use super::sparse::{self, Map};
use super::{BLOCK, LONGEST, padding};

/// Why an archive is refused, in the words of Go.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A header makes no sense.
    #[error("archive/tar: invalid tar header")]
    Header,
    /// Records or a long name are longer than 1 MiB.
    #[error("archive/tar: header field too long")]
    TooLong,
    /// A map of holes is longer than 1 MiB.
    #[error("archive/tar: sparse map too long")]
    SparseTooLong,
    /// It ends in the middle.
    #[error("unexpected EOF")]
    End,
    /// A map of holes tells of data that is not there.
    #[error("archive/tar: sparse file references non-existent data")]
    MissingData,
    /// A file has data that its map of holes does not tell of.
    #[error("archive/tar: sparse file contains unreferenced data")]
    UnknownData,
    /// Reading it failed.
    #[error(transparent)]
    Io(io::Error),
}

impl Error {
    /// What it means that as many bytes as were needed could not be read.
    pub(super) fn from_exact(error: io::Error) -> Error {
        if error.kind() == io::ErrorKind::UnexpectedEof {
            Error::End
        } else {
            Error::Io(error)
        }
    }
}

/// The bytes of a file: its data, with holes between.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Contents {
    /// How many bytes it has, holes included.
    pub size: u64,
    /// Where data is, in order.
    pub data: Vec<(u64, Bytes)>,
}

impl Contents {
    /// The first bytes, holes as zeros, and no more than `most`.
    #[must_use]
    pub fn bytes(&self, most: usize) -> Vec<u8> {
        let most = usize::try_from(self.size).map_or(most, |size| size.min(most));
        let mut all = Vec::new();
        for (offset, data) in &self.data {
            let start = usize::try_from(*offset).map_or(most, |start| start.min(most));
            all.resize(start, 0);
            all.extend_from_slice(&data[..data.len().min(most - start)]);
        }
        all.resize(most, 0);
        all
    }
}

/// What an archive is read from.
pub(super) struct Source<R> {
    from: R,
}

impl<R: Read> Source<R> {
    /// As many bytes as there are, up to the length of `to`.
    fn fill(&mut self, to: &mut [u8]) -> Result<usize, Error> {
        let mut done = 0;
        while done < to.len() {
            match self.from.read(&mut to[done..]) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(Error::Io(error)),
            }
        }
        Ok(done)
    }

    /// That many bytes.
    pub(super) fn exact(&mut self, to: &mut [u8]) -> Result<(), Error> {
        if self.fill(to)? < to.len() {
            return Err(Error::End);
        }
        Ok(())
    }
}

/// Reads an archive, one entry after the other.
pub struct Reader<R> {
    source: Source<R>,
    /// How much of the entry's contents was not read yet.
    left: u64,
    /// What fills up its last block.
    padding: usize,
    /// Where the entry's data is, if it has holes.
    map: Option<Map>,
    /// The entry's size, holes included.
    size: u64,
    done: bool,
}

impl<R: Read> Reader<R> {
    /// The archive in `from`.
    pub const fn new(from: R) -> Reader<R> {
        Reader {
            source: Source { from },
            left: 0,
            padding: 0,
            map: None,
            size: 0,
            done: false,
        }
    }

    /// The next entry's header; none at the end. An archive ends with two blocks of zeros, or one, or where
    /// nothing follows an entry. What is behind that is not looked at.
    #[expect(
        clippy::should_implement_trait,
        reason = "the contents of an entry are read before the next one"
    )]
    pub fn next(&mut self) -> Result<Option<Header>, Error> {
        if self.done {
            return Ok(None);
        }
        let next = self.find();
        self.done = !matches!(next, Ok(Some(_)));
        next
    }

    fn find(&mut self) -> Result<Option<Header>, Error> {
        let mut records = Records::new();
        let (mut long_name, mut long_link) = (Vec::new(), Vec::new());
        loop {
            self.skip()?;
            let mut fill = [0; BLOCK];
            if self.source.fill(&mut fill[..self.padding])? < self.padding {
                return Ok(None);
            }
            self.padding = 0;
            let Some(block) = self.block()? else {
                return Ok(None);
            };
            let (mut header, is_gnu) = unpack(&block)?;
            self.regular(&header)?;
            match header.kind.byte() {
                b'x' | b'g' => {
                    records = records::parse(&self.special()?)?;
                    if header.kind == Kind::Global {
                        let path = records.get(records::key::PATH);
                        let name = path.filter(|path| !path.is_empty()).cloned();
                        let mut global = Header::new(Kind::Global, name.unwrap_or(header.name));
                        global.records = records;
                        return Ok(Some(global));
                    }
                }
                b'L' => long_name = until_nul(&self.special()?).to_vec(),
                b'K' => long_link = until_nul(&self.special()?).to_vec(),
                _ => {
                    records::merge(&mut header, std::mem::take(&mut records))?;
                    if !long_name.is_empty() {
                        header.name = long_name;
                    }
                    if !long_link.is_empty() {
                        header.link = long_link;
                    }
                    if header.kind == Kind::Other(0) {
                        header.kind = if header.name.ends_with(b"/") {
                            Kind::Directory
                        } else {
                            Kind::File
                        };
                    }
                    self.regular(&header)?;
                    self.holes(&mut header, &block, is_gnu)?;
                    return Ok(Some(header));
                }
            }
        }
    }

    /// Passes over what was not read of an entry.
    fn skip(&mut self) -> Result<(), Error> {
        let skipped = io::copy(
            &mut (&mut self.source.from).take(self.left),
            &mut io::sink(),
        );
        if skipped.map_err(Error::Io)? < self.left {
            return Err(Error::End);
        }
        self.left = 0;
        Ok(())
    }

    /// The next block of a header; none at the end.
    fn block(&mut self) -> Result<Option<[u8; BLOCK]>, Error> {
        for is_second in [false, true] {
            let mut block = [0; BLOCK];
            match self.source.fill(&mut block)? {
                0 => return Ok(None),
                BLOCK => {}
                _ => return Err(Error::End),
            }
            if block != [0; BLOCK] {
                // A header behind one block of zeros is none.
                return if is_second {
                    Err(Error::Header)
                } else {
                    Ok(Some(block))
                };
            }
        }
        Ok(None)
    }

    /// Where the contents of an entry end.
    fn regular(&mut self, header: &Header) -> Result<(), Error> {
        let size = if header.kind.is_header_only() {
            0
        } else {
            u64::try_from(header.size).map_err(|_| Error::Header)?
        };
        self.left = size;
        self.padding = padding(size);
        self.map = None;
        self.size = size;
        Ok(())
    }

    /// The contents of an entry that is about the next one.
    fn special(&mut self) -> Result<Vec<u8>, Error> {
        let mut bytes = Vec::new();
        let most = self.left.min(LONGEST as u64 + 1);
        let read = (&mut self.source.from).take(most).read_to_end(&mut bytes);
        read.map_err(Error::Io)?;
        self.left -= bytes.len() as u64;
        if bytes.len() > LONGEST {
            return Err(Error::TooLong);
        }
        if (bytes.len() as u64) < most {
            return Err(Error::End);
        }
        Ok(bytes)
    }

    /// Where the data of a file with holes is.
    fn holes(
        &mut self,
        header: &mut Header,
        block: &[u8; BLOCK],
        is_gnu: bool,
    ) -> Result<(), Error> {
        let map = if header.kind == Kind::Sparse {
            if !is_gnu {
                return Err(Error::Header);
            }
            let (map, size) = sparse::from_block(block, &mut self.source)?;
            header.size = size;
            map
        } else {
            let Some(form) = sparse::form(&header.records) else {
                return Ok(());
            };
            let text = |key: &[u8]| header.records.get(key).filter(|text| !text.is_empty());
            let name = text(b"GNU.sparse.name").cloned();
            let size = text(b"GNU.sparse.size").or_else(|| text(b"GNU.sparse.realsize"));
            if let Some(size) = size {
                header.size = records::decimal(size).ok_or(Error::Header)?;
            }
            if let Some(name) = name {
                header.name = name;
            }
            match form {
                sparse::Form::Records => sparse::from_records(&header.records)?,
                sparse::Form::Contents => {
                    let mut contents = (&mut self.source.from).take(self.left);
                    let (map, len) = sparse::from_contents(&mut contents)?;
                    self.left -= len;
                    map
                }
            }
        };
        if header.kind.is_header_only() || !sparse::is_valid(&map, header.size) {
            return Err(Error::Header);
        }
        // It was found to be no less than zero.
        self.size = u64::try_from(header.size).unwrap_or(0);
        self.map = Some(map);
        Ok(())
    }

    /// The contents of the entry whose header was read last. They can be read once.
    pub fn contents(&mut self) -> Result<Contents, Error> {
        let contents = self.read_contents();
        self.done |= contents.is_err();
        contents
    }

    fn read_contents(&mut self) -> Result<Contents, Error> {
        let size = std::mem::take(&mut self.size);
        let Some(map) = self.map.take() else {
            let bytes = self.data(self.left)?.ok_or(Error::End)?;
            let data = if bytes.is_empty() {
                Vec::new()
            } else {
                vec![(0, bytes)]
            };
            return Ok(Contents { size, data });
        };
        let mut data = Vec::new();
        for (offset, len) in map {
            // They were found to be no less than zero.
            let [offset, len] = [offset, len].map(|it| u64::try_from(it).unwrap_or(0));
            let bytes = self.data(len.min(self.left))?.ok_or(Error::End)?;
            if (bytes.len() as u64) < len {
                return Err(Error::MissingData);
            }
            if !bytes.is_empty() {
                data.push((offset, bytes));
            }
        }
        if self.left > 0 {
            return Err(Error::UnknownData);
        }
        Ok(Contents { size, data })
    }

    /// That many bytes of the entry; none if the archive ends before. No memory is taken for what is only
    /// promised.
    fn data(&mut self, len: u64) -> Result<Option<Bytes>, Error> {
        let mut bytes = Vec::new();
        let read = (&mut self.source.from).take(len).read_to_end(&mut bytes);
        read.map_err(Error::Io)?;
        self.left -= bytes.len() as u64;
        bytes.shrink_to_fit();
        Ok((bytes.len() as u64 == len).then(|| Bytes::from(bytes)))
    }
}

/// What a block tells, and whether it has the form of GNU tar.
fn unpack(block: &[u8; BLOCK]) -> Result<(Header, bool), Error> {
    let told = octal(&block[148..156]).ok_or(Error::Header)?;
    let summed = |value: fn(u8) -> i64| -> i64 {
        let sum: i64 = block.iter().map(|&byte| value(byte)).sum();
        let field: i64 = block[148..156].iter().map(|&byte| value(byte)).sum();
        sum - field + 8 * i64::from(b' ')
    };
    // Some programs took bytes for signed.
    if told != summed(i64::from) && told != summed(|byte| i64::from(byte.cast_signed())) {
        return Err(Error::Header);
    }
    let field = |range: std::ops::Range<usize>| number(&block[range]).ok_or(Error::Header);
    let text = |range: std::ops::Range<usize>| until_nul(&block[range]).to_vec();
    let mut header = Header::new(Kind::of(block[156]), text(0..100));
    header.link = text(157..257);
    header.size = field(124..136)?;
    header.mode = field(100..108)?;
    header.uid = field(108..116)?;
    header.gid = field(116..124)?;
    header.mtime = Time::second(field(136..148)?);
    let is_ustar = &block[257..263] == b"ustar\0";
    let is_gnu = &block[257..265] == b"ustar  \0";
    if !is_ustar && !is_gnu {
        return Ok((header, false));
    }
    header.user = text(265..297);
    header.group = text(297..329);
    header.major = field(329..337)?;
    header.minor = field(337..345)?;
    let prefix = if is_gnu {
        let times = [345..357, 357..369];
        let senseless = |it: &std::ops::Range<usize>| {
            block[it.start] != 0 && number(&block[it.clone()]).is_none()
        };
        if times.iter().any(senseless) {
            // Go once wrote prefixes into headers of this form, where these times are.
            let prefix = text(345..500);
            if prefix.is_ascii() {
                prefix
            } else {
                Vec::new()
            }
        } else {
            if block[345] != 0
                && let Some(seconds) = number(&block[345..357])
            {
                header.atime = Some(Time::second(seconds));
            }
            Vec::new()
        }
    } else if &block[508..512] == b"tar\0" {
        header.atime = Some(Time::second(field(476..488)?));
        field(488..500)?;
        text(345..476)
    } else {
        text(345..500)
    };
    if !prefix.is_empty() {
        header.name = [&prefix[..], b"/", &header.name[..]].concat();
    }
    Ok((header, is_gnu))
}
