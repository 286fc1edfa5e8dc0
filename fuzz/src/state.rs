//! A state file of `ztwin sim` that was damaged: it is read as far as it was written, or refused, and never repeated
//! wrongly.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use ztwin::sim::{Machine, Options};

fn file() -> PathBuf {
    std::env::temp_dir().join(format!("ztwin-fuzz-state-{}", std::process::id()))
}

fn open(path: PathBuf) -> Result<Machine, String> {
    let options = Options {
        state: Some(path),
        ..Options::default()
    };
    Machine::new(options).map_err(|error| error.to_string())
}

/// The bytes of a file that holds a pool.
fn whole() -> &'static [u8] {
    static WHOLE: OnceLock<Vec<u8>> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let path = file();
        let _ = fs::remove_file(&path);
        let mut machine = open(path.clone()).expect("a new file");
        machine.make_pool("tank", 1 << 30).expect("a pool");
        drop(machine);
        fs::read(path).expect("the file")
    })
}

/// Runs it on these bytes.
///
/// # Panics
/// When something does not hold that must.
pub fn run(data: &[u8]) {
    // Two bytes say where, the third what stands there; what is left takes the place of the end.
    let [kind, at @ ..] = data else { return };
    let mut bytes = match kind % 3 {
        0 => at.to_vec(),
        _ => whole().to_vec(),
    };
    if kind % 3 == 1 {
        for change in at.chunks_exact(3) {
            let place = usize::from(u16::from_le_bytes([change[0], change[1]]));
            let len = bytes.len();
            if let Some(byte) = bytes.get_mut(place % len.max(1)) {
                *byte = change[2];
            }
        }
    } else if kind % 3 == 2 {
        let keep = at.iter().map(|&it| usize::from(it)).sum::<usize>();
        bytes.truncate(keep);
        bytes.extend_from_slice(at);
    }
    let damaged = bytes != whole();
    let path = file();
    fs::write(&path, &bytes).expect("room for a file");
    match open(path) {
        // Only what was torn off at its end is left out, and then no pool is there.
        Ok(machine) => assert!(!damaged || !machine.has_pool("tank") || bytes.starts_with(whole())),
        Err(told) => assert!(!told.is_empty()),
    }
}
