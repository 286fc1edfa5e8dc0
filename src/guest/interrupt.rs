//! No half-made image and no builder is left behind when ztwin is interrupted.
//!
//! What must go when this process goes is registered with [`keep`] for as long as it exists. Guests need
//! none of this: they end by themselves when their host process is gone ([`super::boot`]).

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

/// Something that goes when this process goes.
#[derive(Clone, Debug)]
pub(crate) enum Kept {
    /// A process group that cleans up after itself when asked to end.
    Builder(Pid),
    /// A directory that is not finished.
    Unfinished(PathBuf),
}

static KEPT: Mutex<(u64, Vec<(u64, Kept)>)> = Mutex::new((0, Vec::new()));

fn kept() -> MutexGuard<'static, (u64, Vec<(u64, Kept)>)> {
    // A list of numbers and names is whole even if a thread panicked beside it.
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A registration; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct Token(u64);

impl Drop for Token {
    fn drop(&mut self) {
        kept().1.retain(|(id, _)| *id != self.0);
    }
}

/// Registers what must go.
pub(crate) fn keep(what: Kept) -> Token {
    let mut all = kept();
    all.0 += 1;
    let id = all.0;
    all.1.push((id, what));
    Token(id)
}

/// From now on the first SIGINT, SIGTERM or SIGHUP ends this process, after builders have ended and
/// unfinished images are removed, with a message and exit code 128 + N.
pub fn install() -> std::io::Result<()> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    std::thread::Builder::new()
        .name("signals".into())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                let said = clean();
                eprintln!("ztwin: interrupted{said}");
                std::process::exit(128 + signal);
            }
        })?;
    Ok(())
}

/// Ends and removes everything registered; says what that was.
fn clean() -> &'static str {
    // Never unlocked: nothing new is registered, and no other thread gets to report the consequences.
    let all = std::mem::ManuallyDrop::new(kept());
    let mut said = "";
    for (_, what) in &all.1 {
        if let Kept::Builder(pid) = what {
            let _ = kill_process_group(*pid, Signal::TERM);
            let deadline = Instant::now() + Duration::from_secs(20);
            while test_kill_process_group(*pid).is_ok() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(50));
            }
            let _ = kill_process_group(*pid, Signal::KILL);
        }
    }
    for (_, what) in &all.1 {
        if let Kept::Unfinished(dir) = what {
            let _ = std::fs::remove_dir_all(dir);
            said = "; the unfinished image was removed";
        }
    }
    said
}
