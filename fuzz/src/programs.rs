//! Bytes become the words of `zfs` and `zpool`, one call a line: whatever they are, the programs answer, never panic,
//! and leave a machine of which everything holds that must.

use ztwin::pools::End;
use ztwin::programs;
use ztwin_model::Release;
use ztwin_model::generate::World;
use ztwin_model::generate::invariants::check_cheap;

/// What is there before.
const SETUP: [&str; 4] = [
    "zfs create tank/a",
    "zfs snapshot tank/a@s",
    "zfs clone tank/a@s tank/b",
    "zfs hold k tank/a@s",
];

/// Runs it on these bytes.
///
/// # Panics
/// When something does not hold that must.
pub fn run(data: &[u8]) {
    let [release, data @ ..] = data else { return };
    let release = Release::ALL[usize::from(*release) % Release::ALL.len()];
    let mut machine = World::default().machine(release);
    let text = String::from_utf8_lossy(data);
    for line in SETUP.into_iter().chain(text.lines().take(20)) {
        let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
        if !matches!(words[0].as_str(), "zfs" | "zpool") {
            continue;
        }
        let before = machine.clone();
        let ran = programs::run(&mut machine, &words);
        if ran.printed.end == End::NotModelled {
            machine = before;
        }
        check_cheap(machine.state()).unwrap_or_else(|found| panic!("{found}\n{text}"));
    }
}
