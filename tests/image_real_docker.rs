//! Docker itself loads an image, and what it makes of it is what `ztwin image` says: the same trees with the
//! same contents in the same space.
//!
//! Compiled with the feature `real-pool` only; `ZTWIN_REAL_POOL=vm:NAME` says which image of a guest, one with
//! Docker. `ZTWIN_IMAGE` names another image than the small one that is made here.
#![cfg(feature = "real-pool")]
#![allow(
    clippy::format_collect,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::collections::BTreeMap;
use std::fs;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use serde_json::json;
use sha2::{Digest, Sha256};
use ztwin::archive::{Header, Kind, Time, Writer};
use ztwin::guest::image::{Name, Spec};
use ztwin::image::{Driver, Played, Pool, Store, Wanted, find, play};
use ztwin::pools::{Blobs, ModelPools, Session};
use ztwin_model::dmu::data::to_bytes;
use ztwin_model::layer::{Content, Entry};

#[path = "common/guest.rs"]
mod guest;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn header(kind: Kind, name: &str) -> Header {
    let mut header = Header::new(kind, name);
    header.mode = if kind == Kind::Directory {
        0o755
    } else {
        0o644
    };
    header.mtime = Time::second(1_700_000_000);
    header
}

/// Adds to an archive.
struct Layer(Writer<Vec<u8>>);

impl Layer {
    fn new() -> Layer {
        Layer(Writer::new(Vec::new()))
    }

    fn add(mut self, mut header: Header, contents: &[u8]) -> Layer {
        header.size = i64::try_from(contents.len()).unwrap();
        self.0.entry(&header, contents).unwrap();
        self
    }

    fn file(self, name: &str, contents: &[u8]) -> Layer {
        self.add(header(Kind::File, name), contents)
    }

    fn directory(self, name: &str) -> Layer {
        self.add(header(Kind::Directory, name), &[])
    }

    fn link(self, kind: Kind, name: &str, to: &str) -> Layer {
        let mut header = header(kind, name);
        header.link = to.as_bytes().to_vec();
        self.add(header, &[])
    }

    fn device(self, kind: Kind, name: &str, major: i64, minor: i64) -> Layer {
        let mut header = header(kind, name);
        (header.major, header.minor) = (major, minor);
        self.add(header, &[])
    }

    fn finish(self) -> Vec<u8> {
        self.0.finish().unwrap()
    }
}

/// Bytes that do not compress.
fn noise(len: usize, seed: u64) -> Vec<u8> {
    let mut state = seed;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        u8::try_from(state >> 56).unwrap()
    };
    (0..len).map(|_| next()).collect()
}

/// An image with everything that layers have, as `docker save` wrote it.
fn small() -> Vec<u8> {
    let words = "words and words and other words\n".repeat(20_000);
    let mut owned = header(Kind::File, "etc/shadow");
    (owned.mode, owned.uid, owned.gid) = (0o640, 0, 42);
    let mut setuid = header(Kind::File, "bin/su");
    setuid.mode = 0o4755;
    let mut capable = header(Kind::File, "bin/ping");
    capable.records.insert(
        b"SCHILY.xattr.security.capability".to_vec(),
        b"\x01\0\0\x02\0\x20\0\0\0\0\0\0\0\0\0\0\0\0\0\0".to_vec(),
    );
    let long = format!("{}/{}", "d".repeat(120), "f".repeat(130));
    let layers = [
        Layer::new()
            .directory("bin/")
            .directory("etc/")
            .directory("var/")
            .directory("var/cache/")
            .file("bin/sh", &noise(300_000, 1))
            .add(setuid, &noise(5000, 2))
            .add(capable, &noise(60_000, 3))
            .file("etc/motd", b"hello\n")
            .file("etc/empty", b"")
            .add(owned, b"root:*:1::::::\n")
            .file("var/cache/words", words.as_bytes())
            .file("var/cache/old", &noise(100_000, 4))
            .link(Kind::Link, "sbin", "bin")
            .link(Kind::HardLink, "bin/bash", "bin/sh")
            .device(Kind::Character, "null", 1, 3)
            .device(Kind::Block, "disk", 8, 17)
            .device(Kind::Fifo, "var/fifo", 0, 0)
            .file("zeros", &vec![0; 200_000])
            .finish(),
        Layer::new()
            .directory("etc/")
            .file("etc/.wh.motd", b"")
            .file("etc/new", &noise(3000, 5))
            .file("var/cache/.wh..wh..opq", b"")
            .file("var/cache/fresh", &noise(150_000, 6))
            .file("sbin/through-link", b"lands in bin")
            .file(&long, b"far below")
            .finish(),
        Layer::new()
            .file("bin/sh", &noise(300_000, 7))
            .file(".wh.null", b"")
            .file("implied/by/this", b"x")
            .link(Kind::Link, "etc/motd", "/etc/new")
            .finish(),
    ];
    let ids: Vec<String> = layers
        .iter()
        .map(|layer| format!("sha256:{}", hex(&Sha256::digest(layer))))
        .collect();
    let config = json!({
        "os": "linux", "architecture": "amd64", "config": {},
        "rootfs": {"type": "layers", "diff_ids": ids},
        "history": [{"created_by": "one"}, {"created_by": "two"}, {"created_by": "three"}],
    });
    let manifest = json!([{
        "Config": "config.json", "RepoTags": ["small:1"],
        "Layers": ["0/layer.tar", "1/layer.tar", "2/layer.tar"],
    }]);
    let mut saved = Layer::new();
    for (number, layer) in layers.iter().enumerate() {
        saved = saved.file(&format!("{number}/layer.tar"), layer);
    }
    saved
        .file("config.json", config.to_string().as_bytes())
        .file("manifest.json", manifest.to_string().as_bytes())
        .finish()
}

/// A layer as Docker made it: its figures, and its files by path.
#[derive(Default)]
struct Made {
    figures: Vec<u64>,
    files: BTreeMap<String, Vec<String>>,
    sums: BTreeMap<String, String>,
}

/// What `load.sh` printed.
fn made(text: &str) -> Vec<Made> {
    let mut layers: Vec<Made> = Vec::new();
    for line in text.lines() {
        if let Some(figures) = line.strip_prefix("layer ") {
            layers.push(Made {
                figures: figures.split(' ').map(|it| it.parse().unwrap()).collect(),
                ..Made::default()
            });
            continue;
        }
        let layer = layers.last_mut().expect("a layer comes first");
        let cells: Vec<String> = line.split('\t').map(str::to_owned).collect();
        match &cells[..] {
            [sum, digest, path] if sum == "sum" => {
                layer.sums.insert(path.clone(), digest.clone());
            }
            [path, rest @ ..] => {
                layer.files.insert(path.clone(), rest.to_vec());
            }
            [] => {}
        }
    }
    layers
}

/// Loads an image in a guest, and gives what `load.sh` printed.
fn loaded(spec: &Spec, image: &Path) -> String {
    let script = include_bytes!("images/load.sh");
    let image = fs::read(image).unwrap();
    guest::output(
        spec,
        &[("load.sh", script), ("image.tar", &image)],
        "mkdir -p /v && sh load.sh",
    )
}

/// The image on the model as the daemon of a guest unpacks it, and a session in which it is.
fn modelled(image: &Path, spec: &Spec) -> (Played, impl Session) {
    let release = guest::release(spec);
    let driver = match spec.name {
        Name::Bookworm | Name::BookwormBackports => Driver::Docker20,
        _ => Driver::Docker,
    };
    let store = Store::open(image, 8 << 30).unwrap();
    let found = find(&store, &Wanted::default()).unwrap();
    let pool = Pool {
        recordsize: "128K".into(),
        compression: "lz4".into(),
        ashift: "12".into(),
        size: 4 << 30,
    };
    let most = 8 << 30;
    let played = play(&store, &found, &pool, driver, release, most, &mut |_, _| {
        true
    })
    .unwrap();
    let mut blobs = Blobs::default();
    for bytes in played.blobs.values() {
        blobs.insert(bytes.clone());
    }
    let mut session = ModelPools::new(release, blobs).session();
    for command in played.trace.commands() {
        assert!(session.step(&command).unwrap().succeeded());
    }
    (played, session)
}

/// Whether a figure of the model can be one of those that a real pool may have.
fn agrees(told: &str, real: &RangeInclusive<u64>) -> bool {
    let bounds = told
        .strip_prefix("<between:")
        .and_then(|it| it.strip_suffix('>'));
    let (least, most) = bounds
        .and_then(|it| it.split_once(".."))
        .unwrap_or((told, told));
    let bound = |text: &str| text.parse::<u64>().unwrap();
    bound(least) <= *real.end() && *real.start() <= bound(most)
}

impl Made {
    /// What it costs: used, referenced, and used without compression, each between two bounds. At times the block
    /// that the dataset begins with is written once more behind the snapshot for the next layer, with no object
    /// changed. What is then in the snapshot alone, and has no figure without compression, is no cost of the layer.
    fn costs(&self) -> [RangeInclusive<u64>; 3] {
        let [used, referenced, logical, kept] = self.figures[..] else {
            panic!("four figures, not {:?}", self.figures)
        };
        [
            used - kept..=used - kept,
            referenced..=referenced,
            logical.saturating_sub(kept)..=logical,
        ]
    }
}

/// As `load.sh` lists an entry, without what a directory's size and time hang on.
fn line(entry: &Entry) -> Vec<String> {
    let is_directory = matches!(entry.content, Content::Directory);
    let mut cells = vec![
        entry.kind().letter().to_string(),
        format!("{:o}", entry.mode),
        format!("{}:{}", entry.uid, entry.gid),
        entry.links.to_string(),
        entry.size.to_string(),
    ];
    if !is_directory {
        cells.push(entry.mtime.0.to_string());
    }
    if let Content::Link(target) = &entry.content {
        cells.push(target.to_string());
    }
    cells
}

#[test]
fn docker_makes_of_an_image_what_the_model_says() {
    let spec = guest::spec("docker");
    let place = tempfile::tempdir().unwrap();
    let image = std::env::var("ZTWIN_IMAGE").map_or_else(
        |_| {
            let path = place.path().join("image.tar");
            fs::write(&path, small()).unwrap();
            path
        },
        PathBuf::from,
    );
    let text = loaded(&spec, &image);
    if let Ok(keep) = std::env::var("ZTWIN_KEEP") {
        fs::write(keep, &text).unwrap();
    }
    let real = made(&text);
    let (played, mut session) = modelled(&image, &spec);
    assert_eq!(real.len(), played.costs.len());
    let mut wrong = Vec::new();
    let (mut files, mut contents) = (0, 0);
    for (real, cost) in real.iter().zip(&played.costs) {
        let dataset = &cost.dataset;
        let told = [&cost.used, &cost.referenced, &cost.logical_used];
        let names = ["used", "referenced", "logicalused"];
        for (what, (told, real)) in names.into_iter().zip(told.into_iter().zip(real.costs())) {
            if !agrees(told, &real) {
                wrong.push(format!("{dataset} {what}: {told}, but {real:?}"));
            }
        }
        // The layer is not mounted any more.
        assert!(
            session
                .run(&["docker", "get", dataset.rsplit('/').next().unwrap()])
                .unwrap()
                .succeeded()
        );
        let tree = session.tree(dataset).unwrap().unwrap();
        let paths: Vec<&str> = tree
            .entries
            .iter()
            .map(|it| it.path.trim_start_matches('/'))
            .collect();
        for path in real
            .files
            .keys()
            .filter(|path| !paths.contains(&path.as_str()))
        {
            wrong.push(format!("{dataset} lacks {path}"));
        }
        for entry in &tree.entries {
            let path = entry.path.trim_start_matches('/');
            let Some(found) = real.files.get(path) else {
                wrong.push(format!("{dataset} has {path}"));
                continue;
            };
            let mut found = found.clone();
            // Whole seconds, and no target where there is none.
            found[5] = found[5].split('.').next().unwrap().to_owned();
            if matches!(entry.content, Content::Directory) {
                found.truncate(5);
            } else if found[6].is_empty() {
                found.truncate(6);
            }
            if line(entry) != found {
                wrong.push(format!(
                    "{dataset} {path}: {:?}, but {found:?}",
                    line(entry)
                ));
            }
            files += 1;
            if let Content::File(pieces) = &entry.content {
                contents += 1;
                let digest = hex(&Sha256::digest(to_bytes(pieces)));
                if real.sums.get(path) != Some(&digest) {
                    wrong.push(format!("{dataset} {path}: other contents"));
                }
            }
        }
    }
    eprintln!("{} layers, {files} files, {contents} contents", real.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
