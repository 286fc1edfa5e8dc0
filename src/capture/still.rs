//! The session stands still while the recorder looks and while a call runs, so that one thing happens at
//! a time also where several processes are at work, and the order in which things are told is the order
//! in which they were done.

use std::collections::HashSet;
use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::{Error, HOME};

/// How long the session may take to stand still at the first try. A parent that waits for its child to
/// run a program does not stop when the child has: everybody goes on then, for the next try.
const PATIENCE: Duration = Duration::from_millis(500);
/// When to give up.
const END: Duration = Duration::from_secs(60);

/// As long as this lives, every process that is traced by the tracer of this one is stopped, but for this
/// one and those that it starts.
#[derive(Debug)]
pub struct Still {
    stopped: HashSet<Pid>,
}

impl Still {
    /// Stops them; returns when all of them stand still. Nobody is stopped where nobody traces this process.
    pub fn hold() -> Result<Self, Error> {
        let mut still = Still {
            stopped: HashSet::new(),
        };
        let me = rustix::process::getpid();
        let Some(tracer) = tracer(me)? else {
            return Ok(still);
        };
        let began = Instant::now();
        let mut patience = PATIENCE;
        while began.elapsed() < END {
            let until = Instant::now() + patience;
            // A second look: what the tracer had to do behind the first one, it has done.
            let mut calm = 0;
            while calm < 2 && Instant::now() < until {
                let idle = still.stop(me, tracer)? && state(tracer, tracer)? == Some('S');
                calm = if idle { calm + 1 } else { 0 };
                sleep(Duration::from_millis(1));
            }
            if calm == 2 {
                return Ok(still);
            }
            still.go();
            sleep(PATIENCE / 10);
            patience *= 2;
        }
        Err(Error::Session(
            "the session does not stand still".to_owned(),
        ))
    }

    /// Stops who is not stopped yet, and says whether all stand still.
    fn stop(&mut self, me: Pid, tracer: Pid) -> Result<bool, Error> {
        let mut all = true;
        for pid in numbers("/proc")? {
            if pid == me || self::tracer(pid)? != Some(tracer) {
                continue;
            }
            if is_of_zfs(pid) {
                all = false;
                continue;
            }
            if self.stopped.insert(pid) {
                all = false;
                match kill_process(pid, Signal::STOP) {
                    Ok(()) | Err(Errno::SRCH) => {}
                    Err(error) => {
                        return Err(Error::io(format!("stopping process {pid:?}"))(error));
                    }
                }
            }
            for thread in numbers(&format!("/proc/{}/task", pid.as_raw_pid()))? {
                all &= matches!(state(pid, thread)?, None | Some('T' | 't' | 'Z' | 'X'));
            }
        }
        Ok(all)
    }

    /// Lets all of them go on.
    fn go(&mut self) {
        for pid in std::mem::take(&mut self.stopped) {
            // It may be gone.
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

impl Drop for Still {
    fn drop(&mut self) {
        self.go();
    }
}

/// Whether a process runs a program of ZFS, around the recorder: one that is stopped in the kernel (`issig` of
/// OpenZFS, as in `zfs_ioc_snapshot_list_next`) holds the pool's locks, and the next call would wait for ever.
/// It is waited for.
fn is_of_zfs(pid: Pid) -> bool {
    let program = fs::read_link(format!("/proc/{}/exe", pid.as_raw_pid()));
    program.is_ok_and(|program| program.starts_with(Path::new(HOME).join("real")))
}

/// Who traces a process.
fn tracer(pid: Pid) -> Result<Option<Pid>, Error> {
    let text = read(&format!("/proc/{}/status", pid.as_raw_pid()))?.unwrap_or_default();
    let mut lines = text.lines();
    let field = lines.find_map(|line| line.strip_prefix("TracerPid:"));
    // Zero is nobody.
    Ok(field.and_then(|field| number(field.trim())))
}

/// The letter of `proc_pid_stat(5)`; none of a thread that is gone.
fn state(pid: Pid, thread: Pid) -> Result<Option<char>, Error> {
    let (pid, thread) = (pid.as_raw_pid(), thread.as_raw_pid());
    let text = read(&format!("/proc/{pid}/task/{thread}/stat"))?;
    // The name before it may have anything in it.
    let behind = text.as_deref().and_then(|text| text.rsplit_once(") "));
    Ok(behind.and_then(|(_, rest)| rest.chars().next()))
}

fn number(text: &str) -> Option<Pid> {
    text.parse().ok().and_then(Pid::from_raw)
}

/// The entries of a directory that are numbers; none of a process that is gone.
fn numbers(path: &str) -> Result<Vec<Pid>, Error> {
    let what = || format!("reading {path}");
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(what())(error)),
    };
    let mut found = Vec::new();
    for entry in entries {
        match entry {
            Ok(entry) => found.extend(entry.file_name().to_str().and_then(number)),
            Err(error) if is_gone(&error) => {}
            Err(error) => return Err(Error::io(what())(error)),
        }
    }
    Ok(found)
}

fn read(path: &str) -> Result<Option<String>, Error> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(Error::io(format!("reading {path}"))(error)),
    }
}

fn is_gone(error: &std::io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(Errno::SRCH.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_is_stopped_who_is_not_traced() {
        let still = Still::hold().unwrap();
        assert!(still.stopped.is_empty());
        let me = rustix::process::getpid();
        let thread = rustix::thread::gettid();
        assert_eq!(state(me, thread).unwrap(), Some('R'));
    }
}
