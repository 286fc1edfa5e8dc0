//! Where an image's files are: in a directory, or in a tar archive.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use bytes::Bytes;

use super::Error;
use super::unpack::{Form, Limited, decoder, form};
use crate::archive::{Kind, Reader};

/// The files of an image, by their paths.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    kind: Place,
}

#[derive(Debug)]
enum Place {
    Directory,
    /// Where each file's bytes are in the archive.
    Archive(BTreeMap<String, (u64, u64)>, Option<Bytes>),
}

/// A file of an image.
pub struct Stored {
    /// How many bytes it has.
    pub len: u64,
    /// Its bytes.
    pub bytes: Box<dyn Read>,
}

/// A stream that counts how far it was read.
struct Counted<R> {
    from: R,
    count: Rc<Cell<u64>>,
}

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.count.set(self.count.get() + read as u64);
        Ok(read)
    }
}

/// A name without what means nothing; none for one that leads out.
fn normal(name: &[u8]) -> Option<String> {
    let name = std::str::from_utf8(name).ok()?;
    let mut names = Vec::new();
    for name in name.split('/') {
        match name {
            "" | "." => {}
            ".." => {
                names.pop()?;
            }
            name => names.push(name),
        }
    }
    Some(names.join("/"))
}

impl Store {
    /// The files at a path: of a directory, or of a tar archive, which may be compressed. One that is
    /// compressed is kept in memory, and has no more than `most` bytes.
    pub fn open(path: &Path, most: u64) -> Result<Store, Error> {
        let read = |source| Error::Read {
            path: path.display().to_string(),
            source,
        };
        if path.metadata().map_err(read)?.is_dir() {
            return Ok(Store {
                path: path.to_owned(),
                kind: Place::Directory,
            });
        }
        let mut file = File::open(path).map_err(read)?;
        let mut magic = Vec::new();
        Read::by_ref(&mut file)
            .take(8)
            .read_to_end(&mut magic)
            .map_err(read)?;
        file.rewind().map_err(read)?;
        let no_image = |why: String| Error::NoImage {
            path: path.display().to_string(),
            why,
        };
        let kind = match form(&magic) {
            Form::Plain => {
                let files = index(path, BufReader::with_capacity(1 << 16, file))?;
                Place::Archive(files, None)
            }
            Form::Unread(how) => {
                return Err(no_image(format!("it is compressed with {how}")));
            }
            form => {
                let mut bytes = Vec::new();
                let from = decoder(form, Box::new(BufReader::new(file)));
                let unpacked = Limited::new(from, most).read_to_end(&mut bytes);
                unpacked.map_err(|error| no_image(format!("it cannot be unpacked: {error}")))?;
                let files = index(path, &bytes[..])?;
                Place::Archive(files, Some(bytes.into()))
            }
        };
        Ok(Store {
            path: path.to_owned(),
            kind,
        })
    }

    /// How the image is called in messages.
    #[must_use]
    pub fn shown(&self) -> String {
        self.path.display().to_string()
    }

    /// A file; none if there is none of that name.
    pub fn get(&self, name: &str) -> Result<Option<Stored>, Error> {
        let read = |source| Error::Read {
            path: format!("{} in {}", name, self.path.display()),
            source,
        };
        let Some(name) = normal(name.as_bytes()).filter(|name| !name.is_empty()) else {
            return Ok(None);
        };
        match &self.kind {
            Place::Directory => {
                let path = self.path.join(&name);
                let file = match File::open(&path) {
                    Ok(file) => file,
                    Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => return Err(read(error)),
                };
                let metadata = file.metadata().map_err(read)?;
                Ok(metadata.is_file().then(|| Stored {
                    len: metadata.len(),
                    bytes: Box::new(file),
                }))
            }
            Place::Archive(files, unpacked) => {
                let Some(&(offset, len)) = files.get(&name) else {
                    return Ok(None);
                };
                let bytes: Box<dyn Read> = if let Some(bytes) = unpacked {
                    // The index was made from these bytes.
                    let [start, end] =
                        [offset, offset + len].map(|at| usize::try_from(at).unwrap_or(0));
                    Box::new(io::Cursor::new(bytes.slice(start..end)))
                } else {
                    let mut file = File::open(&self.path).map_err(read)?;
                    file.seek(SeekFrom::Start(offset)).map_err(read)?;
                    Box::new(file.take(len))
                };
                Ok(Some(Stored { len, bytes }))
            }
        }
    }

    /// A small file, whole.
    pub fn text(&self, name: &str) -> Result<Option<Vec<u8>>, Error> {
        const MOST: u64 = 64 << 20;
        let Some(stored) = self.get(name)? else {
            return Ok(None);
        };
        let mut bytes = Vec::new();
        let read = Limited::new(stored.bytes, MOST).read_to_end(&mut bytes);
        read.map_err(|source| Error::Read {
            path: format!("{} in {}", name, self.path.display()),
            source,
        })?;
        Ok(Some(bytes))
    }
}

/// Where the files of an archive are. A link stands for what it leads to: Docker once wrote layers twice
/// that way.
fn index(path: &Path, from: impl Read) -> Result<BTreeMap<String, (u64, u64)>, Error> {
    let count = Rc::new(Cell::new(0));
    let mut archive = Reader::new(Counted {
        from,
        count: count.clone(),
    });
    let mut files = BTreeMap::new();
    let mut links = Vec::new();
    let mut after = String::new();
    loop {
        let header = match archive.next() {
            Ok(Some(header)) => header,
            Ok(None) => break,
            Err(_) if after.is_empty() => {
                return Err(Error::NoImage {
                    path: path.display().to_string(),
                    why: "it is neither a directory nor a tar archive".to_owned(),
                });
            }
            Err(source) => {
                return Err(Error::Broken {
                    path: path.display().to_string(),
                    after,
                    source,
                });
            }
        };
        after = String::from_utf8_lossy(&header.name).into_owned();
        let Some(name) = normal(&header.name) else {
            continue;
        };
        match header.kind {
            Kind::File
                if header
                    .records
                    .keys()
                    .all(|key| !key.starts_with(b"GNU.sparse.")) =>
            {
                let len = u64::try_from(header.size).unwrap_or(0);
                files.insert(name, (count.get(), len));
            }
            Kind::Link => {
                let above = name.rsplit_once('/').map_or("", |(above, _)| above);
                let target = [above.as_bytes(), b"/", &header.link].concat();
                links.extend(normal(&target).map(|target| (name, target)));
            }
            Kind::HardLink => links.extend(normal(&header.link).map(|target| (name, target))),
            _ => {}
        }
    }
    // As many rounds as there may be links to links.
    for _ in 0..8 {
        for (name, target) in &links {
            if let Some(&place) = files.get(target) {
                files.entry(name.clone()).or_insert(place);
            }
        }
    }
    Ok(files)
}
