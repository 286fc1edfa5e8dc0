//! Layers as tar archives, the way Docker writes and reads them: whiteouts are files named `.wh.NAME`.

use std::io::{self, Read, Write};
use std::sync::Arc;

use bytes::Bytes;
use tar::{Archive, Builder, EntryType, Header};
use ztwin_model::dmu::data::{self, Source};
use ztwin_model::layer::{Attributes, LayerContent, LayerEntry};
use ztwin_model::zpl::znode::Special;

/// What the name of a whiteout starts with.
const WHITEOUT: &str = ".wh.";

/// The name of the file that makes its directory opaque.
const OPAQUE: &str = ".wh..wh..opq";

/// What names start with that other storage drivers left in layers; they say nothing.
const META: &str = ".wh..wh.";

/// Why a tar archive is no layer.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It ends in the middle, or is no tar archive.
    #[error("the layer is broken off or is no tar archive, behind entry {after}: {source}")]
    Broken {
        /// How many entries were read before.
        after: usize,
        /// What reading it met.
        source: io::Error,
    },
    /// A path is no text.
    #[error("the path of entry {index} is not UTF-8")]
    Text {
        /// Which entry, from 1.
        index: usize,
    },
    /// An entry that layers on this machine cannot have.
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

/// Writes a layer as a tar archive. Directories end in `/`, whiteouts have size zero and time zero.
pub fn write(entries: &[LayerEntry], to: impl Write) -> io::Result<()> {
    let mut archive = Builder::new(to);
    for entry in entries {
        let path = entry.path.trim_start_matches('/');
        let mut header = Header::new_gnu();
        header.set_size(0);
        header.set_mtime(0);
        header.set_mode(0);
        header.set_uid(0);
        header.set_gid(0);
        match &entry.content {
            LayerContent::Whiteout => {
                let (above, name) = path.rsplit_once('/').unwrap_or(("", path));
                let slash = if above.is_empty() { "" } else { "/" };
                header.set_entry_type(EntryType::Regular);
                let name = format!("{above}{slash}{WHITEOUT}{name}");
                archive.append_data(&mut header, name, io::empty())?;
            }
            LayerContent::Opaque => {
                let slash = if path.is_empty() { "" } else { "/" };
                header.set_entry_type(EntryType::Regular);
                archive.append_data(&mut header, format!("{path}{slash}{OPAQUE}"), io::empty())?;
            }
            LayerContent::Directory(attributes) => {
                set(&mut header, attributes);
                header.set_entry_type(EntryType::Directory);
                let path = if path.is_empty() { "." } else { path };
                archive.append_data(&mut header, format!("{path}/"), io::empty())?;
            }
            LayerContent::File(attributes, pieces) => {
                set(&mut header, attributes);
                header.set_entry_type(EntryType::Regular);
                header.set_size(pieces.iter().map(|piece| piece.len).sum());
                archive.append_data(&mut header, path, Pieces::new(pieces))?;
            }
            LayerContent::Link(attributes, target) => {
                set(&mut header, attributes);
                header.set_entry_type(EntryType::Symlink);
                archive.append_link(&mut header, path, &**target)?;
            }
            LayerContent::Special(attributes, special) => {
                set(&mut header, attributes);
                header.set_entry_type(match special {
                    Special::CharacterDevice(..) => EntryType::Char,
                    Special::BlockDevice(..) => EntryType::Block,
                    Special::Fifo | Special::Socket => EntryType::Fifo,
                });
                let (major, minor) = special.device().unwrap_or_default();
                header.set_device_major(major)?;
                header.set_device_minor(minor)?;
                archive.append_data(&mut header, path, io::empty())?;
            }
            LayerContent::HardLink(target) => {
                header.set_entry_type(EntryType::Link);
                archive.append_link(&mut header, path, target.trim_start_matches('/'))?;
            }
        }
    }
    archive.finish()
}

fn set(header: &mut Header, attributes: &Attributes) {
    header.set_mode(attributes.mode);
    header.set_uid(attributes.uid.into());
    header.set_gid(attributes.gid.into());
    // Times before 1970 have no place in a tar archive.
    header.set_mtime(u64::try_from(attributes.mtime).unwrap_or(0));
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

/// Reads a layer from a tar archive.
pub fn read(from: impl Read) -> Result<Vec<LayerEntry>, Error> {
    let mut from = Ended { from, zeros: 0 };
    let mut entries = Vec::new();
    let mut index = 0;
    {
        let mut archive = Archive::new(&mut from);
        let broken = |after| move |source| Error::Broken { after, source };
        for entry in archive.entries().map_err(broken(0))? {
            let mut entry = entry.map_err(broken(index))?;
            index += 1;
            if let Some(read) = read_entry(&mut entry, index)? {
                entries.push(read);
            }
        }
    }
    // The archive's reader takes a file that just stops between two entries for whole.
    if from.zeros < 512 {
        let source = io::Error::new(io::ErrorKind::UnexpectedEof, "there is no end mark");
        return Err(Error::Broken {
            after: index,
            source,
        });
    }
    Ok(entries)
}

/// A stream that remembers how many zeros it ended in, to tell an archive with its end mark.
struct Ended<R> {
    from: R,
    zeros: usize,
}

impl<R: Read> Read for Ended<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let got = self.from.read(buffer)?;
        let end = buffer[..got]
            .iter()
            .rev()
            .take_while(|&&byte| byte == 0)
            .count();
        self.zeros = if end == got { self.zeros + got } else { end };
        Ok(got)
    }
}

fn read_entry<R: Read>(
    entry: &mut tar::Entry<'_, R>,
    index: usize,
) -> Result<Option<LayerEntry>, Error> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).map_err(|_| Error::Text { index });
    let name = text(&entry.path_bytes())?;
    let wrong = |what| Error::Entry {
        index,
        path: name.clone(),
        what,
    };
    let path = absolute(&name).ok_or_else(|| wrong("leads out of the layer"))?;
    let last = path.rsplit('/').next().unwrap_or_default();
    let above = &path[..path.len() - last.len()];
    if last == OPAQUE {
        let path = if above == "/" {
            above
        } else {
            above.trim_end_matches('/')
        };
        return Ok(Some(LayerEntry {
            path: path.into(),
            content: LayerContent::Opaque,
        }));
    }
    if path.split('/').any(|name| name.starts_with(META)) {
        return Ok(None);
    }
    if let Some(removed) = last.strip_prefix(WHITEOUT) {
        if matches!(removed, "" | "." | "..") {
            return Err(wrong("is a whiteout of no name"));
        }
        let path = format!("{above}{removed}").into();
        return Ok(Some(LayerEntry {
            path,
            content: LayerContent::Whiteout,
        }));
    }
    let header = entry.header();
    let number = |read: io::Result<u64>, what| {
        read.ok()
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| wrong(what))
    };
    let attributes = Attributes {
        mode: header.mode().map_err(|_| wrong("has no mode"))? & 0o7777,
        uid: number(header.uid(), "has no owner")?,
        gid: number(header.gid(), "has no group")?,
        mtime: header
            .mtime()
            .ok()
            .and_then(|time| i64::try_from(time).ok())
            .ok_or_else(|| wrong("has no time"))?,
    };
    let kind = header.entry_type();
    let content = match kind {
        EntryType::Directory => LayerContent::Directory(attributes),
        EntryType::Regular | EntryType::Continuous | EntryType::GNUSparse => {
            let size = entry.size();
            let mut bytes = Vec::new();
            let read = entry.read_to_end(&mut bytes).and_then(|read| {
                if read as u64 == size {
                    Ok(())
                } else {
                    Err(io::Error::new(
                        io::ErrorKind::UnexpectedEof,
                        "a file ends too early",
                    ))
                }
            });
            read.map_err(|source| Error::Broken {
                after: index - 1,
                source,
            })?;
            let mut pieces = Vec::new();
            data::push(&mut pieces, Source::Bytes(Bytes::from(bytes)).piece(size));
            LayerContent::File(attributes, pieces.into())
        }
        EntryType::Symlink | EntryType::Link => {
            let target = entry
                .link_name_bytes()
                .ok_or_else(|| wrong("is a link to nothing"))?;
            let target = text(&target)?;
            if kind == EntryType::Symlink {
                LayerContent::Link(attributes, target.into())
            } else {
                let target = absolute(&target).ok_or_else(|| wrong("links out of the layer"))?;
                LayerContent::HardLink(target.into())
            }
        }
        EntryType::XGlobalHeader => return Ok(None),
        _ => return Err(wrong("is a special file, which is not modelled")),
    };
    Ok(Some(LayerEntry {
        path: Arc::from(path),
        content,
    }))
}

/// A path from `/`, without `.`; none when it leads out.
fn absolute(name: &str) -> Option<String> {
    let names = name.split('/').filter(|name| !matches!(*name, "" | "."));
    let mut path = String::new();
    for name in names {
        if name == ".." {
            return None;
        }
        path.push('/');
        path.push_str(name);
    }
    Some(if path.is_empty() {
        "/".to_owned()
    } else {
        path
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ATTRIBUTES: Attributes = Attributes {
        mode: 0o4755,
        uid: 7,
        gid: 70_000,
        mtime: 99,
    };

    fn entry(path: &str, content: LayerContent) -> LayerEntry {
        LayerEntry {
            path: path.into(),
            content,
        }
    }

    fn some() -> Vec<LayerEntry> {
        let bytes = Source::Bytes(Bytes::from_static(b"hello")).piece(5);
        vec![
            entry("/", LayerContent::Directory(ATTRIBUTES)),
            entry("/d", LayerContent::Directory(ATTRIBUTES)),
            entry("/d", LayerContent::Opaque),
            entry("/d/f", LayerContent::File(ATTRIBUTES, Arc::from([bytes]))),
            entry("/d/empty", LayerContent::File(ATTRIBUTES, Arc::from([]))),
            entry("/d/g", LayerContent::HardLink("/d/f".into())),
            entry("/l", LayerContent::Link(ATTRIBUTES, "../d/f".into())),
            entry(&format!("/{}/f", "long".repeat(60)), LayerContent::Whiteout),
            entry("/gone", LayerContent::Whiteout),
        ]
    }

    #[test]
    fn a_layer_comes_back_as_it_was_written() {
        let mut bytes = Vec::new();
        write(&some(), &mut bytes).unwrap();
        assert_eq!(read(&bytes[..]).unwrap(), some());
    }

    #[test]
    fn whiteouts_are_files_of_no_size() {
        let mut bytes = Vec::new();
        write(&some(), &mut bytes).unwrap();
        let mut archive = Archive::new(&bytes[..]);
        let names: Vec<_> = archive
            .entries()
            .unwrap()
            .map(|it| {
                let it = it.unwrap();
                (
                    it.path().unwrap().display().to_string(),
                    it.size(),
                    it.header().mtime().unwrap(),
                )
            })
            .collect();
        assert_eq!(names[2], ("d/.wh..wh..opq".to_owned(), 0, 0));
        assert_eq!(names[8], (".wh.gone".to_owned(), 0, 0));
    }

    #[test]
    fn a_layer_that_is_cut_off_anywhere_is_refused() {
        let mut bytes = Vec::new();
        write(&some(), &mut bytes).unwrap();
        // The end mark is two blocks of zeros; one is as good.
        for len in (0..bytes.len() - 1024).step_by(64) {
            let error = read(&bytes[..len]).unwrap_err();
            assert!(
                matches!(error, Error::Broken { .. }),
                "{len} bytes: {error}"
            );
            assert!(
                error.to_string().starts_with("the layer is broken off"),
                "{error}"
            );
        }
    }

    #[test]
    fn names_that_lead_out_or_say_nothing_are_refused() {
        let with_name = |name: &str| {
            let mut header = Header::new_gnu();
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_size(0);
            header.set_mode(0o644);
            header.set_uid(0);
            header.set_gid(0);
            header.set_mtime(0);
            header.set_entry_type(EntryType::Regular);
            header.set_cksum();
            let mut bytes = header.as_bytes().to_vec();
            bytes.resize(bytes.len() + 1024, 0);
            read(&bytes[..])
        };
        assert!(
            with_name("../x")
                .unwrap_err()
                .to_string()
                .contains("leads out")
        );
        assert!(
            with_name("a/../../x")
                .unwrap_err()
                .to_string()
                .contains("leads out")
        );
        assert!(
            with_name(".wh...")
                .unwrap_err()
                .to_string()
                .contains("whiteout of no name")
        );
        assert!(
            with_name("d/.wh.")
                .unwrap_err()
                .to_string()
                .contains("whiteout of no name")
        );
        assert_eq!(with_name(".wh..wh.plnk/x").unwrap(), []);
        assert!(with_name("./ok").is_ok());
    }
}
