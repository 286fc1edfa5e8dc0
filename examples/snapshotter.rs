//! A snapshotter that runs `zfs`, beside the model. It needs a pool `tank` that is its own:
//!
//! `ztwin sim --pool tank=1G -- cargo run --example snapshotter`

use std::io;
use std::process::{Command, ExitCode, Output};

use ztwin_model::Op;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::oracle::{Answer, Search, System};

/// Layers in the pool `tank`, by the program `zfs` on `PATH`.
struct Snapshotter;

fn zfs(words: &[&str]) -> io::Result<Output> {
    Command::new("zfs").args(words).output()
}

/// The names that `zfs list` prints, one a line.
fn list(words: &[&str]) -> io::Result<Vec<String>> {
    let list = zfs(&[&["list", "-H", "-o", "name"], words].concat())?;
    let names = String::from_utf8_lossy(&list.stdout).into_owned();
    Ok(names.lines().map(str::to_owned).collect())
}

impl Snapshotter {
    /// One whose pool is empty.
    fn new() -> Snapshotter {
        // Layers are mounted by who uses them.
        zfs(&["set", "mountpoint=legacy", "tank"]).expect("`zfs` on PATH");
        // What is in the way of one goes with another one, so that some rounds may be needed.
        for _ in 0..8 {
            let names = list(&["-d", "1", "-t", "all", "tank"]).expect("`zfs` on PATH");
            for name in names.iter().filter(|name| *name != "tank") {
                zfs(&["destroy", "-R", name]).expect("`zfs` on PATH");
            }
        }
        Snapshotter
    }

    /// The words for an operation; `None` for what it never does.
    fn words(op: &Op) -> Option<Vec<&str>> {
        let Op::Dataset(op) = op else { return None };
        Some(match op {
            DslOp::Create { name, settings, .. } if settings.is_empty() => vec!["create", name],
            DslOp::Clone { name, origin, .. } => vec!["clone", origin, name],
            DslOp::Snapshot { names, .. } => {
                let names = names.iter().map(|name| &**name);
                ["snapshot"].into_iter().chain(names).collect()
            }
            DslOp::Destroy { name } => vec!["destroy", name],
            DslOp::DestroySnapshots { names, defer } => match &names[..] {
                [name] if *defer => vec!["destroy", "-d", name],
                [name] => vec!["destroy", name],
                _ => return None,
            },
            DslOp::Rename { from, to } => vec!["rename", from, to],
            DslOp::Rollback { to } => vec!["rollback", to],
            _ => return None,
        })
    }
}

impl System for Snapshotter {
    fn apply(&mut self, op: &Op) -> Answer {
        let Some(words) = Snapshotter::words(op) else {
            return Answer::Unsupported;
        };
        match zfs(&words) {
            Ok(output) if output.status.success() => Answer::Done,
            _ => Answer::Refused,
        }
    }

    fn datasets(&mut self) -> Option<Vec<String>> {
        list(&["-r", "-t", "filesystem,snapshot", "tank"]).ok()
    }
}

fn main() -> ExitCode {
    let search = Search {
        sequences: 20,
        ..Search::default()
    };
    match search.run(Snapshotter::new) {
        Ok(compared) => {
            println!("no difference: {compared}");
            ExitCode::SUCCESS
        }
        Err(found) => {
            println!("{found}");
            ExitCode::FAILURE
        }
    }
}
