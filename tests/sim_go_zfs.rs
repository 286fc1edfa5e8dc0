//! The tests of go-zfs, which the drivers of Docker, Podman and containerd stand on, unmodified from Debian's
//! golang-go-zfs-dev: they run under `ztwin sim` and cannot tell.
#![cfg(feature = "go-zfs")]

mod common {
    pub mod sim;
}

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::sim::{command, directory, told};

/// Where Debian puts the sources.
const SOURCES: &str = "/usr/share/gocode";
const PACKAGE: &str = "github.com/mistifyio/go-zfs";

/// Why a test fails that is known to: what its output holds.
type Known = BTreeMap<&'static str, &'static str>;

/// It writes files into the mounted dataset, and nothing is mounted.
const DIFF: (&str, &str) = (
    "TestDiff",
    "open /test/origin/linked: no such file or directory",
);
/// It expects the default of before 2.2, where a real pool fails it too.
const COMPRESSION: (&str, &str) = ("TestDatasetGetProperty", r#"exp: "off""#);

fn compiled(at: &Path) -> PathBuf {
    let program = at.join("go-zfs.test");
    let mut go = Command::new("go");
    go.args(["test", "-c", "-o"]).arg(&program).arg(PACKAGE);
    go.env("GO111MODULE", "off").env("GOPATH", SOURCES);
    // Not from the network, nor from where another run left something.
    go.env("GOPROXY", "off").env("GOCACHE", at.join("cache"));
    let output = go.output().unwrap_or_else(|error| {
        panic!("cannot run go: {error}; apt-get install golang-go golang-go-zfs-dev")
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{said}; apt-get install golang-go golang-go-zfs-dev"
    );
    program
}

/// The verdict on each test, and what it said.
fn verdicts(said: &str) -> BTreeMap<String, (bool, String)> {
    let mut all = BTreeMap::new();
    for part in said.split("=== RUN").skip(1) {
        let (name, rest) = part.split_once('\n').expect("a name");
        let name = name.trim();
        let passed = rest.contains(&format!("--- PASS: {name} "));
        let failed = rest.contains(&format!("--- FAIL: {name} "));
        assert!(passed != failed, "{name}: {rest}");
        all.insert(name.to_owned(), (passed, rest.to_owned()));
    }
    all
}

#[test]
fn go_zfs_passes_but_for_the_known() {
    let directory = directory();
    let program = compiled(directory.path());
    let program = program.to_string_lossy();
    // What the test is compared with: the functions that the sources call tests.
    let sources = Path::new(SOURCES).join("src").join(PACKAGE);
    let files = fs::read_dir(sources).expect("there").flatten();
    let files = files.filter(|file| file.file_name().to_string_lossy().ends_with("_test.go"));
    let texts = files.map(|file| fs::read_to_string(file.path()).expect("read"));
    let count: usize = texts.map(|it| it.matches("\nfunc Test").count()).sum();
    assert_eq!(count, 14, "another version of go-zfs");

    for (release, known) in [
        ("2.1", Known::from([DIFF])),
        ("2.3", Known::from([DIFF, COMPRESSION])),
        ("2.4", Known::from([DIFF, COMPRESSION])),
    ] {
        let options = ["--empty-streams", "--openzfs", release];
        let mut sim = command(directory.path(), &options);
        sim.args(["--", &program, "-test.v"]);
        let (code, said, err) = told(&sim.output().expect("runs"));
        assert_eq!(code, 1, "{said}{err}");
        let verdicts = verdicts(&said);
        assert_eq!(verdicts.len(), count, "{said}{err}");
        let failed = verdicts.iter().filter(|(_, (passed, _))| !passed);
        let failed: Vec<&str> = failed.map(|(name, _)| name.as_str()).collect();
        let expected: Vec<&str> = known.keys().copied().collect();
        assert_eq!(failed, expected, "OpenZFS {release}: {said}{err}");
        for (name, why) in known {
            assert!(verdicts[name].1.contains(why), "OpenZFS {release}: {said}");
        }
        println!("OpenZFS {release}: {} of {count}", count - failed.len());
    }
}
