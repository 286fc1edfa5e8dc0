//! Archives are read as Go reads them, which is what Docker and containerd do. `tests/layers/README.md`
//! says how what is compared here was made.

use std::fmt::Write as _;
use std::path::Path;

use sha2::{Digest, Sha256};
use ztwin::archive::{Kind, Reader};

/// As `tests/layers/reference/list.go` prints an archive.
fn listing(bytes: &[u8]) -> String {
    let mut told = String::new();
    let mut reader = Reader::new(bytes);
    loop {
        let header = match reader.next() {
            Ok(Some(header)) => header,
            Ok(None) => {
                told.push_str("EOF\n");
                return told;
            }
            Err(error) => {
                writeln!(told, "{error}").unwrap();
                return told;
            }
        };
        let is_global = header.kind == Kind::Global;
        // Of these Go keeps no more than the name and the records.
        let seconds = if is_global {
            -62_135_596_800
        } else {
            header.mtime.seconds
        };
        write!(
            told,
            "{} [{}] [{}] {} {} {} [{}] [{}] {} {seconds}.{} {} {}",
            header.kind.byte(),
            hex(&header.name),
            hex(&header.link),
            header.mode,
            header.uid,
            header.gid,
            hex(&header.user),
            hex(&header.group),
            header.size,
            header.mtime.nanoseconds,
            header.major,
            header.minor,
        )
        .unwrap();
        for (key, value) in &header.records {
            write!(told, " [{}]=[{}]", hex(key), hex(value)).unwrap();
        }
        if is_global {
            told.push('\n');
            continue;
        }
        match reader.contents() {
            Ok(contents) => {
                let bytes = contents.bytes(1 << 20);
                let digest = Sha256::digest(&bytes);
                writeln!(told, " {} {}", bytes.len(), hex(&digest[..4])).unwrap();
            }
            Err(error) => {
                writeln!(told, " error {error}").unwrap();
                return told;
            }
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

#[test]
fn every_beginning_of_an_archive_is_read_as_go_reads_it() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/layers");
    let whole = std::fs::read(directory.join("cut.tar")).unwrap();
    let listed = std::fs::read_to_string(directory.join("cut")).unwrap();
    let mut next = 0;
    for line in listed.lines() {
        let (range, outcome) = line.split_once(' ').unwrap();
        let (start, end) = range.split_once("..").unwrap();
        let [start, end]: [usize; 2] = [start, end].map(|it| it.parse().unwrap());
        assert_eq!(start, next);
        for len in start..=end {
            let told = listing(&whole[..len]);
            let (before, last) = match told.trim_end().rsplit_once('\n') {
                Some((before, last)) => (before.lines().count(), last),
                None => (0, told.trim_end()),
            };
            let last = match last.split_once(" error ") {
                Some((_, error)) => format!("error {error}"),
                None => last.to_owned(),
            };
            assert_eq!(format!("{before} {last}"), outcome, "{len} bytes");
        }
        next = end + 1;
    }
    assert_eq!(next, whole.len() + 1);
}

/// Archives that somebody made with Go's own listing of them, in a directory and a file.
#[test]
#[ignore = "wants ZTWIN_ARCHIVES=LIST,LISTING, made as tests/layers/README.md says"]
fn many_archives_are_read_as_go_reads_them() {
    let var = std::env::var("ZTWIN_ARCHIVES").unwrap();
    let (list, listed) = var.split_once(',').unwrap();
    let listed = std::fs::read_to_string(listed).unwrap();
    let (mut same, mut others) = (0, Vec::new());
    for (path, expected) in std::fs::read_to_string(list)
        .unwrap()
        .lines()
        .zip(listed.split("== ").skip(1))
    {
        let told = format!("{path}\n{}", listing(&std::fs::read(path).unwrap()));
        if told == expected {
            same += 1;
        } else {
            others.push(format!("{expected}---\n{told}"));
        }
    }
    for other in others.iter().take(12) {
        eprintln!("{other}");
    }
    eprintln!("{same} the same, {} others", others.len());
    assert!(others.is_empty());
}
