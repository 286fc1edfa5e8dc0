//! Many processes on one machine at once: what each of them sees is what it would see if they had stood
//! in a queue.

mod common {
    pub mod sim;
}

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use common::sim::{command, directory, out};

/// How many of them run at once.
const PROCESSES: usize = 64;

/// How many commands they issue together: `ZTWIN_SIM_COMMANDS`, or few.
fn commands() -> usize {
    let given = std::env::var("ZTWIN_SIM_COMMANDS");
    given.map_or(1280, |given| given.parse().expect("a number"))
}

/// A command that a process issued, and what it got.
struct Issued {
    words: Vec<String>,
    began: Duration,
    ended: Duration,
    out: String,
    err: String,
    code: Option<i32>,
}

/// The words of a process's command: they meet one another in a few datasets.
fn words(process: usize, number: usize) -> Vec<String> {
    let mine = format!("tank/{}", process % 8);
    let tag = format!("{process}.{number}");
    let text = match (process + number * 7) % 10 {
        0 => format!("zfs create {mine}"),
        1 => format!("zfs snapshot {mine}@s{}", number % 3),
        2 => format!("zfs clone {mine}@s0 tank/c{}", process % 5),
        3 => format!("zfs destroy {mine}@s{}", number % 3),
        4 => format!("zfs destroy -r {mine}"),
        5 => format!("zfs promote tank/c{}", process % 5),
        6 => "zfs list -H -r -t all -o name,origin,creation,guid tank".to_owned(),
        7 => format!("zfs rename tank/c{} tank/d{}", process % 5, number % 2),
        8 => format!("zfs destroy -R tank/d{}", number % 2),
        _ => format!("zfs get -Hp -o value creation,createtxg,com.x:who {mine}"),
    };
    let mut words: Vec<String> = text.split(' ').map(str::to_owned).collect();
    // So that the log tells which process it was, and so that no two commands are the same.
    if matches!(words[1].as_str(), "create" | "snapshot" | "clone") {
        words.splice(2..2, ["-o".to_owned(), format!("com.x:who={tag}")]);
    }
    words
}

#[test]
fn each_process_gets_what_it_would_get_in_a_queue() {
    let directory = directory();
    let at = directory.path();
    let mut sim = command(
        at,
        &[
            "--pool", "tank=10G", "--log", "log", "--state", "state", "--clock", "steps", "--",
        ],
    );
    sim.args(["sh", "-c", "command -v zfs; read line; zfs list -H -r -t all -o name,origin,creation,guid,com.x:who tank"]);
    let mut sim = sim
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut lines = BufReader::new(sim.stdout.take().expect("piped")).lines();
    let program = lines.next().expect("a line").expect("UTF-8");

    let start = Instant::now();
    let each = commands().div_ceil(PROCESSES);
    let issued: Vec<(u32, Issued)> = thread::scope(|scope| {
        let running: Vec<_> = (0..PROCESSES)
            .map(|process| {
                let program = Path::new(&program);
                scope.spawn(move || {
                    let numbers = 0..each;
                    numbers
                        .map(|number| issue(program, words(process, number), start))
                        .collect::<Vec<_>>()
                })
            })
            .collect();
        running
            .into_iter()
            .flat_map(|it| it.join().expect("no panic"))
            .collect()
    });
    let rate = issued.len() as u128 * 1000 / start.elapsed().as_millis().max(1);
    println!(
        "{} commands of {PROCESSES} processes, {rate} a second",
        issued.len()
    );
    drop(sim.stdin.take());
    let last: Vec<String> = lines.map(|line| line.expect("UTF-8")).collect();
    assert!(sim.wait().expect("ends").success());

    // Each process's command stands in the log, once, with what the process got.
    let log = fs::read_to_string(at.join("log")).expect("read");
    let log: Vec<serde_json::Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        log.len(),
        issued.len() + 2,
        "with the pool and the last list"
    );
    let mut places: HashMap<(i64, String), Vec<usize>> = HashMap::new();
    for (place, line) in log.iter().enumerate() {
        let key = (
            line["process"].as_i64().unwrap_or(0),
            line["words"].to_string(),
        );
        places.entry(key).or_default().push(place);
    }
    let mut spans: Vec<(usize, &Issued)> = Vec::new();
    for (process, issued) in &issued {
        let key = (
            i64::from(*process),
            serde_json::json!(issued.words).to_string(),
        );
        let place = places
            .get_mut(&key)
            .and_then(|places| (!places.is_empty()).then(|| places.remove(0)));
        let place = place.unwrap_or_else(|| panic!("{key:?} is not in the log"));
        let line = &log[place];
        assert_eq!(line["out"], issued.out.as_str(), "{:?}", issued.words);
        assert_eq!(line["err"], issued.err.as_str(), "{:?}", issued.words);
        assert_eq!(
            line["code"].as_i64(),
            issued.code.map(i64::from),
            "{:?}",
            issued.words
        );
        spans.push((place, issued));
    }

    // One that ended before another began stands before it.
    spans.sort_unstable_by_key(|(place, _)| *place);
    let mut latest = Duration::ZERO;
    for (place, issued) in &spans {
        assert!(
            issued.ended >= latest,
            "place {place}: {:?} is too late",
            issued.words
        );
        latest = latest.max(issued.began);
    }

    // A queue gives the same, and ends in the same state.
    let script: String = log[1..log.len() - 1]
        .iter()
        .map(|line| {
            let words = line["words"].as_array().expect("words").iter();
            let words: Vec<&str> = words.map(|word| word.as_str().expect("text")).collect();
            words.join(" ") + "\n"
        })
        .collect();
    fs::write(at.join("script"), script).expect("written");
    out(
        at,
        &[
            "--pool", "tank=10G", "--log", "queue", "--state", "again", "--clock", "steps",
        ],
        "sh script 2>/dev/null; zfs list -H -r -t all -o name,origin,creation,guid,com.x:who tank",
    );
    let queue = fs::read_to_string(at.join("queue")).expect("read");
    for (one, other) in queue.lines().zip(&log) {
        let mut one: serde_json::Value = serde_json::from_str(one).expect("JSON");
        one["process"] = other["process"].clone();
        assert_eq!(&one, other);
    }
    // Every change at the same time of the machine's clock, with the same outcome.
    let state = |name| fs::read(at.join(name)).expect("read");
    assert!(state("state") == state("again"), "the state files differ");
    let again = log.last().expect("a line")["out"].as_str().expect("text");
    assert_eq!(last, again.lines().collect::<Vec<_>>());
    // The state file says the same once more.
    let kept = out(
        at,
        &["--state", "state"],
        "zfs list -H -r -t all -o name,origin,creation,guid,com.x:who tank",
    );
    assert_eq!(kept.lines().collect::<Vec<_>>(), last);
    // They did meet: enough succeeded, and those that looked saw many different states.
    let done = issued.iter().filter(|(_, it)| it.code == Some(0)).count();
    let seen = issued.iter().filter(|(_, it)| it.words[1] == "list");
    let seen: HashSet<&str> = seen.map(|(_, it)| it.out.as_str()).collect();
    assert!(done > issued.len() / 5, "{done} succeeded");
    assert!(seen.len() > issued.len() / 50, "{} states seen", seen.len());
}

fn issue(program: &Path, words: Vec<String>, start: Instant) -> (u32, Issued) {
    let mut command = Command::new(program);
    command
        .args(&words[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let began = start.elapsed();
    let child = command.spawn().expect("starts");
    let process = child.id();
    let output = child.wait_with_output().expect("ends");
    let ended = start.elapsed();
    let issued = Issued {
        words,
        began,
        ended,
        out: String::from_utf8(output.stdout).expect("UTF-8"),
        err: String::from_utf8(output.stderr).expect("UTF-8"),
        code: output.status.code(),
    };
    (process, issued)
}
