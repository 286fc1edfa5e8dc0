//! Running scripts under `ztwin sim`.

#![allow(dead_code, reason = "each test uses some of it")]

use std::path::Path;
use std::process::{Command, Output};

/// `ztwin sim ARGS`, which puts its files into `directory`, and leaves /sbin alone: not everywhere can it
/// do otherwise.
pub fn command(directory: &Path, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ztwin"));
    command
        .args(["sim", "--sbin", "never"])
        .args(args)
        .current_dir(directory)
        .env("TMPDIR", directory)
        .env("LC_ALL", "C");
    command
}

/// Exit code, standard output, standard error.
pub type Told = (i32, String, String);

pub fn told(output: &Output) -> Told {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    (
        output.status.code().expect("no signal"),
        text(&output.stdout),
        text(&output.stderr),
    )
}

/// Runs a script of the shell under `ztwin sim ARGS`.
pub fn sim(directory: &Path, args: &[&str], script: &str) -> Told {
    let mut command = command(directory, args);
    command.args(["--", "sh", "-c", script]);
    told(&command.output().expect("ztwin runs"))
}

/// As [`sim`], of what must succeed and say nothing on standard error but that there were estimates; its
/// standard output.
pub fn out(directory: &Path, args: &[&str], script: &str) -> String {
    let (code, out, err) = sim(directory, args, script);
    let told: String = err
        .lines()
        .filter(|line| !line.ends_with("--exact-space refuses them"))
        .collect();
    assert_eq!((code, told.as_str()), (0, ""), "{script}\n{out}");
    out
}

pub fn directory() -> tempfile::TempDir {
    tempfile::tempdir().expect("a directory")
}

/// The names in a directory, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).expect("a directory");
    let names = entries.map(|it| {
        it.expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    let mut names: Vec<_> = names.collect();
    names.sort_unstable();
    names
}
