//! Layers to the byte: what Docker's and containerd's own code wrote of two trees, the model writes too.
//! `tests/layers/README.md` says how the archives were made, and `tests/layers/tree.sh` makes the trees.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ztwin::archive::Reader;
use ztwin::drivers::tar::{self, Export};
use ztwin::pools::{Blobs, ModelPools, Session};
use ztwin_model::Release;
use ztwin_model::dmu::data;
use ztwin_model::layer::{
    CAPABILITY, Content, Daemon, Entry, Kind, Tree, changes_for, changes_size, differences,
    entries, layer, plan,
};
use ztwin_model::zpl::znode::Special;

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers/expected")
}

fn expected(name: &str) -> Vec<u8> {
    std::fs::read(directory().join(name)).unwrap()
}

fn text(name: &str) -> String {
    String::from_utf8(expected(name)).unwrap()
}

/// Sixty and more of a letter.
fn long(letter: &str, count: usize) -> String {
    letter.repeat(count)
}

struct Maker<S> {
    session: S,
}

impl<S: Session> Maker<S> {
    fn run(&mut self, words: &[&str]) {
        let printed = self.session.run(words).unwrap();
        assert!(printed.succeeded(), "{words:?}: {printed:?}");
    }

    fn write(&mut self, at: &str, contents: &str) {
        let hex = contents
            .bytes()
            .fold(String::from("data=hex:"), |mut text, byte| {
                write!(text, "{byte:02x}").unwrap();
                text
            });
        self.run(&["write", at, "0", &contents.len().to_string(), &hex]);
    }

    fn tree(&mut self, dataset: &str) -> Tree {
        self.session.tree(dataset).unwrap().unwrap()
    }

    /// Sets the time of every file and directory.
    fn touch(&mut self, dataset: &str, seconds: &str, only_directories: bool) {
        for entry in self.tree(dataset).entries.iter().rev() {
            if !only_directories || entry.kind().letter() == 'd' {
                self.run(&["utime", seconds, &format!("{dataset}:{}", entry.path)]);
            }
        }
    }
}

/// The trees of `tree.sh`, the lower one first.
fn trees() -> (Tree, Tree) {
    let session = ModelPools::new(Release::default(), Blobs::default()).session();
    let mut it = Maker { session };
    for step in [
        "vdev /v/a 1G",
        "zpool create tank /v/a",
        "zfs create tank/base",
    ] {
        it.run(&step.split(' ').collect::<Vec<_>>());
    }
    let (deep, deeper) = (long("d", 60), long("e", 60));
    let deep = format!("{deep}/{deeper}");
    let base = |path: &str| format!("tank/base:/{path}");
    for path in [
        "etc",
        "etc/conf.d",
        "usr",
        "usr/bin",
        "var",
        "var/lib",
        "var/lib/old",
        &long("d", 60),
        &deep,
        "a",
        "a/b",
    ] {
        it.run(&["mkdir", &base(path)]);
    }
    for (path, contents) in [
        ("etc/motd", "hello\n"),
        ("etc/one", "one"),
        ("etc/gone", "gone"),
        ("etc/blind", "same size"),
        ("usr/bin/first", "shared"),
        ("usr/bin/ping", "#!"),
        ("var/lib/old/x", "x"),
        ("var/lib/old/y", "y"),
        ("a/b/f", "in"),
        ("a-b", "dash"),
        ("a/b.f", "dot"),
        ("etc/longer", "short"),
        ("etc/unseen", "one"),
        ("etc/kept", "kept"),
        ("var/kept", "kept"),
        ("usr/pair", "pair"),
        ("usr/bin/v3", "v3"),
    ] {
        it.write(&base(path), contents);
    }
    it.run(&["link", &base("usr/bin/first"), &base("usr/bin/second")]);
    it.run(&["link", &base("usr/pair"), &base("usr/twin")]);
    it.run(&["symlink", "../etc/motd", &base("usr/motd")]);
    it.run(&["symlink", "aim", &base("usr/turned")]);
    it.run(&["mknod", "644", &base("var/fifo"), "p"]);
    it.run(&["mknod", "644", &base("var/null"), "c", "1:3"]);
    it.run(&["mknod", "644", &base("var/disk"), "b", "8:17"]);
    it.touch("tank/base", "1700000000", false);
    let mut lower = it.tree("tank/base");

    it.run(&["zfs", "snapshot", "tank/base@s"]);
    it.run(&["zfs", "clone", "tank/base@s", "tank/upper"]);
    let upper = |path: &str| format!("tank/upper:/{path}");
    it.run(&["chmod", "4755", &upper("usr/bin/ping")]);
    it.run(&["chown", "1000:2000", &upper("etc/one")]);
    for path in [
        "etc/gone",
        "var/lib/old/x",
        "var/lib/old/y",
        "a/b/f",
        "var/null",
        "usr/turned",
    ] {
        it.run(&["unlink", &upper(path)]);
    }
    it.run(&["rmdir", &upper("var/lib/old")]);
    it.run(&["rmdir", &upper("a/b")]);
    it.write(&upper("etc/blind"), "SAME SIZE");
    it.run(&["utime", "1700000000", &upper("etc/blind")]);
    it.write(&upper("etc/motd"), "hello again\n");
    it.run(&["utime", "1700000100", &upper("etc/motd")]);
    it.write(&upper("a/b"), "now a file");
    it.run(&["utime", "1700000001", &upper("a/b")]);
    it.run(&["link", &upper("usr/bin/first"), &upper("usr/bin/third")]);
    it.write(&upper("etc/longer"), "longer");
    it.run(&["utime", "1700000000", &upper("etc/longer")]);
    it.write(&upper("etc/unseen"), "two");
    it.run(&["link", &upper("etc/kept"), &upper("etc/also")]);
    it.run(&["link", &upper("var/kept"), &upper("var/late")]);
    it.run(&["symlink", "eim", &upper("usr/turned")]);
    it.run(&["utime", "1700000000", &upper("usr/turned")]);
    it.run(&["utime", "1700000100", &upper("var/disk")]);
    let (far, name) = (format!("{deep}/{}", long("f", 60)), long("n", 120));
    it.write(&upper(&far), "deep");
    it.write(&upper(&name), "long");
    it.run(&["symlink", &long("t", 130), &upper("link-to-long")]);
    it.write(&upper("caf\u{e9}"), "utf");
    it.run(&["chown", "3000000:4000000", &upper("caf\u{e9}")]);
    it.write(&upper("before-1970"), "old");
    it.run(&["mknod", "644", &upper("var/null"), "c", "1:5"]);
    it.run(&["mknod", "644", &upper("var/wh"), "c", "0:0"]);
    it.run(&["mkdir", &upper("new")]);
    it.run(&["mkdir", &upper("new/empty")]);
    it.run(&["write", &upper("new/zero"), "0", "0", "data=zero"]);
    it.run(&["chmod", "1777", &upper("new")]);
    let capability = "data=hex:0100000200200000000000000000000000000000";
    it.run(&[
        "setxattr",
        &upper("usr/bin/first"),
        "security.capability",
        "20",
        capability,
    ]);
    for (path, name) in [
        ("new/zero", "user.note"),
        ("etc/longer", "user.overlay.note"),
    ] {
        it.run(&["setxattr", &upper(path), name, "4", "data=hex:746f6c64"]);
    }
    it.run(&["symlink", "nowhere", &upper("new/dangling")]);
    for path in ["new/zero", "caf\u{e9}", "new/dangling", "link-to-long"] {
        it.run(&["utime", "1700000200", &upper(path)]);
    }
    for path in [&far, &name, "var/null", "var/wh"] {
        it.run(&["utime", "1700000300", &upper(path)]);
    }
    it.touch("tank/upper", "1700000400", true);
    let mut upper = it.tree("tank/upper");
    for entry in lower.entries.iter_mut().chain(&mut upper.entries) {
        // What the model's steps cannot set.
        match &*entry.path {
            "/etc/motd" if entry.mtime.0 != 1_700_000_000 => entry.mtime.1 = 123_456_789,
            "/etc/unseen" => entry.mtime = (1_700_000_000, 500_000_000),
            "/before-1970" => entry.mtime.0 = -5,
            _ => {}
        }
    }
    // Of the third version, for one user namespace.
    let capability = b"\x01\0\0\x03\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0\xa0\x86\x01\0";
    let with_capability = upper
        .entries
        .iter_mut()
        .find(|it| &*it.path == "/usr/bin/v3");
    let xattrs = &mut with_capability.unwrap().xattrs;
    xattrs.insert(CAPABILITY.into(), capability[..].into());
    (lower, upper)
}

/// When an archive was written: the time of its whiteouts.
fn written(archive: &[u8]) -> i64 {
    let mut reader = Reader::new(archive);
    while let Some(header) = reader.next().unwrap() {
        if header.name.windows(4).any(|it| it == b".wh.") {
            return header.mtime.seconds;
        }
    }
    0
}

fn assert_written(tree: &Tree, lower: Option<&Tree>, daemon: Daemon, name: &str) {
    let expected = expected(name);
    let export = Export::new(daemon, written(&expected));
    let mut bytes = Vec::new();
    tar::write(&layer(lower, tree, daemon), &export, &mut bytes).unwrap();
    if bytes != expected {
        let at = bytes.iter().zip(&expected).position(|(a, b)| a != b);
        let at = at.unwrap_or_else(|| bytes.len().min(expected.len()));
        let around = |bytes: &[u8]| {
            let block = &bytes[at / 512 * 512..bytes.len().min(at / 512 * 512 + 512)];
            block.escape_ascii().to_string()
        };
        panic!(
            "{name} differs at {at}:\n{}\nexpected\n{}",
            around(&bytes),
            around(&expected)
        );
    }
}

#[test]
fn daemons_write_these_bytes() {
    let (lower, upper) = trees();
    for (daemon, name) in [
        (Daemon::Docker20, "docker-20.10"),
        (Daemon::Docker26, "docker-26.1"),
        (Daemon::Docker29, "docker-29"),
        (Daemon::Storage57, "storage-1.57"),
        (Daemon::Containerd1, "containerd-1.7"),
        (Daemon::Containerd2, "containerd-2"),
    ] {
        assert_written(&upper, Some(&lower), daemon, &format!("{name}.tar"));
        let whole = match daemon {
            Daemon::Docker20 => "docker-20.10-base.tar",
            // All others agree.
            _ => "docker-26.1-base.tar",
        };
        assert_written(&lower, None, daemon, whole);
    }
}

#[test]
fn changes_are_those_that_the_daemons_list() {
    let (lower, upper) = trees();
    for (daemon, name) in [
        (Daemon::Docker26, "docker"),
        (Daemon::Docker29, "docker-29"),
        (Daemon::Storage43, "docker"),
        (Daemon::Storage57, "storage-1.57"),
    ] {
        let found = changes_for(&lower, &upper, daemon);
        let mut told: Vec<String> = found
            .iter()
            .map(|it| format!("{} {}", it.kind.letter(), it.path))
            .collect();
        let sizes = match daemon {
            Daemon::Storage57 => text("storage-1.57.size"),
            _ => text("docker.size"),
        };
        assert_eq!(changes_size(&upper, &found).to_string(), sizes.trim());
        let listed = text(&format!("{name}.changes"));
        let mut listed: Vec<&str> = listed.lines().collect();
        told.sort();
        listed.sort_unstable();
        assert_eq!(told, listed);
    }
    let told: Vec<String> = differences(Some(&lower), &upper)
        .iter()
        .map(|it| {
            let kind = match it.kind {
                Kind::Added => "add",
                Kind::Modified => "modify",
                Kind::Deleted => "delete",
            };
            format!("{kind} {}", it.path)
        })
        .collect();
    // It also names files with several names that are the same.
    let listed = text("containerd.changes");
    let listed = listed.lines().filter(|it| !it.starts_with("unmodified"));
    assert_eq!(told, listed.collect::<Vec<_>>());
}

#[test]
fn a_layer_that_was_written_makes_the_tree_again() {
    let (lower, upper) = trees();
    for daemon in Daemon::ALL {
        let mut bytes = Vec::new();
        let written = layer(Some(&lower), &upper, daemon);
        tar::write(&written, &Export::new(daemon, 0), &mut bytes).unwrap();
        let members = tar::read(&bytes[..]).unwrap();
        let read = entries(&members);
        let paths = |all: &[ztwin_model::layer::LayerEntry]| -> Vec<String> {
            all.iter().map(|it| it.path.to_string()).collect()
        };
        assert_eq!(paths(&read), paths(&written));
        assert!(plan(&"t/upper".into(), &lower, &members, daemon).is_ok());
    }
}

/// A directory of this machine as a tree.
fn read_directory(root: &Path) -> Tree {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    let mut entries = Vec::new();
    let mut rest = vec![(String::new(), root.to_owned())];
    while let Some((name, path)) = rest.pop() {
        let told = path.symlink_metadata().unwrap();
        let kind = told.file_type();
        let (major, minor) = (
            rustix::fs::major(told.rdev()),
            rustix::fs::minor(told.rdev()),
        );
        let content = if kind.is_dir() {
            for entry in std::fs::read_dir(&path).unwrap() {
                let entry = entry.unwrap();
                let below = entry.file_name().into_string().unwrap();
                rest.push((format!("{name}/{below}"), entry.path()));
            }
            Content::Directory
        } else if kind.is_symlink() {
            let target = std::fs::read_link(&path).unwrap();
            Content::Link(target.to_str().unwrap().into())
        } else if kind.is_char_device() {
            Content::Special(Special::CharacterDevice(major, minor))
        } else if kind.is_block_device() {
            Content::Special(Special::BlockDevice(major, minor))
        } else if kind.is_fifo() {
            Content::Special(Special::Fifo)
        } else if kind.is_socket() {
            Content::Special(Special::Socket)
        } else {
            let bytes = std::fs::read(&path).unwrap();
            let mut pieces = Vec::new();
            let len = bytes.len() as u64;
            data::push(&mut pieces, data::Source::Bytes(bytes.into()).piece(len));
            Content::File(pieces.into())
        };
        let mut value = [0; 64];
        let mut xattrs = BTreeMap::new();
        for name in [CAPABILITY, "user.note"] {
            if let Ok(len) = rustix::fs::lgetxattr(&path, name, &mut value[..]) {
                xattrs.insert(name.into(), value[..len].to_vec().into());
            }
        }
        entries.push(Entry {
            path: if name.is_empty() { "/" } else { &name }.into(),
            content,
            mode: told.mode() & 0o7777,
            uid: told.uid(),
            gid: told.gid(),
            links: told.nlink(),
            size: told.size(),
            object: told.ino(),
            mtime: (told.mtime(), u32::try_from(told.mtime_nsec()).unwrap()),
            xattrs,
        });
    }
    entries.sort_by(|a, b| a.path.as_bytes().cmp(b.path.as_bytes()));
    Tree { entries }
}

#[test]
#[ignore = "wants ZTWIN_TREES=DIRECTORY, made as tests/layers/README.md says"]
fn trees_drawn_at_random_are_written_as_the_daemons_write_them() {
    let directory = std::env::var("ZTWIN_TREES").unwrap();
    let (mut same, mut others) = (0, Vec::new());
    for pair in std::fs::read_dir(directory).unwrap() {
        let pair = pair.unwrap().path();
        let lower = read_directory(&pair.join("base"));
        let upper = read_directory(&pair.join("upper"));
        for (daemon, name) in [
            (Daemon::Docker20, "docker-20.10"),
            (Daemon::Docker26, "docker-26.1"),
            (Daemon::Docker29, "docker-29"),
            (Daemon::Storage57, "storage-1.57"),
            (Daemon::Containerd1, "containerd-1.7"),
            (Daemon::Containerd2, "containerd-2"),
        ] {
            for (lower, file) in [
                (Some(&lower), format!("{name}.tar")),
                (None, format!("{name}-whole.tar")),
            ] {
                let expected = std::fs::read(pair.join(&file)).unwrap();
                let export = Export::new(daemon, written(&expected));
                let mut bytes = Vec::new();
                tar::write(&layer(lower, &upper, daemon), &export, &mut bytes).unwrap();
                if bytes == expected {
                    same += 1;
                } else {
                    // To be looked at.
                    std::fs::write(pair.join(format!("{file}.ours")), bytes).unwrap();
                    others.push(format!("{} {file}", pair.display()));
                }
            }
        }
        let found = changes_for(&lower, &upper, Daemon::Docker26);
        let size = std::fs::read_to_string(pair.join("size")).unwrap();
        if changes_size(&upper, &found).to_string() != size.trim() {
            others.push(format!("{} size", pair.display()));
        }
    }
    eprintln!("{same} the same; others: {others:#?}");
    assert!(others.is_empty());
}
