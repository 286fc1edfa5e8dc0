//! The bytes that traces name by their hash: `traces/data/HEX`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::Command;

/// Bytes by the hexadecimal digits of their BLAKE3 hash.
#[derive(Clone, Debug, Default)]
pub struct Blobs {
    known: BTreeMap<String, Bytes>,
    directory: Option<PathBuf>,
}

/// Why the bytes behind a hash are not to be had.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The name is not made of hexadecimal digits.
    #[error("'{0}' is no hash: expected 64 hexadecimal digits")]
    Name(String),
    /// There is no such file.
    #[error("there are no bytes of that hash; expected them in {0}")]
    Missing(String),
    /// The bytes are not those that the name promises.
    #[error("{0} does not have the hash that it is named after")]
    Wrong(String),
}

impl Blobs {
    /// Those in a directory, each in a file named by its hash.
    #[must_use]
    pub fn in_directory(directory: &Path) -> Blobs {
        Blobs {
            known: BTreeMap::new(),
            directory: Some(directory.to_owned()),
        }
    }

    /// Adds bytes and returns their name.
    pub fn insert(&mut self, bytes: Bytes) -> String {
        let name = blake3::hash(&bytes).to_hex().to_string();
        self.known.insert(name.clone(), bytes);
        name
    }

    /// The bytes of that name.
    pub fn get(&self, name: &str) -> Result<Bytes, Error> {
        if name.len() != 64 || !name.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(Error::Name(name.to_owned()));
        }
        if let Some(bytes) = self.known.get(name) {
            return Ok(bytes.clone());
        }
        let Some(directory) = &self.directory else {
            return Err(Error::Missing("the trace's data".to_owned()));
        };
        let path = directory.join(name);
        let shown = path.display().to_string();
        let bytes = std::fs::read(&path).map_err(|_| Error::Missing(shown.clone()))?;
        if blake3::hash(&bytes).to_hex().as_str() != name {
            return Err(Error::Wrong(shown));
        }
        Ok(bytes.into())
    }

    /// Those that these steps name and that are there, to be carried elsewhere with them.
    #[must_use]
    pub fn needed(&self, commands: &[Command]) -> Vec<Bytes> {
        let names: BTreeSet<&str> = commands
            .iter()
            .flat_map(|command| &command.words)
            .filter_map(|word| word.strip_prefix("data=hash:"))
            .collect();
        names
            .into_iter()
            .filter_map(|name| self.get(name).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_found_by_their_hash_only() {
        let directory = tempfile::tempdir().unwrap();
        let mut blobs = Blobs::in_directory(directory.path());
        let name = blobs.insert(Bytes::from_static(b"hello"));
        assert_eq!(&blobs.get(&name).unwrap()[..], b"hello");
        let other = blake3::hash(b"other").to_hex().to_string();
        assert!(matches!(blobs.get(&other), Err(Error::Missing(_))));
        std::fs::write(directory.path().join(&other), b"not it").unwrap();
        assert!(matches!(blobs.get(&other), Err(Error::Wrong(_))));
        std::fs::write(directory.path().join(&other), b"other").unwrap();
        assert_eq!(&blobs.get(&other).unwrap()[..], b"other");
        assert!(matches!(blobs.get("../../etc/passwd"), Err(Error::Name(_))));
    }
}
