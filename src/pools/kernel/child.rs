//! Running `zfs` and `zpool`: no shell, a fixed environment, streams apart, a time limit.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use super::unavailable;
use crate::pools::{End, Printed, Unavailable};

/// Runs a program and waits for it, at most `limit`; then it is killed, and the pool is of no more use.
pub(super) fn run(
    program: &str,
    arguments: &[String],
    input: &[u8],
    limit: Duration,
) -> Result<Printed, Unavailable> {
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .env("TZ", "UTC")
        .current_dir("/");
    command.stdin(if input.is_empty() {
        Stdio::null()
    } else {
        Stdio::piped()
    });
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| {
        unavailable(format!(
            "cannot run {program}: {error}; install the ZFS programs"
        ))
    })?;
    let (sender, streams) = mpsc::channel();
    let mut readers = 0;
    let out = child
        .stdout
        .take()
        .map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    let err = child
        .stderr
        .take()
        .map(|stream| Box::new(stream) as Box<dyn Read + Send>);
    for (is_error, stream) in [(false, out), (true, err)] {
        let Some(mut stream) = stream else { continue };
        let sender = sender.clone();
        readers += 1;
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What was read until an error is what there is.
            let _ = stream.read_to_end(&mut bytes);
            let _ = sender.send((is_error, bytes));
        });
    }
    if let Some(mut stdin) = child.stdin.take() {
        let input = input.to_vec();
        // A program that does not read all of its input is free to do so.
        std::thread::spawn(move || {
            let _ = stdin.write_all(&input);
        });
    }
    let mut printed = Printed::default();
    let start = Instant::now();
    for _ in 0..readers {
        let left = limit.saturating_sub(start.elapsed());
        let Ok((is_error, bytes)) = streams.recv_timeout(left) else {
            let _ = child.kill();
            // One that the kernel does not let go is not waited for here.
            std::thread::spawn(move || child.wait());
            return Err(unavailable(format!(
                "`{program} {}` did not end within {} s and was killed",
                arguments.join(" "),
                limit.as_secs()
            )));
        };
        if is_error {
            printed.err = bytes;
        } else {
            printed.out = bytes;
        }
    }
    let status = child
        .wait()
        .map_err(|error| unavailable(format!("{program}: {error}")))?;
    let code = status
        .code()
        .or_else(|| status.signal().map(|signal| 128 + signal));
    printed.end = End::Exit(
        code.and_then(|code| u8::try_from(code).ok())
            .unwrap_or(u8::MAX),
    );
    Ok(printed)
}

/// Runs a program whose failure means that the pool cannot be had; returns its standard output.
pub(super) fn must(
    program: &str,
    arguments: &[&str],
    limit: Duration,
) -> Result<String, Unavailable> {
    let arguments: Vec<String> = arguments.iter().map(|&word| word.to_owned()).collect();
    let printed = run(program, &arguments, &[], limit)?;
    if !printed.succeeded() {
        return Err(unavailable(format!(
            "`{program} {}` failed: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&printed.err).trim()
        )));
    }
    Ok(String::from_utf8_lossy(&printed.out).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_does_not_end_is_killed() {
        let marker = format!("97531.{}", std::process::id());
        let limit = Duration::from_millis(200);
        let start = Instant::now();
        let error = run("sleep", std::slice::from_ref(&marker), &[], limit).unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(60));
        assert!(
            error.message.contains("did not end within") && error.message.contains("killed"),
            "{error}"
        );
        let running = |pid: &std::path::Path| {
            let words = std::fs::read(pid.join("cmdline")).unwrap_or_default();
            String::from_utf8_lossy(&words).contains(&marker)
        };
        let deadline = Instant::now() + Duration::from_secs(10);
        while std::fs::read_dir("/proc")
            .unwrap()
            .any(|entry| running(&entry.unwrap().path()))
        {
            assert!(Instant::now() < deadline, "it still runs");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[test]
    fn streams_stay_apart_and_the_exit_code_is_kept() {
        let limit = Duration::from_secs(60);
        let script = ["-c", "cat; echo err >&2; exit 7"].map(str::to_owned);
        let printed = run("sh", &script, b"in", limit).unwrap();
        assert_eq!(
            printed,
            Printed {
                out: b"in".to_vec(),
                err: b"err\n".to_vec(),
                end: End::Exit(7),
            }
        );
        let error = run("no-such-program", &[], &[], limit).unwrap_err();
        assert!(
            error.message.contains("install the ZFS programs"),
            "{error}"
        );
    }
}
