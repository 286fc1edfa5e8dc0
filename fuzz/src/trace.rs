//! Bytes become a trace: as text, and as a list of steps.
//!
//! - Whatever parses, prints to text that parses to the same trace, and prints to the same text.
//! - Whatever the steps are, the model answers each of them, and never panics.

use ztwin::compare::play;
use ztwin::pools::{self, Command};
use ztwin::trace::{Element, Item, Line, Step, Text, Trace};
use ztwin_model::Release;

/// Steps, with `%` for a filesystem, `@` for a snapshot, `/` for a file, `#` for a number. The vocabulary
/// is small so that steps meet each other.
const STEPS: &[&str] = &[
    "zfs create %",
    "zfs create -p %",
    "zfs create -o mountpoint=legacy %",
    "zfs snapshot @",
    "zfs snapshot -r @",
    "zfs clone @ %",
    "zfs clone -p @ %",
    "zfs destroy %",
    "zfs destroy -r %",
    "zfs destroy -R %",
    "zfs destroy @",
    "zfs destroy -d @",
    "zfs destroy -r @",
    "zfs destroy -R @",
    "zfs rollback @",
    "zfs rollback -r @",
    "zfs rollback -R @",
    "zfs promote %",
    "zfs rename % %",
    "zfs rename @ @",
    "zfs rename -r @ @",
    "zfs hold keep @",
    "zfs release keep @",
    "zfs list -t all -o name,origin,mountpoint",
    "zfs list -Hp -r %",
    "zfs get -r compression,readonly,recordsize %",
    "zfs set compression=lz4 %",
    "zfs set readonly=on %",
    "zfs set mountpoint=/mnt %",
    "zfs inherit -r compression %",
    "zfs inherit readonly %",
    "zfs mount %",
    "zfs unmount %",
    "zpool sync",
    "zpool list",
    "zpool destroy tank",
    "zpool create tank /v/a",
    "write / # # data=random:1",
    "write / # # data=zero",
    "read / # #",
    "truncate / #",
    "mkdir /",
    "rmdir /",
    "unlink /",
    "rename / /",
    "link / /",
    "symlink target /",
    "readlink /",
    "chmod 0600 /",
    "chown 1:1 /",
    "stat /",
    "tree %",
    "open h / rw",
    "write h # # data=text:2",
    "read h # #",
    "close h",
    "mount % /mnt/x",
    "umount /mnt/x",
    "umount -l /mnt/x",
    "shared / @",
    "state -v",
];

const FILESYSTEMS: &[&str] = &[
    "tank", "tank/a", "tank/a/b", "tank/c", "tank/c/d", "tank/e", "nope/a",
];
const SNAPSHOTS: &[&str] = &["s", "t", "u"];
const FILES: &[&str] = &["/f", "/g", "/d", "/d/f", "/d/e", "/a", "/d/e/g"];
const NUMBERS: &[&str] = &["0", "1", "4K", "127K", "128K", "200K", "1M", "3M"];

/// The steps that bytes stand for.
fn steps(data: &[u8]) -> Vec<Command> {
    let mut bytes = data.iter().copied();
    let mut commands: Vec<Command> = ["vdev /v/a 1G", "zpool create tank /v/a"]
        .iter()
        .map(|line| line.split(' ').map(str::to_owned).collect::<Vec<_>>())
        .map(|words| Command {
            words,
            ..Command::default()
        })
        .collect();
    // Sessions of people and drivers are short, and long ones cost time.
    while commands.len() < 40 {
        let Some(byte) = bytes.next() else { break };
        let mut pick = |from: &[&str]| -> String {
            from[usize::from(bytes.next().unwrap_or(0)) % from.len()].to_owned()
        };
        let words = STEPS[usize::from(byte) % STEPS.len()]
            .split(' ')
            .map(|word| match word {
                "%" => pick(FILESYSTEMS),
                "@" => format!("{}@{}", pick(FILESYSTEMS), pick(SNAPSHOTS)),
                "/" => format!("{}:{}", pick(FILESYSTEMS), pick(FILES)),
                "#" => pick(NUMBERS),
                word => word.to_owned(),
            })
            .collect();
        commands.push(Command {
            words,
            ..Command::default()
        });
    }
    commands
}

fn round_trip(trace: &Trace) {
    let text = trace.to_string();
    let again = Trace::parse("again", text.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(again, *trace, "\n{text}");
    assert_eq!(again.to_string(), text);
}

/// Runs it on these bytes.
///
/// # Panics
/// When something does not hold that must.
pub fn run(data: &[u8]) {
    match Trace::parse("fuzz", data) {
        Ok(trace) => round_trip(&trace),
        Err(error) => assert!(error.to_string().contains('^')),
    }

    let Some((&release, data)) = data.split_first() else {
        return;
    };
    let release = Release::ALL[usize::from(release) % Release::ALL.len()];
    let commands = steps(data);
    let mut model = pools::open("model", Some(release)).unwrap_or_else(|error| panic!("{error}"));
    let printed = play(model.as_mut(), &commands).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(printed.len(), commands.len());

    // What the model printed is a trace like any other.
    let items = commands
        .into_iter()
        .zip(&printed)
        .map(|(command, printed)| {
            let mut step = Step::new(command);
            step.body = printed.lines().into_iter().map(Element::Line).collect();
            // Bytes that were fuzzed stand in an outcome, too.
            if step.body.is_empty() {
                let noise = Text::lines(data)
                    .into_iter()
                    .map(|text| Element::Line(Line::Out(text)));
                step.body = noise.collect();
            }
            Item::Step(step)
        });
    round_trip(&Trace {
        items: items.collect(),
    });
}
