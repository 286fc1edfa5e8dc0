//! `ztwin image`: what it reads, what it says of it, and what it refuses.

#![allow(
    clippy::format_collect,
    reason = "texts of tests are short, and read better in one expression"
)]

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use ztwin::archive::{Header, Kind, Time, Writer};
use ztwin::image::{Driver, Pool, Store, Wanted, find, play};
use ztwin_model::Release;

fn sha256(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Files by their paths.
type Files = BTreeMap<String, Vec<u8>>;

/// An archive: names with contents; one that ends in `/` is a directory, ` -> ` makes a link.
fn archive(entries: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, contents) in entries {
        let (name, link) = name.split_once(" -> ").unwrap_or((name, ""));
        let kind = match (name.ends_with('/'), link) {
            (true, _) => Kind::Directory,
            (false, "") => Kind::File,
            _ => Kind::Link,
        };
        let mut header = Header::new(kind, name);
        header.link = link.as_bytes().to_vec();
        header.mode = if kind == Kind::Directory {
            0o755
        } else {
            0o644
        };
        header.mtime = Time::second(1_700_000_000);
        header.size = i64::try_from(contents.len()).unwrap();
        writer.entry(&header, contents.as_bytes()).unwrap();
    }
    writer.finish().unwrap()
}

/// The layers that most tests use.
fn layers() -> Vec<Vec<u8>> {
    // It compresses, but not to nothing.
    let text: Vec<String> = (0..30_000).map(|it: u64| (it * it).to_string()).collect();
    let text = text.join(" ");
    vec![
        archive(&[
            ("etc/", ""),
            ("etc/motd", "hello"),
            ("etc/gone", "x"),
            ("big", &text),
        ]),
        archive(&[("etc/.wh.gone", ""), ("etc/new", "new"), ("sh -> /big", "")]),
        archive(&[("etc/", ""), ("etc/.wh..wh..opq", ""), ("etc/last", "last")]),
    ]
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn zstd(bytes: &[u8]) -> Vec<u8> {
    ruzstd::encoding::compress_to_vec(bytes, ruzstd::encoding::CompressionLevel::Fastest)
}

/// The files of an OCI layout.
#[derive(Default)]
struct Layout {
    files: Files,
    manifests: Vec<Value>,
}

impl Layout {
    fn blob(&mut self, bytes: &[u8], media_type: &str) -> Value {
        let digest = sha256(bytes);
        let path = format!("blobs/sha256/{digest}");
        self.files.insert(path, bytes.to_vec());
        json!({"mediaType": media_type, "digest": format!("sha256:{digest}"), "size": bytes.len()})
    }

    /// A manifest, and what describes it.
    fn manifest(&mut self, layers: &[Vec<u8>], pack: fn(&[u8]) -> Vec<u8>) -> Value {
        let ids: Vec<String> = layers
            .iter()
            .map(|layer| format!("sha256:{}", sha256(layer)))
            .collect();
        let history: Vec<Value> = (1..=layers.len())
            .flat_map(|number| {
                [
                    json!({"created_by": format!("RUN step {number}")}),
                    json!({"created_by": "ENV", "empty_layer": true}),
                ]
            })
            .collect();
        let config = json!({
            "os": "linux", "architecture": "amd64",
            "rootfs": {"type": "layers", "diff_ids": ids}, "history": history,
        });
        let config = self.blob(
            config.to_string().as_bytes(),
            "application/vnd.oci.image.config.v1+json",
        );
        let layers: Vec<Value> = layers
            .iter()
            .map(|layer| self.blob(&pack(layer), "application/vnd.oci.image.layer.v1.tar+gzip"))
            .collect();
        let manifest = json!({"schemaVersion": 2, "config": config, "layers": layers});
        self.blob(
            manifest.to_string().as_bytes(),
            "application/vnd.oci.image.manifest.v1+json",
        )
    }

    fn add(&mut self, mut manifest: Value, key: &str, value: Value) {
        manifest[key] = value;
        self.manifests.push(manifest);
    }

    fn files(mut self) -> Files {
        let index = json!({"schemaVersion": 2, "manifests": self.manifests});
        self.files
            .insert("index.json".into(), index.to_string().into());
        let version = br#"{"imageLayoutVersion":"1.0.0"}"#;
        self.files.insert("oci-layout".into(), version.to_vec());
        self.files
    }
}

/// A layout of one image.
fn layout(layers: &[Vec<u8>], pack: fn(&[u8]) -> Vec<u8>) -> Files {
    let mut layout = Layout::default();
    let manifest = layout.manifest(layers, pack);
    let named = json!({"org.opencontainers.image.ref.name": "app:1"});
    layout.add(manifest, "annotations", named);
    layout.files()
}

/// What `docker save` wrote up to version 24.
fn saved(layers: &[Vec<u8>]) -> Files {
    let ids: Vec<String> = layers
        .iter()
        .map(|it| format!("sha256:{}", sha256(it)))
        .collect();
    let config =
        json!({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": ids}}).to_string();
    let name = format!("{}.json", sha256(config.as_bytes()));
    let paths: Vec<String> = (0..layers.len())
        .map(|it| format!("{it}/layer.tar"))
        .collect();
    let manifest =
        json!([{"Config": name, "RepoTags": ["docker.io/library/app:1"], "Layers": paths}]);
    let mut files: Files = paths.into_iter().zip(layers.iter().cloned()).collect();
    files.insert(name, config.into());
    files.insert("manifest.json".into(), manifest.to_string().into());
    files
}

fn tar(files: &Files) -> Vec<u8> {
    let mut writer = Writer::new(Vec::new());
    for (name, bytes) in files {
        let mut header = Header::new(Kind::File, name.as_str());
        header.size = i64::try_from(bytes.len()).unwrap();
        writer.entry(&header, &bytes[..]).unwrap();
    }
    writer.finish().unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Place {
        Place(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn directory(&self, files: &Files) -> PathBuf {
        let root = self.path("image");
        for (name, bytes) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        root
    }

    fn file(&self, bytes: &[u8]) -> PathBuf {
        let path = self.path("image.tar");
        fs::write(&path, bytes).unwrap();
        path
    }

    /// Exit code, standard output and standard error.
    fn run(&self, image: &Path, args: &[&str]) -> (i32, String, String) {
        let output = Command::new(env!("CARGO_BIN_EXE_ztwin"))
            .arg("image")
            .arg(image)
            .args(args)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            output.status.code().unwrap(),
            text(output.stdout),
            text(output.stderr),
        )
    }

    /// What is said of an image that is refused.
    fn refused(&self, image: &Path, args: &[&str]) -> String {
        let (code, out, err) = self.run(image, args);
        assert_eq!((code, out.as_str()), (2, ""), "{err}");
        err
    }
}

#[test]
fn every_form_of_an_image_tells_the_same() {
    let forms: [(&str, Files); 4] = [
        ("gzip", layout(&layers(), gzip)),
        ("zstd", layout(&layers(), zstd)),
        ("plain", layout(&layers(), <[u8]>::to_vec)),
        ("saved", saved(&layers())),
    ];
    let mut told = Vec::new();
    for (form, files) in &forms {
        let place = Place::new();
        let directory = place.directory(files);
        let archive = place.file(&tar(files));
        let packed = place.path("image.tar.gz");
        fs::write(&packed, gzip(&tar(files))).unwrap();
        for image in [&directory, &archive, &packed] {
            let (code, out, err) = place.run(image, &["-p"]);
            assert_eq!((code, err.as_str()), (0, ""), "{form} {}", image.display());
            let figures: Vec<String> = out
                .lines()
                .filter(|line| line.starts_with("tank/"))
                .map(|line| line.split("  ").take(20).collect::<Vec<_>>().join(" "))
                .map(|line| line.split(" RUN").next().unwrap().trim_end().to_owned())
                .collect();
            assert_eq!(figures.len(), 3, "{out}");
            told.push(figures);
        }
    }
    told.dedup();
    assert_eq!(told.len(), 1, "{told:?}");
}

#[test]
fn the_trace_replays_on_the_model() {
    for driver in ["docker", "docker-20.10", "containerd"] {
        let place = Place::new();
        let image = place.directory(&layout(&layers(), gzip));
        let (code, out, err) = place.run(&image, &["-o", "app.trace", "--driver", driver]);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(
            out.starts_with("app:1 for linux/amd64: 3 layers, "),
            "{out}"
        );
        let text = fs::read_to_string(place.path("app.trace")).unwrap();
        assert!(text.contains("by: RUN step 2"), "{text}");
        let ran = Command::new(env!("CARGO_BIN_EXE_ztwin"))
            .args(["diff", "app.trace", "--pool", "model"])
            .current_dir(place.0.path())
            .output()
            .unwrap();
        assert!(
            ran.status.success(),
            "{}",
            String::from_utf8_lossy(&ran.stdout)
        );
    }
}

#[test]
fn layers_are_what_their_archives_say() {
    let place = Place::new();
    let image = place.directory(&layout(&layers(), gzip));
    let store = Store::open(&image, 1 << 30).unwrap();
    let found = find(&store, &Wanted::default()).unwrap();
    let pool = Pool {
        recordsize: "128K".into(),
        compression: "lz4".into(),
        ashift: "12".into(),
        size: 1 << 30,
    };
    let release = Release::default();
    let played = play(
        &store,
        &found,
        &pool,
        Driver::Docker,
        release,
        1 << 30,
        &mut |_, _| true,
    )
    .unwrap();
    let steps: Vec<String> = played
        .trace
        .steps()
        .map(|step| step.command_line().trim_start_matches("  $ ").to_owned())
        .collect();
    let of = |layer: &str| -> Vec<&str> {
        let of = steps
            .iter()
            .filter(|step| step.contains(&format!("tank/docker/{layer}:/")));
        let shown = of.map(String::as_str).filter(|step| {
            ["unlink", "mkdir", "symlink", "rmdir"]
                .iter()
                .any(|verb| step.starts_with(verb))
        });
        shown.collect()
    };
    assert_eq!(of("l1"), ["mkdir tank/docker/l1:/etc"]);
    assert_eq!(
        of("l2"),
        [
            "unlink tank/docker/l2:/etc/gone",
            "symlink /big tank/docker/l2:/sh"
        ]
    );
    assert_eq!(
        of("l3"),
        [
            "unlink tank/docker/l3:/etc/motd",
            "unlink tank/docker/l3:/etc/new"
        ]
    );
    let big: u64 = (0..30_000_u64)
        .map(|it| (it * it).to_string().len() as u64 + 1)
        .sum::<u64>()
        - 1;
    let sizes: Vec<u64> = played.costs.iter().map(|cost| cost.size).collect();
    assert_eq!(sizes, [5 + 1 + big, 3, 4]);
}

#[test]
fn blocks_and_compression_change_the_cost() {
    let place = Place::new();
    let image = place.directory(&layout(&layers(), gzip));
    let used = |args: &[&str]| -> u64 {
        let args = [&["-p"], args].concat();
        let (code, out, err) = place.run(&image, &args);
        assert_eq!((code, err.as_str()), (0, ""));
        let line = out
            .lines()
            .find(|line| line.starts_with("tank/docker/l1"))
            .unwrap();
        let used = line.split_whitespace().nth(3).unwrap();
        used.split("..").next().unwrap().parse().unwrap()
    };
    let usual = used(&[]);
    assert!(used(&["--compression", "off"]) > usual + 100_000);
    assert!(used(&["--recordsize", "8K"]) > usual);
    assert!(used(&["--ashift", "9"]) < usual);
}

#[test]
fn one_of_several_images_is_named() {
    let mut both = Layout::default();
    for (tag, layers) in [("app:1", &layers()[..1]), ("app:2", &layers()[..2])] {
        let manifest = both.manifest(layers, gzip);
        let named = json!({"io.containerd.image.name": format!("docker.io/library/{tag}")});
        both.add(manifest, "annotations", named);
    }
    let place = Place::new();
    let image = place.directory(&both.files());
    assert_eq!(
        place.refused(&image, &[]),
        "ztwin: there are several images; --tag names one of docker.io/library/app:1, docker.io/library/app:2\n"
    );
    assert_eq!(
        place.refused(&image, &["--tag", "app:3"]),
        "ztwin: there is no image 'app:3'; there are: docker.io/library/app:1, docker.io/library/app:2\n"
    );
    let (code, out, _) = place.run(&image, &["--tag", "app:2"]);
    assert_eq!(code, 0);
    assert!(out.contains("2 layers"), "{out}");
}

#[test]
fn one_of_several_platforms_is_named() {
    let mut all = Layout::default();
    let mut inner = Vec::new();
    for (architecture, layers) in [("amd64", &layers()[..1]), ("arm64", &layers()[..2])] {
        let mut manifest = all.manifest(layers, gzip);
        manifest["platform"] =
            json!({"os": "linux", "architecture": architecture, "variant": "v8"});
        inner.push(manifest);
    }
    let mut attestation = inner[0].clone();
    attestation["platform"] = json!({"os": "unknown", "architecture": "unknown"});
    attestation["annotations"] = json!({"vnd.docker.reference.type": "attestation-manifest"});
    inner.push(attestation);
    let index = json!({"schemaVersion": 2, "manifests": inner}).to_string();
    let index = all.blob(index.as_bytes(), "application/vnd.oci.image.index.v1+json");
    all.add(
        index,
        "annotations",
        json!({"org.opencontainers.image.ref.name": "latest"}),
    );
    let place = Place::new();
    let image = place.directory(&all.files());
    let (_, out, _) = place.run(&image, &[]);
    assert!(out.starts_with("latest for linux/amd64: 1 layer,"), "{out}");
    let (_, out, _) = place.run(&image, &["--platform", "linux/arm64"]);
    assert!(
        out.starts_with("latest for linux/arm64: 2 layers,"),
        "{out}"
    );
    let error = place.refused(&image, &["--platform", "linux/s390x"]);
    assert_eq!(
        error,
        "ztwin: there is no such image; --platform names one of linux/amd64/v8, linux/arm64/v8\n"
    );
}

#[test]
fn what_is_no_image_is_refused() {
    let place = Place::new();
    let text = place.path("text");
    fs::write(&text, "just a text\n".repeat(100)).unwrap();
    assert!(
        place
            .refused(&text, &[])
            .contains("is no image: it is neither a directory nor a tar")
    );
    let empty = place.path("empty");
    fs::create_dir(&empty).unwrap();
    assert!(
        place
            .refused(&empty, &[])
            .contains("it has neither index.json nor manifest.json")
    );
    let other = place.file(&archive(&[("a", "b")]));
    assert!(
        place
            .refused(&other, &[])
            .contains("it has neither index.json nor manifest.json")
    );
    let missing = place.path("nowhere");
    assert!(place.refused(&missing, &[]).contains("cannot read"));
    let mut files = layout(&layers(), gzip);
    files.insert("index.json".into(), b"{\"manifests\": 7}".to_vec());
    let broken = place.directory(&files);
    assert!(
        place
            .refused(&broken, &[])
            .contains("index.json is not what it should be")
    );
}

#[test]
fn damage_is_told() {
    let whole = layout(&layers(), gzip);
    let largest = whole.iter().max_by_key(|(_, bytes)| bytes.len()).unwrap();
    let name = largest.0.clone();
    let changed = |change: &dyn Fn(&mut Files)| {
        let mut files = whole.clone();
        change(&mut files);
        let place = Place::new();
        let image = place.directory(&files);
        place.refused(&image, &[])
    };
    let error = changed(&|files| {
        files.remove(&name);
    });
    assert!(
        error.contains(&format!("{name} is missing, which sha256:")),
        "{error}"
    );
    let error = changed(&|files| files.get_mut(&name).unwrap()[40] ^= 1);
    assert!(
        error.contains(&format!("{name} is damaged: its bytes have the digest")),
        "{error}"
    );
    let error = changed(&|files| files.get_mut(&name).unwrap().truncate(100));
    assert!(
        error.contains(&format!("{name} is damaged: it has 100 bytes, not")),
        "{error}"
    );
    // A layer that is not the one that the configuration tells of.
    let mut saved = saved(&layers());
    saved.insert("1/layer.tar".into(), archive(&[("other", "")]));
    let place = Place::new();
    let image = place.directory(&saved);
    let error = place.refused(&image, &[]);
    assert!(
        error.contains("layer 2 is damaged: unpacked it has the digest"),
        "{error}"
    );
}

#[test]
fn an_archive_that_is_cut_off_is_told() {
    let whole = tar(&saved(&layers()));
    let place = Place::new();
    for len in (0..whole.len() - 2048).step_by(4099) {
        let image = place.file(&whole[..len]);
        let error = place.refused(&image, &[]);
        let known = ["is broken off", "is missing", "is no image"];
        assert!(known.iter().any(|it| error.contains(it)), "{len}: {error}");
    }
    let packed = gzip(&whole);
    let image = place.file(&packed[..packed.len() / 2]);
    assert!(place.refused(&image, &[]).contains("it cannot be unpacked"));
}

#[test]
fn a_bomb_is_defused() {
    let bomb = archive(&[("zeros", &"\0".repeat(8 << 20))]);
    let place = Place::new();
    let image = place.directory(&layout(&[bomb], gzip));
    assert_eq!(
        place.refused(&image, &["--max-size", "1M"]),
        "ztwin: layer 1 brings the image to more than 1048576 bytes; --max-size allows more, in memory\n"
    );
    let (code, ..) = place.run(&image, &[]);
    assert_eq!(code, 0);
    // A file that is all hole takes no room in its archive.
    let records = b"22 GNU.sparse.major=1\n22 GNU.sparse.minor=0\n43 GNU.sparse.realsize=4611686018427387904\n";
    let mut map = Header::new(Kind::Other(b'x'), "x");
    map.size = i64::try_from(records.len()).unwrap();
    let mut writer = Writer::new(Vec::new());
    writer.entry(&map, &records[..]).unwrap();
    let mut file = Header::new(Kind::File, "hole");
    file.size = 512;
    let mut contents = b"0\n".to_vec();
    contents.resize(512, 0);
    writer.entry(&file, &contents[..]).unwrap();
    let bytes = writer.finish().unwrap();
    let place = Place::new();
    let image = place.directory(&layout(&[bytes], gzip));
    assert!(
        place
            .refused(&image, &[])
            .contains("to more than 8589934592 bytes")
    );
}

#[test]
fn a_layer_that_a_daemon_refuses_is_refused() {
    let below_file = archive(&[("f", "x"), ("f/x", "y")]);
    let place = Place::new();
    let image = place.directory(&layout(&[below_file], gzip));
    assert_eq!(
        place.refused(&image, &[]),
        "ztwin: layer 1 is refused: /f/x: ENOTDIR\n"
    );
    let xz = |_: &[u8]| b"\xfd7zXZ\0 and more".to_vec();
    let place = Place::new();
    let image = place.directory(&layout(&layers(), xz));
    assert!(
        place
            .refused(&image, &[])
            .contains("layer 1 is compressed with xz, which is not read")
    );
}
