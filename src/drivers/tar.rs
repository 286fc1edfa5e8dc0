//! Layers as tar archives: whiteouts are files named `.wh.NAME`. Bytes are those of the daemon.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use ztwin_model::dmu::data::{self, Piece, Source};
use ztwin_model::layer::{
    Attributes, Daemon, LayerContent, LayerEntry, Member, MemberContent, OPAQUE, WHITEOUT,
};
use ztwin_model::zpl::znode::Special;

use crate::archive::{self, Contents, Header, Kind, Reader, Time, Unwritable, Writer, XATTR};

/// Why a tar archive is no layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// No daemon would read it.
    #[error("the layer is broken off or is no tar archive, behind entry {after}: {source}")]
    Broken {
        /// How many entries were read before.
        after: usize,
        /// What is wrong with it, in the words of Go.
        source: archive::Error,
    },
    /// A path is no text.
    #[error("the path of entry {index} is not UTF-8, which is not modelled")]
    Text {
        /// Which entry, from 1.
        index: usize,
    },
    /// A number that no file can have.
    #[error("entry {index}, '{path}', {what}")]
    Entry {
        /// Which entry, from 1.
        index: usize,
        /// Its path.
        path: String,
        /// What is wrong with it.
        what: &'static str,
    },
}

/// What an archive has besides its entries.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Export {
    /// Who writes it.
    pub daemon: Daemon,
    /// The time when it is written, in seconds since 1970: that of whiteouts, but for containerd 2.
    pub now: i64,
}

impl Export {
    /// An archive of that daemon, written at that time.
    #[must_use]
    pub const fn new(daemon: Daemon, now: i64) -> Export {
        Export { daemon, now }
    }
}

/// Writes a layer as the daemon does, to the byte.
pub fn write(entries: &[LayerEntry], export: &Export, to: impl Write) -> Result<(), Unwritable> {
    let mut archive = Writer::new(to);
    // The type and the device number of what hard links lead to: their headers have them too.
    let mut types: BTreeMap<&str, (Kind, i64, i64)> = BTreeMap::new();
    for entry in entries {
        let path = entry.path.trim_start_matches('/');
        let (mut header, pieces) = match &entry.content {
            LayerContent::Whiteout => {
                let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
                let slash = if above.is_empty() { "" } else { "/" };
                (
                    export.marker(format!("{above}{slash}{WHITEOUT}{name}")),
                    &[][..],
                )
            }
            LayerContent::Opaque => {
                let slash = if path.is_empty() { "" } else { "/" };
                (export.marker(format!("{path}{slash}{OPAQUE}")), &[][..])
            }
            LayerContent::Directory(attributes) => {
                let path = if path.is_empty() { "." } else { path };
                let name = format!("{path}/");
                (export.header(Kind::Directory, name, attributes), &[][..])
            }
            LayerContent::File(attributes, pieces) => {
                let mut header = export.header(Kind::File, path, attributes);
                let size: u64 = pieces.iter().map(|piece| piece.len).sum();
                header.size = i64::try_from(size).unwrap_or(i64::MAX);
                (header, &pieces[..])
            }
            LayerContent::Link(attributes, target) => {
                let mut header = export.header(Kind::Link, path, attributes);
                header.link = target.as_bytes().to_vec();
                (header, &[][..])
            }
            LayerContent::Special(attributes, special) => {
                let kind = match special {
                    Special::CharacterDevice(..) => Kind::Character,
                    Special::BlockDevice(..) => Kind::Block,
                    Special::Fifo => Kind::Fifo,
                    // There is no such entry; daemons pass over it.
                    Special::Socket => continue,
                };
                let mut header = export.header(kind, path, attributes);
                let (major, minor) = special.device().unwrap_or_default();
                (header.major, header.minor) = (major.into(), minor.into());
                (header, &[][..])
            }
            LayerContent::HardLink(attributes, target) => {
                let of = types.get(&**target).copied();
                let (kind, major, minor) = of.unwrap_or((Kind::File, 0, 0));
                let mut header = export.header(kind, path, attributes);
                header.kind = Kind::HardLink;
                (header.major, header.minor) = (major, minor);
                header.link = target.trim_start_matches('/').as_bytes().to_vec();
                (header, &[][..])
            }
        };
        types.insert(&entry.path, (header.kind, header.major, header.minor));
        for (name, value) in &entry.xattrs {
            let key = [XATTR, name.as_bytes()].concat();
            header.records.insert(key, value.to_vec());
        }
        archive.entry(&header, Pieces::new(pieces))?;
    }
    archive.finish()?;
    Ok(())
}

impl Export {
    /// The header of a file that says that something is gone.
    fn marker(&self, name: String) -> Header {
        let mut header = Header::new(Kind::File, name);
        if self.daemon != Daemon::Containerd2 {
            header.mtime = Time::second(self.now);
        }
        header
    }

    fn header(&self, kind: Kind, name: impl Into<Vec<u8>>, attributes: &Attributes) -> Header {
        let mut header = Header::new(kind, name);
        header.mode = attributes.mode.into();
        header.uid = attributes.uid.into();
        header.gid = attributes.gid.into();
        header.mtime = Time::second(attributes.mtime);
        if matches!(self.daemon, Daemon::Docker20 | Daemon::Storage43) {
            // Go kept the type of a file there until 1.8.
            header.mode |= match kind {
                Kind::Directory => 0o040_000,
                Kind::Link => 0o120_000,
                Kind::Character => 0o020_000,
                Kind::Block => 0o060_000,
                Kind::Fifo => 0o010_000,
                _ => 0o100_000,
            };
        }
        header
    }
}

/// The bytes of pieces, as a stream.
struct Pieces<'a> {
    pieces: &'a [data::Piece],
    /// How much of the first piece was read.
    done: u64,
}

impl<'a> Pieces<'a> {
    fn new(pieces: &'a [data::Piece]) -> Self {
        Pieces { pieces, done: 0 }
    }
}

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let [first, rest @ ..] = self.pieces {
            let left = first.len - self.done;
            if left == 0 {
                self.pieces = rest;
                self.done = 0;
                continue;
            }
            let take = usize::try_from(left).map_or(buffer.len(), |left| left.min(buffer.len()));
            first
                .source
                .read(first.position + self.done, &mut buffer[..take]);
            self.done += take as u64;
            return Ok(take);
        }
        Ok(0)
    }
}

/// Reads a layer from a tar archive, as daemons do: one that ends between two entries is whole, and what is
/// behind its end mark is not looked at.
pub fn read(from: impl Read) -> Result<Vec<Member>, Error> {
    let mut archive = Reader::new(from);
    let mut members = Vec::new();
    loop {
        let after = members.len();
        let broken = |source| Error::Broken { after, source };
        let Some(header) = archive.next().map_err(broken)? else {
            return Ok(members);
        };
        let contents = match header.kind {
            Kind::File => archive.contents().map_err(broken)?,
            _ => Contents::default(),
        };
        members.push(member(&header, &contents, after + 1)?);
    }
}

/// What one entry says.
fn member(header: &Header, contents: &Contents, index: usize) -> Result<Member, Error> {
    let text = |bytes: &[u8]| {
        let text = String::from_utf8(bytes.to_vec());
        text.map(Arc::from).map_err(|_| Error::Text { index })
    };
    let name: Arc<str> = text(&header.name)?;
    let wrong = |what| Error::Entry {
        index,
        path: name.to_string(),
        what,
    };
    let id = |id: i64, what| u32::try_from(id).map_err(|_| wrong(what));
    let attributes = Attributes {
        mode: u32::try_from(header.mode & 0o7777).unwrap_or(0),
        uid: id(header.uid, "has an owner that is no user")?,
        gid: id(header.gid, "has a group that is none")?,
        mtime: header.mtime.seconds,
    };
    let mut xattrs = BTreeMap::new();
    for (key, value) in header.xattrs() {
        xattrs.insert(text(key)?, Bytes::copy_from_slice(value));
    }
    let content = match header.kind {
        Kind::Directory => MemberContent::Directory,
        Kind::File => MemberContent::File(pieces(contents).into()),
        Kind::Link => MemberContent::Link(text(&header.link)?),
        Kind::HardLink => MemberContent::HardLink(text(&header.link)?),
        Kind::Global => MemberContent::Global,
        Kind::Character | Kind::Block => {
            let number = |number| id(number, "has a device number that no device has");
            let (major, minor) = (number(header.major)?, number(header.minor)?);
            MemberContent::Special(if header.kind == Kind::Block {
                Special::BlockDevice(major, minor)
            } else {
                Special::CharacterDevice(major, minor)
            })
        }
        Kind::Fifo => MemberContent::Special(Special::Fifo),
        // Go can read the old form of holes, but no daemon takes it for a file.
        Kind::Sparse | Kind::Other(_) => MemberContent::Unknown(header.kind.byte()),
    };
    Ok(Member {
        name,
        content,
        attributes,
        xattrs,
        size: u64::try_from(header.size).unwrap_or(0),
    })
}

/// Contents as pieces: holes are zeros.
fn pieces(contents: &Contents) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut at = 0;
    for (offset, bytes) in &contents.data {
        data::push(&mut pieces, Piece::zeros(offset - at));
        let len = bytes.len() as u64;
        data::push(&mut pieces, Source::Bytes(bytes.clone()).piece(len));
        at = offset + len;
    }
    data::push(&mut pieces, Piece::zeros(contents.size - at));
    pieces
}
