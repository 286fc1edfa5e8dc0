//! What a process took: on a machine on which others are busy, too, the time on the clock says little.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs};

pub mod cpu;

/// The processors' time of the processes that this one has waited for, in hundredths of a second.
fn of_children() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the program's name, which is in parentheses.
    let numbers = stat.rsplit(')').next().unwrap_or("").split_whitespace();
    let ticks: u64 = numbers.skip(13).take(2).flat_map(str::parse::<u64>).sum();
    Duration::from_millis(10 * ticks)
}

/// The processors' time of the first thread and of the busiest other one, which wait for each other.
fn of_busiest() -> Duration {
    let tasks = fs::read_dir("/proc/self/task").expect("Linux");
    let mut times: Vec<(u32, u64)> = tasks
        .flatten()
        .filter_map(|task| {
            let of_thread = fs::read_to_string(task.path().join("schedstat")).ok()?;
            let number = task.file_name().to_str()?.parse().ok()?;
            Some((number, of_thread.split(' ').next()?.parse().ok()?))
        })
        .collect();
    times.sort_unstable();
    let others = times.iter().skip(1).map(|it| it.1).max();
    Duration::from_nanos(times[0].1 + others.unwrap_or(0))
}

/// A line of `/proc/self/status` about memory, in bytes: `VmRSS` for what is held, `VmHWM` for the most so far.
pub fn memory(line: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let found = status.lines().find_map(|it| it.strip_prefix(line));
    let kibibytes = found.and_then(|it| {
        it.trim_matches([':', '\t', ' ', 'k', 'B'])
            .parse::<u64>()
            .ok()
    });
    1024 * kibibytes.unwrap_or(0)
}

/// What a task took, in a process of its own.
#[derive(Clone, Debug, Default)]
pub struct Took {
    /// By the clock.
    pub wall: Duration,
    /// On all processors.
    pub cpu: Duration,
    /// On one of them at least, however many there are: what others wait for.
    pub busiest: Duration,
    /// The most memory at any time, in bytes.
    pub peak: u64,
    /// The last line that it printed.
    pub told: String,
}

/// Set in a process that has one task, which stands in its arguments.
const TASK: &str = "ZTWIN_BENCH_TASK";

/// If this process has one task: does it, and tells what it took.
pub fn is_task(task: impl FnOnce(&[String])) -> bool {
    if env::var_os(TASK).is_none() {
        return false;
    }
    let start = Instant::now();
    task(&env::args().skip(1).collect::<Vec<_>>());
    let times = [start.elapsed(), cpu::time() + of_children(), of_busiest()];
    let [wall, cpu, busiest] = times.map(|it| it.as_nanos());
    println!("\n{wall} {cpu} {busiest} {}", memory("VmHWM"));
    true
}

/// Runs a task on so many threads, in a process of its own: the medians of times, and the most memory.
pub fn task(words: &[&str], threads: usize, times: usize) -> Took {
    let took: Vec<Took> = (0..times).map(|_| once(words, threads)).collect();
    let median = |of: fn(&Took) -> Duration| {
        let mut all: Vec<Duration> = took.iter().map(of).collect();
        all.sort_unstable();
        all[times / 2]
    };
    Took {
        wall: median(|it| it.wall),
        cpu: median(|it| it.cpu),
        busiest: median(|it| it.busiest),
        peak: took.iter().map(|it| it.peak).max().unwrap_or(0),
        told: took[0].told.clone(),
    }
}

fn once(words: &[&str], threads: usize) -> Took {
    let mut process = Command::new(env::current_exe().expect("this program"));
    process
        .args(words)
        .env(TASK, "")
        .env("RAYON_NUM_THREADS", threads.to_string());
    let output = process.stderr(Stdio::inherit()).output().expect("it runs");
    assert!(output.status.success(), "{words:?}");
    let text = String::from_utf8_lossy(&output.stdout);
    let mut lines = text.lines().rev();
    let numbers: Vec<u64> = lines
        .next()
        .unwrap_or("")
        .split(' ')
        .flat_map(str::parse)
        .collect();
    let [wall, cpu, busiest, peak] = numbers[..] else {
        panic!("{words:?}: {text}")
    };
    Took {
        wall: Duration::from_nanos(wall),
        cpu: Duration::from_nanos(cpu),
        busiest: Duration::from_nanos(busiest),
        peak,
        told: lines.find(|it| !it.is_empty()).unwrap_or("").to_owned(),
    }
}
