//! The side that runs inside of the guest: the guest's first process, and the resident that serves the
//! host.
//!
//! Both are `ztwin agent`. As process 1 it mounts what programs expect, sets the parameters of ZFS that
//! make runs reproducible, starts itself again as the resident, reaps orphans, and resets the machine
//! (which ends QEMU) when the resident is gone. The resident ends when the host closes the port.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, poll};
use rustix::mount::{MountFlags, mount};
use rustix::process::{Pid, WaitOptions, wait};

use super::wire::{self, Frame, Hello, Job, Reply, Request, Stream};
use crate::pools::{Blobs, KernelPools, Pools, kernel};

/// What the guest mounts besides what the initramfs did: source, target, type, options.
const MOUNTS: [(&str, &str, &str, &str); 9] = [
    ("proc", "/proc", "proc", ""),
    ("sys", "/sys", "sysfs", ""),
    ("dev", "/dev", "devtmpfs", ""),
    ("devpts", "/dev/pts", "devpts", "mode=620,ptmxmode=666"),
    ("shm", "/dev/shm", "tmpfs", ""),
    ("run", "/run", "tmpfs", "mode=755"),
    ("tmp", "/tmp", "tmpfs", "mode=1777"),
    // File vdevs are sparse: what they take is what is written.
    ("v", "/v", "tmpfs", "size=80%,mode=755"),
    ("cgroup2", "/sys/fs/cgroup", "cgroup2", ""),
];

/// Parameters of the kernel, so that what a trace does depends on the trace alone.
const PARAMETERS: [(&str, &str); 10] = [
    // Programs at the same addresses each time: software emulation then translates them once, and a
    // command takes half the time.
    ("/proc/sys/kernel/randomize_va_space", "0"),
    // As Debian has them: what users may not follow, link to and open in directories that others write to.
    ("/proc/sys/fs/protected_symlinks", "1"),
    ("/proc/sys/fs/protected_hardlinks", "1"),
    ("/proc/sys/fs/protected_fifos", "1"),
    ("/proc/sys/fs/protected_regular", "2"),
    // Transaction groups close when a step closes them, not when 5 s or 20 % of dirty data are over.
    ("/sys/module/zfs/parameters/zfs_txg_timeout", "3600"),
    (
        "/sys/module/zfs/parameters/zfs_dirty_data_max",
        "1073741824",
    ),
    (
        "/sys/module/zfs/parameters/zfs_dirty_data_sync_percent",
        "90",
    ),
    // The guest's memory is for its file vdevs.
    ("/sys/module/zfs/parameters/zfs_arc_max", "402653184"),
    // A failed assertion of ZFS ends the guest with a panic; by default it hangs the one thread.
    ("/sys/module/spl/parameters/spl_panic_halt", "1"),
];

/// What `mount -t zfs -n DATASET PATH` comes to: the helper of ZFS does it, and its exit code is what counts.
const MOUNT: &str = "#!/bin/sh\nexec /usr/sbin/mount.zfs -n \"$4\" \"$5\"\n";

/// The environment of everything in the guest.
const ENVIRONMENT: [(&str, &str); 5] = [
    (
        "PATH",
        "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    ),
    ("HOME", "/root"),
    ("TERM", "linux"),
    ("LC_ALL", "C"),
    ("TZ", "UTC"),
];

/// `ztwin agent`: the first process of a guest, or its resident. Returns only with an error.
pub fn main() -> io::Result<()> {
    if rustix::process::getpid() == Pid::INIT {
        let problem = first();
        println!(
            "ztwin init: {}",
            problem
                .as_ref()
                .err()
                .map_or("done".into(), ToString::to_string)
        );
        reset();
        return problem;
    }
    if !Path::new("/agent/ztwin").exists() {
        return Err(io::Error::other(
            "`agent` runs inside of a guest that ztwin started; see `ztwin vm --help`",
        ));
    }
    resident()
}

/// Process 1.
fn first() -> io::Result<()> {
    prepare()?;
    let shell = fs::read_to_string("/proc/cmdline")?
        .split_whitespace()
        .any(|w| w == "ztwin.shell");
    let child = if shell {
        start_shell()?
    } else {
        start_resident()?
    };
    let pid = Pid::from_child(&child);
    loop {
        match wait(WaitOptions::empty()) {
            Ok(Some((ended, status))) if ended == pid => {
                return match status.exit_status() {
                    Some(0) => Ok(()),
                    _ => Err(io::Error::other(format!("the agent ended: {status:?}"))),
                };
            }
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// Ends the guest at once; QEMU runs with `-no-reboot`.
fn reset() {
    let _ = io::stdout().flush();
    let _ = fs::write("/proc/sysrq-trigger", "b");
    std::thread::sleep(Duration::from_secs(60));
}

fn prepare() -> io::Result<()> {
    for (source, target, kind, options) in MOUNTS {
        fs::create_dir_all(target)?;
        let options = std::ffi::CString::new(options)?;
        mount(
            source,
            target,
            kind,
            MountFlags::empty(),
            options.as_c_str(),
        )
        .map_err(|e| io::Error::other(format!("mounting {target}: {e}")))?;
    }
    for (link, to) in [
        ("/dev/fd", "/proc/self/fd"),
        ("/dev/stdin", "/proc/self/fd/0"),
        ("/dev/stdout", "/proc/self/fd/1"),
        ("/dev/stderr", "/proc/self/fd/2"),
        ("/etc/mtab", "/proc/self/mounts"),
    ] {
        let _ = fs::remove_file(link);
        std::os::unix::fs::symlink(to, link)?;
    }
    // ZFS calls them for the snapshots below `.zfs`; an image of bookworm has none.
    if !Path::new("/usr/bin/mount").exists() {
        fs::write("/usr/bin/mount", MOUNT)?;
        fs::set_permissions("/usr/bin/mount", fs::Permissions::from_mode(0o755))?;
        std::os::unix::fs::symlink("/usr/bin/busybox", "/usr/bin/umount")?;
    }
    fs::create_dir_all("/etc/zfs")?;
    fs::write("/proc/sys/kernel/hostname", "guest")?;
    for (path, value) in PARAMETERS {
        fs::write(path, value).map_err(|e| io::Error::other(format!("setting {path}: {e}")))?;
    }
    Ok(())
}

/// This program again, by its loader when it has one with it.
fn start_resident() -> io::Result<Child> {
    let loader = Path::new("/agent/loader");
    let mut command = if loader.exists() {
        let mut command = Command::new(loader);
        command.args(["--library-path", "/agent", "/agent/ztwin"]);
        command
    } else {
        Command::new("/agent/ztwin")
    };
    command
        .arg("agent")
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .spawn()
}

fn start_shell() -> io::Result<Child> {
    // setsid gives the shell the console as its terminal, for Ctrl-C and job control.
    let mut command = Command::new("setsid");
    command
        .args(["--ctty", "--wait", "bash", "-l"])
        .env_clear()
        .envs(ENVIRONMENT);
    let console = File::options().read(true).write(true).open("/dev/ttyS0")?;
    command
        .stdin(console.try_clone()?)
        .stdout(console.try_clone()?)
        .stderr(console);
    command.current_dir("/root").spawn()
}

/// The port's writing half, shared by the beat, outcomes and pumps.
type Port = Arc<Mutex<File>>;

fn say(port: &Port, reply: &Reply) -> io::Result<()> {
    let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
    wire::send(&mut *port, reply)
}

fn resident() -> io::Result<()> {
    let path = find_port()?;
    let mut hears = File::options().read(true).write(true).open(path)?;
    await_host(&hears)?;
    let port: Port = Arc::new(Mutex::new(hears.try_clone()?));
    let mut pools = KernelPools::open(kernel::Options::in_guest(), Blobs::default())
        .map_err(|e| io::Error::other(e.message))?;
    say(&port, &Reply::Hello(hello()?))?;
    let beats = Arc::clone(&port);
    std::thread::Builder::new()
        .name("beat".into())
        .spawn(move || {
            // Ends with the process, or when the port does.
            while beat(&beats).is_ok() {
                std::thread::sleep(wire::BEAT);
            }
            std::process::exit(0);
        })?;
    // The host closing the port reads as the end of the stream.
    while let Some(frame) = wire::read(&mut hears)? {
        let Frame::Message(bytes) = frame else {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "bytes of no message",
            ));
        };
        match wire::parse(&bytes)? {
            Request::Play {
                commands,
                blobs: count,
            } => {
                for _ in 0..count {
                    pools.add_blob(raw(&mut hears)?.into());
                }
                let mut problem = None;
                let played = pools.play(&commands, &mut |index, printed| {
                    if let Err(e) = say(&port, &Reply::Outcome { index, printed }) {
                        problem = Some(e);
                    }
                });
                if let Some(e) = problem {
                    return Err(e);
                }
                say(&port, &Reply::Played(played.map_err(|e| e.message)))?;
            }
            Request::Job(job) => serve(&job, &mut hears, &port)?,
        }
    }
    Ok(())
}

/// The raw bytes that must follow.
fn raw(hears: &mut File) -> io::Result<Vec<u8>> {
    match wire::read(hears)? {
        Some(Frame::Raw(bytes)) => Ok(bytes),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            "expected raw bytes",
        )),
    }
}

/// Says that this side lives; an error when the host is gone.
fn beat(port: &Port) -> io::Result<()> {
    let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
    if hung_up(&port)? {
        return Err(io::ErrorKind::BrokenPipe.into());
    }
    wire::send(&mut *port, &Reply::Beat)
}

/// The device of the port with our name; the kernel makes it soon after the first process started.
fn find_port() -> io::Result<PathBuf> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        for entry in fs::read_dir("/sys/class/virtio-ports")
            .into_iter()
            .flatten()
        {
            let entry = entry?;
            let name = fs::read_to_string(entry.path().join("name")).unwrap_or_default();
            if name.trim_end() == wire::PORT {
                return Ok(Path::new("/dev").join(entry.file_name()));
            }
        }
        if Instant::now() > deadline {
            return Err(io::Error::other(
                "the machine has no virtio-serial port `ztwin`",
            ));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Waits until the kernel knows that the host's side is open: before, reading would look like the end.
fn await_host(port: &File) -> io::Result<()> {
    let deadline = Instant::now() + Duration::from_secs(10);
    while hung_up(port)? {
        if Instant::now() > deadline {
            return Err(io::Error::other("the host's side of the port is not open"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

fn hung_up(port: &File) -> io::Result<bool> {
    let mut fds = [PollFd::new(port, PollFlags::OUT)];
    poll(
        &mut fds,
        Some(&rustix::event::Timespec {
            tv_sec: 0,
            tv_nsec: 0,
        }),
    )?;
    Ok(fds[0].revents().contains(PollFlags::HUP))
}

fn hello() -> io::Result<Hello> {
    let output = Command::new("zfs").arg("version").output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let after = |prefix| {
        text.lines()
            .find_map(|l| l.strip_prefix(prefix))
            .unwrap_or("")
            .to_owned()
    };
    // `zfs-kmod-` first: `zfs-` is its prefix.
    let module = after("zfs-kmod-");
    Ok(Hello {
        zfs: after("zfs-"),
        module,
        kernel: rustix::system::uname()
            .release()
            .to_string_lossy()
            .into_owned(),
    })
}

/// Runs a program for the host. What goes wrong with it is answered; an error is one of the port.
fn serve(job: &Job, hears: &mut File, port: &Port) -> io::Result<()> {
    let over = Arc::new(AtomicBool::new(false));
    let answer =
        (if job.put { unpack(hears)? } else { Ok(()) }).and_then(|()| run(job, port, &over));
    let ended = answer.is_ok();
    {
        // Under the lock, so that no output comes after the answer.
        let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
        over.store(true, Ordering::Relaxed);
        wire::send(&mut *port, &Reply::JobEnded(answer))?;
    }
    if ended && !job.get.is_empty() {
        pack(&job.get, port)?;
    }
    Ok(())
}

/// Unpacks the tar that follows on the port at `/`; always reads it to its end.
fn unpack(hears: &mut File) -> io::Result<Result<(), String>> {
    let mut tar = Command::new("tar");
    tar.args([
        "--extract",
        "--file=-",
        "--directory=/",
        "--numeric-owner",
        "--xattrs",
    ]);
    let mut child = match tar.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn() {
        Ok(child) => Some(child),
        Err(e) if e.kind() == io::ErrorKind::NotFound => None,
        Err(e) => return Err(e),
    };
    let mut stdin = child.as_mut().and_then(|c| c.stdin.take());
    loop {
        let bytes = raw(hears)?;
        if bytes.is_empty() {
            break;
        }
        // A tar that ended early says why below.
        if let Some(to) = &mut stdin
            && to.write_all(&bytes).is_err()
        {
            stdin = None;
        }
    }
    drop(stdin);
    let Some(child) = child else {
        return Ok(Err("there is no tar in the guest".into()));
    };
    let output = child.wait_with_output()?;
    Ok(if output.status.success() {
        Ok(())
    } else {
        Err(format!(
            "unpacking: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        ))
    })
}

/// Runs the program, streaming what it prints.
fn run(job: &Job, port: &Port, over: &Arc<AtomicBool>) -> Result<u8, String> {
    let [program, arguments @ ..] = &job.argv[..] else {
        return Err("no program to run".into());
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .envs(job.env.iter().map(|(k, v)| (k, v)))
        .current_dir("/");
    // A group of its own: what it leaves running is not disturbed, nor does it disturb.
    command.process_group(0);
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command
        .spawn()
        .map_err(|e| format!("running {program}: {e}"))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let pumps = [
        pump(out, Stream::Out, port, over),
        pump(err, Stream::Err, port, over),
    ];
    let status = child
        .wait()
        .map_err(|e| format!("waiting for {program}: {e}"))?;
    // What it left in the background may hold its streams open for ever: give the pumps a moment.
    let deadline = Instant::now() + Duration::from_secs(5);
    while !pumps.iter().all(JoinHandle::is_finished) && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(code(status))
}

/// The exit code as a shell has it.
fn code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Sends what a stream carries until it ends; once the job is over what still comes is dropped, so
/// that a program in the background is not stopped by a closed pipe.
fn pump(
    from: Option<impl Read + Send + 'static>,
    stream: Stream,
    port: &Port,
    over: &Arc<AtomicBool>,
) -> JoinHandle<()> {
    let (port, over) = (Arc::clone(port), Arc::clone(over));
    std::thread::spawn(move || {
        let Some(mut from) = from else { return };
        let mut buffer = vec![0; 1 << 14];
        while let Ok(n @ 1..) = from.read(&mut buffer) {
            let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
            if !over.load(Ordering::Relaxed) {
                let reply = Reply::Output {
                    stream,
                    bytes: buffer[..n].to_vec(),
                };
                if wire::send(&mut *port, &reply).is_err() {
                    return;
                }
            }
        }
    })
}

/// Sends these paths as a tar, with names relative to `/`; one that is not there is not in it.
fn pack(paths: &[String], port: &Port) -> io::Result<()> {
    let there = paths.iter().filter(|p| fs::symlink_metadata(p).is_ok());
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--file=-",
        "--directory=/",
        "--numeric-owner",
        "--xattrs",
        "--sort=name",
    ]);
    tar.args(["--files-from=/dev/null", "--"])
        .args(there.map(|p| p.trim_start_matches('/')));
    let mut child = tar.stdout(Stdio::piped()).stderr(Stdio::null()).spawn()?;
    let mut from = child.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
    let mut piece = vec![0; wire::PIECE];
    loop {
        let n = from.read(&mut piece)?;
        // Locked for one piece at a time: beats go between.
        let mut port = port.lock().unwrap_or_else(PoisonError::into_inner);
        wire::send_raw(&mut *port, &piece[..n])?;
        if n == 0 {
            break;
        }
    }
    child.wait()?;
    Ok(())
}
