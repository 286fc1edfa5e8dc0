//! A file that is written to, read, truncated and punched at random, and held against a copy of what must be in it:
//! what fsx-rs does, in a loop that works on a file of the model as well as on one of the host.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use rustix::fs::{FallocateFlags, fallocate};
use ztwin_model::dmu::data::{Source, to_bytes};
use ztwin_model::generate::{Lots, World, apply};
use ztwin_model::zpl::mount::MountOptions;
use ztwin_model::zpl::op::{At, FileOp, FileResult, Target};
use ztwin_model::{Machine, Op, Outcome, Release};

/// What is run, with how many operations.
pub const KINDS: [(&str, u64); 3] = [("fsx-rs", 100_000), ("host", 100_000), ("model", 100_000)];

/// The most bytes of the file, and of an operation, as fsx-rs has it.
const FILE: usize = 256 << 10;
const MOST: usize = 64 << 10;

/// A file somewhere.
trait Store {
    fn write(&mut self, offset: u64, bytes: &[u8]);
    fn read(&mut self, offset: u64, len: usize) -> Vec<u8>;
    fn truncate(&mut self, size: u64);
    fn punch(&mut self, offset: u64, len: u64);
}

impl Store for File {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        self.write_all_at(bytes, offset).expect("room");
    }

    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let mut bytes = vec![0; len];
        self.read_exact_at(&mut bytes, offset).expect("it is there");
        bytes
    }

    fn truncate(&mut self, size: u64) {
        self.set_len(size).expect("it may be so long");
    }

    fn punch(&mut self, offset: u64, len: u64) {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        fallocate(&*self, flags, offset, len).expect("holes");
    }
}

/// A file `/f` of a mounted filesystem.
struct Modelled(Machine);

impl Modelled {
    fn new() -> Modelled {
        let mut file = Modelled(World::default().machine(Release::V2_3));
        let path: Arc<str> = "/mnt".into();
        let _ = file.apply(FileOp::MakeMountpoint { path: path.clone() });
        let _ = file.apply(FileOp::Mount {
            dataset: "tank".into(),
            path,
            options: MountOptions::default(),
            beside: false,
        });
        // A write makes it, and it begins with nothing in it.
        file.write(0, b"x");
        file.truncate(0);
        file
    }

    fn target() -> Target {
        Target::Path(At {
            dataset: "tank".into(),
            path: "/f".into(),
        })
    }

    fn apply(&mut self, op: FileOp) -> Outcome {
        let outcome = apply(&mut self.0, &Op::File(op));
        assert!(
            matches!(outcome, Outcome::Done | Outcome::File(_)),
            "{outcome:?}"
        );
        outcome
    }
}

impl Store for Modelled {
    fn write(&mut self, offset: u64, bytes: &[u8]) {
        let data = Source::Bytes(bytes.to_vec().into()).piece(bytes.len() as u64);
        let _ = self.apply(FileOp::Write {
            to: Self::target(),
            offset,
            data,
        });
    }

    fn read(&mut self, offset: u64, len: usize) -> Vec<u8> {
        let len = len as u64;
        match self.apply(FileOp::Read {
            from: Self::target(),
            offset,
            len,
        }) {
            Outcome::File(FileResult::Data(pieces)) => to_bytes(&pieces),
            other => panic!("{other:?}"),
        }
    }

    fn truncate(&mut self, size: u64) {
        let _ = self.apply(FileOp::Truncate {
            file: Self::target(),
            size,
        });
    }

    fn punch(&mut self, offset: u64, len: u64) {
        let _ = self.apply(FileOp::Punch {
            file: Self::target(),
            offset,
            len,
        });
    }
}

/// The four kinds of operations equally often, at any place.
fn exercise(file: &mut dyn Store, count: u64) {
    let mut good: Vec<u8> = Vec::new();
    let mut numbers = Lots::new(1);
    for step in 0..count {
        let mut below = |limit: usize| {
            let number = numbers.number() % limit.max(1) as u64;
            usize::try_from(number).expect("less than the limit")
        };
        let (kind, len) = (below(4), below(MOST + 1));
        let end = if kind == 0 { FILE } else { good.len() };
        let start = below(end);
        let range = start..end.min(start + len);
        let offset = start as u64;
        match kind {
            0 => {
                good.resize(good.len().max(range.end), 0);
                good[range.clone()].fill(step.to_le_bytes()[0]);
                file.write(offset, &good[range]);
            }
            1 => {
                let expected = &good[range];
                assert!(file.read(offset, expected.len()) == expected, "step {step}");
            }
            2 => {
                good.resize(below(FILE), 0);
                file.truncate(good.len() as u64);
            }
            _ if !range.is_empty() => {
                good[range.clone()].fill(0);
                file.punch(offset, range.len() as u64);
            }
            // A hole of no length is refused.
            _ => {}
        }
    }
}

/// A directory in memory.
const MEMORY: &str = "/dev/shm";

/// `KIND COUNT`: exercises a file with so many operations.
pub fn task(words: &[String]) {
    let [kind, count] = words else {
        panic!("{words:?}")
    };
    let directory = tempfile::tempdir_in(MEMORY).expect("a directory in memory");
    let path = directory.path().join("file");
    let operations: u64 = count.parse().expect("a number");
    match kind.as_str() {
        "model" => exercise(&mut Modelled::new(), operations),
        "host" => {
            let file = File::options()
                .read(true)
                .write(true)
                .create_new(true)
                .open(path);
            exercise(&mut file.expect("a file"), operations);
        }
        _ => fsx(directory.path(), &path, count),
    }
}

/// The same operations by fsx-rs, which is on PATH.
fn fsx(directory: &Path, path: &Path, count: &str) {
    let config = directory.join("fsx.toml");
    let weights =
        "[weights]\nmapread = 0\nmapwrite = 0\nread = 1\nwrite = 1\ntruncate = 1\npunch_hole = 1\n";
    fs::write(&config, weights).expect("room");
    let mut fsx = Command::new("fsx");
    fsx.arg("-f")
        .arg(&config)
        .arg("-P")
        .arg(directory)
        .args(["-S", "1", "-N", count])
        .arg(path);
    let output = fsx.output().expect("fsx, by cargo install fsx");
    assert!(output.status.success(), "{output:?}");
}
