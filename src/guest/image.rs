//! The images of guests: their names, where they are kept, and what is in them.
//!
//! An image is a directory `NAME[-docker][-containerd]` in the cache, with `root.squashfs`, `initrd`,
//! `vmlinuz` and `image.json`. It is complete or not there: a build makes it under another name and
//! renames it as its last act.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use ztwin_model::Release;

use super::Error;

/// The layout of an image: what its initrd expects of the host, and the host of it. An image of another
/// layout is built anew.
pub const LAYOUT: u32 = 1;

/// The newest patch release of each line on which the corpus was recorded.
const RECORDED_ON: [(Release, u32); 3] =
    [(Release::V2_1, 11), (Release::V2_3, 9), (Release::V2_4, 4)];

/// Where an image's packages come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Name {
    /// Debian 12 with its own OpenZFS, 2.1.
    Bookworm,
    /// Debian 12 with kernel and OpenZFS of bookworm-backports, 2.3.
    BookwormBackports,
    /// Debian 13 with its own OpenZFS, 2.3.
    Trixie,
    /// Debian 13 with OpenZFS of trixie-backports, 2.4.
    TrixieBackports,
}

impl Name {
    /// All of them.
    pub const ALL: [Name; 4] = [
        Name::Trixie,
        Name::TrixieBackports,
        Name::Bookworm,
        Name::BookwormBackports,
    ];

    /// The name as people type it.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Name::Bookworm => "bookworm",
            Name::BookwormBackports => "bookworm-backports",
            Name::Trixie => "trixie",
            Name::TrixieBackports => "trixie-backports",
        }
    }

    /// Debian's suite.
    #[must_use]
    pub const fn suite(self) -> &'static str {
        match self {
            Name::Bookworm | Name::BookwormBackports => "bookworm",
            Name::Trixie | Name::TrixieBackports => "trixie",
        }
    }

    /// The source packages that come from the suite's backports.
    #[must_use]
    pub const fn backported(self) -> &'static [&'static str] {
        match self {
            Name::Bookworm | Name::Trixie => &[],
            Name::TrixieBackports => &["zfs-linux"],
            // Its 2.3 does not build for the kernel of bookworm itself with every update.
            Name::BookwormBackports => &["zfs-linux", "linux", "linux-signed-amd64"],
        }
    }
}

/// Software that an image can have besides OpenZFS.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub enum With {
    /// Docker's daemon and client.
    Docker,
    /// containerd with runc.
    Containerd,
    /// podman, which brings containers/storage.
    Podman,
}

impl With {
    const ALL: [With; 3] = [With::Docker, With::Containerd, With::Podman];

    /// Every choice of them.
    fn choices() -> impl Iterator<Item = BTreeSet<With>> {
        (0..1 << Self::ALL.len()).map(|bits| {
            let chosen = |index: &usize| bits & (1 << *index) != 0;
            (0..Self::ALL.len())
                .filter(chosen)
                .map(|index| Self::ALL[index])
                .collect()
        })
    }

    const fn text(self) -> &'static str {
        match self {
            With::Docker => "docker",
            With::Containerd => "containerd",
            With::Podman => "podman",
        }
    }
}

/// Which image: a name and what comes with it. Its text, `trixie-docker-containerd`, is what stands in
/// `vm:...` and the directory in the cache.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Spec {
    /// Where its packages come from.
    pub name: Name,
    /// What it has besides OpenZFS.
    pub with: BTreeSet<With>,
}

impl Spec {
    /// The command that builds it.
    #[must_use]
    pub fn build_line(&self) -> String {
        let with: Vec<_> = self.with.iter().map(|w| w.text()).collect();
        let with = if with.is_empty() {
            String::new()
        } else {
            format!(" --with {}", with.join(","))
        };
        format!("ztwin vm build {}{with}", self.name.text())
    }

    /// The guest's memory in MiB, also that of its file vdevs.
    #[must_use]
    pub fn memory_mib(&self) -> u32 {
        if self.with.is_empty() { 3072 } else { 6144 }
    }
}

impl fmt::Display for Spec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name.text())?;
        self.with
            .iter()
            .try_for_each(|with| write!(f, "-{}", with.text()))
    }
}

impl FromStr for Spec {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        // Every possible one, so that a text has exactly one reading.
        Name::ALL
            .into_iter()
            .flat_map(|name| With::choices().map(move |with| Spec { name, with }))
            .find(|spec| spec.to_string() == text)
            .ok_or_else(|| {
                let names: Vec<_> = Name::ALL.into_iter().map(Name::text).collect();
                Error::Name(format!(
                    "`{text}` is no guest image: there are {}, each also with `-docker`, `-containerd`, `-podman` after it, one or more in that order",
                    names.join(", ")
                ))
            })
    }
}

/// What is in an image: its `image.json`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Info {
    /// [`LAYOUT`] of the ztwin that built it.
    pub layout: u32,
    /// The image's name, as [`Spec`] prints it.
    pub image: String,
    /// Debian's suite.
    pub suite: String,
    /// The exact version of the OpenZFS programs, such as `2.3.9-0+deb13u1`.
    pub openzfs: String,
    /// The kernel's release.
    pub kernel: String,
    /// When it was built, UTC.
    pub built: String,
    /// The versions of the packages that it was built for.
    pub packages: BTreeMap<String, String>,
    /// Its files: size in bytes and blake3 hash.
    pub files: BTreeMap<String, FileInfo>,
}

/// One file of an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileInfo {
    /// Its size in bytes.
    pub size: u64,
    /// Its blake3 hash in hex.
    pub blake3: String,
}

impl FileInfo {
    /// Measures a file.
    pub(crate) fn of(path: &Path) -> Result<FileInfo, Error> {
        let what = || format!("reading {}", path.display());
        let mut file = File::open(path).map_err(Error::io(what()))?;
        let mut hasher = blake3::Hasher::new();
        let mut buffer = vec![0; 1 << 17];
        let mut size = 0;
        loop {
            let n = std::io::Read::read(&mut file, &mut buffer).map_err(Error::io(what()))?;
            if n == 0 {
                return Ok(FileInfo {
                    size,
                    blake3: hasher.finalize().to_hex().to_string(),
                });
            }
            hasher.update(&buffer[..n]);
            size += n as u64;
        }
    }
}

/// The release line of an OpenZFS version.
pub fn line_of(version: &str, of: &str) -> Result<Release, Error> {
    Release::of_version(version).ok_or_else(|| Error::Line {
        version: version.to_owned(),
        of: of.to_owned(),
        known: Release::ALL.map(Release::name).join(", "),
    })
}

/// What there is to say of a version that is newer than the corpus: nothing, or one sentence.
#[must_use]
pub fn newer_than_recorded(version: &str) -> Option<String> {
    let release = Release::of_version(version)?;
    let patch: u32 = version
        .strip_prefix(release.name())?
        .strip_prefix('.')?
        .split(|c: char| !c.is_ascii_digit())
        .next()?
        .parse()
        .ok()?;
    let (_, known) = RECORDED_ON.into_iter().find(|&(line, _)| line == release)?;
    (patch > known).then(|| {
        format!(
            "OpenZFS {version} is newer than {}.{known}, on which the corpus was recorded: a divergence may be its change",
            release.name()
        )
    })
}

/// An image in the cache, complete and checked.
#[derive(Clone, Debug)]
pub struct Image {
    /// Which one.
    pub spec: Spec,
    /// Its directory.
    pub dir: PathBuf,
    /// What is in it.
    pub info: Info,
}

/// A line of [`Cache::list`]: an image, and what is in it or why it cannot be used.
pub type Listed = (Spec, Result<Info, Error>);

/// The directory of images.
#[derive(Clone, Debug)]
pub struct Cache {
    dir: PathBuf,
}

impl Cache {
    /// The cache of this user: `$ZTWIN_CACHE`, else `$XDG_CACHE_HOME/ztwin`, else `~/.cache/ztwin`.
    pub fn of_user() -> Result<Cache, Error> {
        let variable = |name| {
            std::env::var_os(name)
                .filter(|v| !v.is_empty())
                .map(PathBuf::from)
        };
        let dir = variable("ZTWIN_CACHE")
            .or_else(|| Some(variable("XDG_CACHE_HOME")?.join("ztwin")))
            .or_else(|| Some(variable("HOME")?.join(".cache/ztwin")))
            .ok_or_else(|| {
                Error::Name("no place for guest images: none of ZTWIN_CACHE, XDG_CACHE_HOME and HOME is set".into())
            })?;
        Ok(Cache::at(dir))
    }

    /// The cache in this directory.
    #[must_use]
    pub fn at(dir: PathBuf) -> Cache {
        Cache { dir }
    }

    /// Its directory; may not exist yet.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The directory of an image; may not exist yet.
    #[must_use]
    pub fn dir_of(&self, spec: &Spec) -> PathBuf {
        self.dir.join(spec.to_string())
    }

    /// An image's `image.json`, without a look at the other files.
    pub fn info(&self, spec: &Spec) -> Result<Info, Error> {
        let dir = self.dir_of(spec);
        let path = dir.join("image.json");
        let text = match fs::read(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && !dir.exists() => {
                return Err(Error::NotBuilt {
                    id: spec.to_string(),
                    dir: self.dir.display().to_string(),
                    line: spec.build_line(),
                });
            }
            Err(e) => return Err(self.damaged(spec, format!("image.json: {e}"))),
        };
        // The layout first: another layout's file may have other fields.
        let value: serde_json::Value = serde_json::from_slice(&text)
            .map_err(|e| self.damaged(spec, format!("image.json: {e}")))?;
        if value.get("layout").and_then(serde_json::Value::as_u64) != Some(u64::from(LAYOUT)) {
            return Err(self.damaged(spec, "it was built by another version of ztwin".into()));
        }
        serde_json::from_value(value).map_err(|e| self.damaged(spec, format!("image.json: {e}")))
    }

    /// An image, after a check that its files are those that were built.
    pub fn open(&self, spec: &Spec) -> Result<Image, Error> {
        let info = self.info(spec)?;
        let dir = self.dir_of(spec);
        for (name, built) in &info.files {
            let found = match FileInfo::of(&dir.join(name)) {
                Ok(found) => found,
                Err(Error::Io { source, .. }) => {
                    return Err(self.damaged(spec, format!("{name}: {source}")));
                }
                Err(other) => return Err(other),
            };
            if found.size != built.size {
                let what = format!("{name} has {} bytes, {} were built", found.size, built.size);
                return Err(self.damaged(spec, what));
            }
            if found.blake3 != built.blake3 {
                return Err(self.damaged(spec, format!("the content of {name} has changed")));
            }
        }
        line_of(&info.openzfs, &format!("the image {spec}"))?;
        Ok(Image {
            spec: spec.clone(),
            dir,
            info,
        })
    }

    /// All images in the cache by name, with why one cannot be used.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let what = || format!("reading {}", self.dir.display());
        let entries = match fs::read_dir(&self.dir) {
            Ok(entries) => entries,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(Error::io(what())(e)),
        };
        let mut specs = Vec::new();
        for entry in entries {
            let name = entry.map_err(Error::io(what()))?.file_name();
            specs.extend(name.to_str().and_then(|name| name.parse::<Spec>().ok()));
        }
        specs.sort();
        Ok(specs
            .into_iter()
            .map(|spec| (spec.clone(), self.info(&spec)))
            .collect())
    }

    /// Removes an image. A guest that runs on it is not disturbed.
    pub fn remove(&self, spec: &Spec) -> Result<(), Error> {
        let dir = self.dir_of(spec);
        if !dir.exists() {
            return Err(Error::NotBuilt {
                id: spec.to_string(),
                dir: self.dir.display().to_string(),
                line: spec.build_line(),
            });
        }
        // image.json last in name order would leave a half-removed image looking whole: rename first.
        let gone = self.dir.join(format!(".{spec}.removed"));
        let what = || format!("removing {}", dir.display());
        remove_tree(&gone)?;
        fs::rename(&dir, &gone).map_err(Error::io(what()))?;
        remove_tree(&gone)
    }

    fn damaged(&self, spec: &Spec, what: String) -> Error {
        let line = format!("{} --force", spec.build_line());
        Error::Damaged {
            dir: self.dir_of(spec).display().to_string(),
            what,
            line,
        }
    }
}

/// Removes a directory with all that is in it; one that is not there is fine.
pub(crate) fn remove_tree(dir: &Path) -> Result<(), Error> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io(format!("removing {}", dir.display()))(e))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(text: &str) -> Spec {
        text.parse().unwrap()
    }

    #[test]
    fn the_text_of_a_spec_is_read_back() {
        for name in Name::ALL {
            for with in With::choices() {
                let it = Spec { name, with };
                assert_eq!(spec(&it.to_string()), it);
            }
        }
        assert_eq!(
            spec("trixie-backports-docker-containerd").build_line(),
            "ztwin vm build trixie-backports --with docker,containerd"
        );
    }

    #[test]
    fn an_unknown_name_lists_the_known_ones() {
        let error = "sid".parse::<Spec>().unwrap_err().to_string();
        assert!(
            error.contains("`sid`") && error.contains("trixie-backports"),
            "{error}"
        );
    }

    #[test]
    fn only_a_newer_patch_release_is_reported() {
        assert_eq!(newer_than_recorded("2.3.9-0+deb13u1"), None);
        assert_eq!(newer_than_recorded("2.1.11-1+deb12u1"), None);
        assert!(newer_than_recorded("2.3.10-1").is_some_and(|text| text.contains("2.3.9")));
    }

    #[test]
    fn a_release_line_without_a_model_says_what_to_do() {
        let error = line_of("2.2.7-2", "the image x").unwrap_err().to_string();
        assert!(
            error.contains("2.2.7-2") && error.contains("ztwin vm build trixie"),
            "{error}"
        );
        assert_eq!(line_of("2.4.0-1~bpo13+1", "it").unwrap(), Release::V2_4);
    }

    fn image(cache: &Cache) -> PathBuf {
        let it = spec("trixie");
        let dir = cache.dir_of(&it);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("initrd"), b"0123456789").unwrap();
        let info = Info {
            layout: LAYOUT,
            image: it.to_string(),
            suite: "trixie".into(),
            openzfs: "2.3.9-0+deb13u1".into(),
            kernel: "6.12".into(),
            built: "2026-11-21T00:00:00Z".into(),
            packages: BTreeMap::new(),
            files: [(
                "initrd".to_owned(),
                FileInfo::of(&dir.join("initrd")).unwrap(),
            )]
            .into(),
        };
        fs::write(dir.join("image.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        dir
    }

    #[test]
    fn a_damaged_image_is_named_and_its_mending_told() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().to_path_buf());
        let dir = image(&cache);
        cache.open(&spec("trixie")).unwrap();
        for (content, expected) in [
            (&b"012345"[..], "initrd has 6 bytes, 10 were built"),
            (&b"0123456780"[..], "the content of initrd has changed"),
        ] {
            fs::write(dir.join("initrd"), content).unwrap();
            let error = cache.open(&spec("trixie")).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
            assert!(error.contains("ztwin vm build trixie --force"), "{error}");
        }
        fs::remove_file(dir.join("initrd")).unwrap();
        assert!(matches!(
            cache.open(&spec("trixie")),
            Err(Error::Damaged { .. })
        ));
        fs::write(dir.join("image.json"), b"{\"layout\": 0}").unwrap();
        let error = cache.open(&spec("trixie")).unwrap_err().to_string();
        assert!(error.contains("another version of ztwin"), "{error}");
    }

    #[test]
    fn an_image_that_is_not_there_says_how_to_build_it() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().join("none"));
        let error = cache
            .open(&spec("bookworm-docker"))
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("ztwin vm build bookworm --with docker"),
            "{error}"
        );
        assert!(matches!(
            cache.remove(&spec("trixie")),
            Err(Error::NotBuilt { .. })
        ));
        assert!(cache.list().unwrap().is_empty());
    }

    #[test]
    fn removing_leaves_nothing_and_listing_ignores_what_is_no_image() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().to_path_buf());
        image(&cache);
        fs::write(temp.path().join("accel.json"), b"{}").unwrap();
        fs::create_dir(temp.path().join(".trixie.building")).unwrap();
        assert_eq!(cache.list().unwrap().len(), 1);
        cache.remove(&spec("trixie")).unwrap();
        assert!(cache.list().unwrap().is_empty());
        assert!(!temp.path().join(".trixie.removed").exists());
    }
}
