//! A running guest, and how it ends.
//!
//! QEMU is a child of a thread that lives as long as it does, reads its console, and asked the kernel
//! to kill it when that thread dies (`setpriv --pdeathsig`): also after `kill -9` of ztwin no guest is
//! left. The agent listens on a virtio-serial port whose other end is a socket pair, QEMU's standard
//! input; console and complaints come back over pipes. So a running guest has no file on the host.
//!
//! KVM is tried first, with a deadline on the agent's first word, because `/dev/kvm` may open and the
//! guest still dies under it; what worked is remembered in the cache.

use std::collections::VecDeque;
use std::fs;
use std::io::{Read, Write};
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use super::image::{Cache, Image, Spec};
use super::loader::Files;
use super::wire::{self, Frame, Hello, Job, Reply, Request, Stream};
use super::{Error, build};
use crate::pools::{Blobs, Command as Step, Printed};

/// What QEMU runs the guest's code with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Accel {
    /// The host's processor, by `/dev/kvm`.
    Kvm,
    /// Software emulation, about ten times slower.
    Tcg,
}

impl Accel {
    fn arguments(self) -> [&'static str; 4] {
        match self {
            Accel::Kvm => ["-accel", "kvm", "-cpu", "host"],
            // Without cmpxchg16b: QEMU 7.2 leaves garbage in the flags register after it, of which the
            // guest's kernel dies sooner or later. Without five-level page tables: walks are shorter.
            // Without fast string operations: they are emulated byte by byte, and the kernel then copies
            // by words.
            Accel::Tcg => [
                "-accel",
                "tcg,thread=multi",
                "-cpu",
                "max,cx16=off,la57=off,erms=off,fsrm=off",
            ],
        }
    }

    fn text(self) -> &'static str {
        match self {
            Accel::Kvm => "KVM",
            Accel::Tcg => "software emulation",
        }
    }
}

/// How a guest is started and how long things may take.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where the image is.
    pub cache: Cache,
    /// The executable that becomes the agent: a ztwin.
    pub agent: PathBuf,
    /// The program that runs guests.
    pub qemu: String,
    /// Until the agent's first word under KVM.
    pub kvm: Duration,
    /// Until the agent's first word under software emulation.
    pub boot: Duration,
    /// Without any word from a running agent; it says one every second.
    pub silence: Duration,
    /// For one step of a trace, or between two outputs of a program.
    pub step: Duration,
}

impl Options {
    /// The user's cache and this very program as the agent.
    pub fn of_user() -> Result<Options, Error> {
        // That is this very program also when its file was replaced by a newer build meanwhile.
        let me = PathBuf::from(format!("/proc/{}/exe", std::process::id()));
        Ok(Options::new(Cache::of_user()?, me))
    }

    /// The usual deadlines.
    #[must_use]
    pub fn new(cache: Cache, agent: PathBuf) -> Options {
        Options {
            cache,
            agent,
            qemu: build::QEMU.to_owned(),
            kvm: Duration::from_secs(15),
            boot: Duration::from_secs(180),
            silence: Duration::from_secs(60),
            step: Duration::from_secs(600),
        }
    }
}

/// What was learnt about KVM on this host, kept in the cache as `accel.json`.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Learnt {
    accel: Accel,
    /// The host's kernel: on another one KVM is tried again.
    host: String,
}

fn host_kernel() -> String {
    rustix::system::uname()
        .release()
        .to_string_lossy()
        .into_owned()
}

fn learnt(cache: &Cache) -> Option<Accel> {
    let text = fs::read(cache.dir().join("accel.json")).ok()?;
    let learnt: Learnt = serde_json::from_slice(&text).ok()?;
    (learnt.host == host_kernel()).then_some(learnt.accel)
}

/// Remembers; a cache that cannot be written only costs the next start its deadline.
fn remember(cache: &Cache, accel: Accel) {
    let learnt = Learnt {
        accel,
        host: host_kernel(),
    };
    let Ok(text) = serde_json::to_vec(&learnt) else {
        return;
    };
    let temp = cache.dir().join(format!(".accel.{}", std::process::id()));
    if fs::write(&temp, text)
        .and_then(|()| fs::rename(&temp, cache.dir().join("accel.json")))
        .is_err()
    {
        let _ = fs::remove_file(&temp);
    }
}

/// What the host hears of a guest.
enum Event {
    Reply(Reply),
    Raw(Vec<u8>),
    /// The port is closed, or says what no agent says.
    Closed(Option<std::io::Error>),
}

/// A guest that is up.
#[derive(Debug)]
pub struct Guest {
    spec: Spec,
    hello: Hello,
    accel: Accel,
    took: Duration,
    process: Process,
    silence: Duration,
    step: Duration,
}

/// A QEMU process with its threads.
#[derive(Debug)]
struct Process {
    pid: Pid,
    port: UnixStream,
    events: Receiver<Event>,
    console: Arc<Mutex<Console>>,
    keeper: Option<JoinHandle<std::io::Result<ExitStatus>>>,
}

/// The last lines of the console and of QEMU's standard error.
#[derive(Debug, Default)]
struct Console {
    lines: VecDeque<String>,
    rest: String,
}

impl Console {
    /// Enough for a panic with its trace.
    const LINES: usize = 200;

    fn push(&mut self, bytes: &[u8]) {
        self.rest.push_str(&String::from_utf8_lossy(bytes));
        while let Some(end) = self.rest.find('\n') {
            let line: String = self.rest.drain(..=end).collect();
            self.line(&line);
        }
    }

    fn line(&mut self, line: &str) {
        let line = plain(line);
        if line.is_empty() {
            return;
        }
        if self.lines.len() == Self::LINES {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines: from the first sign of an oops on when there is one.
    fn tail(&self) -> String {
        const SHOWN: usize = 16;
        const SIGNS: [&str; 5] = ["BUG: ", "Oops: ", "VERIFY", "PANIC: ", "Kernel panic - "];
        let mut all: Vec<&str> = self.lines.iter().map(String::as_str).collect();
        let rest = plain(&self.rest);
        if !rest.is_empty() {
            all.push(&rest);
        }
        let sign = all
            .iter()
            .position(|line| SIGNS.iter().any(|sign| line.contains(sign)));
        let from = sign.unwrap_or(all.len().saturating_sub(SHOWN));
        let mut shown = all[from..].to_vec();
        if shown.len() > SHOWN {
            // The first lines name the cause; the last one says that it was a panic.
            let panic = shown
                .iter()
                .rev()
                .find(|line| line.contains("Kernel panic - "))
                .copied();
            shown.truncate(SHOWN - usize::from(panic.is_some()));
            shown.extend(panic);
        }
        shown.join("\n")
    }

    fn panicked(&self) -> bool {
        self.lines
            .iter()
            .any(|line| line.contains("Kernel panic - not syncing"))
    }
}

/// A console line without control sequences, the kernel's time stamp and blanks at its end.
fn plain(line: &str) -> String {
    let line = console::strip_ansi_codes(line);
    let line: String = line.chars().filter(|c| !c.is_control()).collect();
    let line = line.trim_end();
    let stamped = line
        .strip_prefix('[')
        .and_then(|rest| rest.split_once("] "));
    match stamped {
        Some((stamp, text))
            if stamp
                .chars()
                .all(|c| c.is_ascii_digit() || c == '.' || c == ' ') =>
        {
            text.to_owned()
        }
        _ => line.to_owned(),
    }
}

/// A comma in the value of a QEMU option is doubled.
fn option(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// The command line that runs an image; without what differs between a guest with an agent and one
/// with a terminal.
fn qemu(program: &str, image: &Image, files: &Files, accel: Accel, parameters: &str) -> Command {
    let mut qemu = Command::new("setpriv");
    qemu.args(["--pdeathsig", "KILL", "--", program])
        .args(accel.arguments());
    // One processor: with two, the order of what threads do to a pool is not reproducible.
    qemu.args(["-smp", "1", "-m", &image.spec.memory_mib().to_string()]);
    qemu.args([
        "-nodefaults",
        "-no-user-config",
        "-display",
        "none",
        "-no-reboot",
    ]);
    qemu.arg("-kernel").arg(image.dir.join("vmlinuz"));
    qemu.arg("-initrd").arg(image.dir.join("initrd"));
    let disks = files.named();
    let names: Vec<_> = disks.iter().map(|(name, _)| name.as_str()).collect();
    qemu.arg("-append").arg(format!(
        "console=ttyS0 panic=-1 oops=panic quiet ztwin.files={}{parameters}",
        names.join(",")
    ));
    let root = image.dir.join("root.squashfs");
    for disk in std::iter::once(root.as_path()).chain(disks.iter().map(|(_, path)| *path)) {
        // Nobody writes to it; a lock could not be had on every file system.
        qemu.arg("-drive").arg(format!(
            "file={},format=raw,if=virtio,readonly=on,file.locking=off",
            option(disk)
        ));
    }
    qemu.args(["-device", "virtio-rng-pci"]);
    qemu
}

impl Process {
    fn start(program: &str, image: &Image, files: &Files, accel: Accel) -> Result<Process, Error> {
        let failed = |what: &str| {
            let what = what.to_owned();
            move |source| Error::Io { what, source }
        };
        let (port, theirs) = UnixStream::pair().map_err(failed("making the guest's socket"))?;
        let mut qemu = qemu(program, image, files, accel, "");
        qemu.args([
            "-chardev",
            "file,id=console,path=/dev/stdout",
            "-serial",
            "chardev:console",
        ]);
        qemu.args([
            "-device",
            "virtio-serial-pci",
            "-chardev",
            "socket,id=agent,fd=0",
        ]);
        qemu.arg("-device")
            .arg(format!("virtserialport,chardev=agent,name={}", wire::PORT));
        qemu.stdin(OwnedFd::from(theirs))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        // A Ctrl-C on the terminal is for ztwin, which then ends the guest.
        qemu.process_group(0);

        let console = Arc::new(Mutex::new(Console::default()));
        let (started, start) = channel();
        let for_keeper = Arc::clone(&console);
        let keeper = std::thread::Builder::new()
            .name("guest".into())
            .spawn(move || run(qemu, &for_keeper, &started))
            .map_err(failed("starting a thread"))?;
        // The keeper always sends first.
        let pid = start
            .recv()
            .map_err(std::io::Error::other)
            .and_then(|pid| pid)
            .map_err(failed("starting setpriv, which starts QEMU"))?;
        let (said, events) = channel();
        let mut hears = port
            .try_clone()
            .map_err(failed("making the guest's socket"))?;
        std::thread::Builder::new()
            .name("guest's port".into())
            .spawn(move || listen(&mut hears, &said))
            .map_err(failed("starting a thread"))?;
        Ok(Process {
            pid,
            port,
            events,
            console,
            keeper: Some(keeper),
        })
    }

    fn next(&self, deadline: Instant) -> Result<Event, RecvTimeoutError> {
        self.events
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
    }

    fn with_console<T>(&self, f: impl FnOnce(&Console) -> T) -> T {
        f(&self.console.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn tail(&self) -> String {
        self.with_console(Console::tail)
    }

    /// Waits for the end of a QEMU that should end by itself soon, and kills it otherwise.
    fn end(&mut self, patience: Duration) -> Option<ExitStatus> {
        let keeper = self.keeper.take()?;
        let deadline = Instant::now() + patience;
        while !keeper.is_finished() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        if !keeper.is_finished() {
            // It has not been waited for, so the number is still its own.
            let _ = kill_process(self.pid, Signal::KILL);
        }
        let _ = self.port.shutdown(Shutdown::Both);
        keeper.join().ok()?.ok()
    }

    /// Why a guest that closed its port is gone.
    fn gone(&mut self, spec: &Spec, strange: Option<std::io::Error>) -> Error {
        // A panicking kernel prints for a moment before it resets the machine.
        let status = self.end(Duration::from_secs(10));
        let id = spec.to_string();
        let console = self.tail();
        if self.with_console(Console::panicked) {
            return Error::Panicked { id, console };
        }
        let what = match (strange, status) {
            (Some(error), _) => format!("its agent's messages cannot be read: {error}"),
            (None, Some(status)) => format!("QEMU ended with {status}"),
            (None, None) => "QEMU's end was not seen".to_owned(),
        };
        Error::Ended { id, what, console }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end(Duration::ZERO);
    }
}

/// The keeper: starts QEMU, reads its console to the end and waits for it.
fn run(
    mut qemu: Command,
    console: &Arc<Mutex<Console>>,
    started: &Sender<std::io::Result<Pid>>,
) -> std::io::Result<ExitStatus> {
    let mut child = match qemu.spawn() {
        Ok(child) => child,
        Err(e) => {
            let _ = started.send(Err(e));
            return Err(std::io::Error::other("not started"));
        }
    };
    // Its half of the socket pair must be closed here, or the end of the guest is never heard.
    drop(qemu);
    let pid = Pid::from_child(&child);
    let stderr = child.stderr.take();
    let for_stderr = Arc::clone(console);
    let complaints = std::thread::spawn(move || drain(stderr, &for_stderr));
    let _ = started.send(Ok(pid));
    drain(child.stdout.take(), console);
    let status = child.wait();
    let _ = complaints.join();
    status
}

fn drain(from: Option<impl Read>, console: &Mutex<Console>) {
    let Some(mut from) = from else { return };
    let mut buffer = [0; 4096];
    while let Ok(n) = from.read(&mut buffer) {
        if n == 0 {
            return;
        }
        console
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(&buffer[..n]);
    }
}

fn listen(port: &mut UnixStream, said: &Sender<Event>) {
    use std::io::ErrorKind::{ConnectionReset, UnexpectedEof};
    loop {
        let event = match wire::read(port) {
            Ok(Some(Frame::Message(bytes))) => match wire::parse(&bytes) {
                Ok(reply) => Event::Reply(reply),
                Err(e) => Event::Closed(Some(e)),
            },
            Ok(Some(Frame::Raw(bytes))) => Event::Raw(bytes),
            Ok(None) => Event::Closed(None),
            // A guest that is reset in the middle of a word has ended, not said something strange.
            Err(e) if matches!(e.kind(), UnexpectedEof | ConnectionReset) => Event::Closed(None),
            Err(e) => Event::Closed(Some(e)),
        };
        let last = matches!(event, Event::Closed(_));
        if said.send(event).is_err() || last {
            return;
        }
    }
}

impl Guest {
    /// Starts the guest of an image and waits for its agent's first word. `notice` gets sentences for
    /// people.
    pub fn start(
        spec: &Spec,
        options: &Options,
        notice: &mut dyn FnMut(&str),
    ) -> Result<Guest, Error> {
        build::check_host(&[&options.qemu, "setpriv"])?;
        let image = options.cache.open(spec)?;
        let files = Files::of(&options.agent)?;
        let mut problem = None;
        if learnt(&options.cache) != Some(Accel::Tcg) {
            if fs::File::options()
                .read(true)
                .write(true)
                .open("/dev/kvm")
                .is_err()
            {
                problem = Some("/dev/kvm cannot be opened".to_owned());
            } else {
                match Guest::with(&image, &files, Accel::Kvm, options) {
                    Ok(guest) => {
                        remember(&options.cache, Accel::Kvm);
                        notice(&guest.introduction());
                        return Ok(guest);
                    }
                    Err(Error::Boot { what, .. } | Error::Ended { what, .. }) => {
                        problem = Some(format!("no guest under KVM: {what}"));
                    }
                    Err(Error::Panicked { .. }) => {
                        problem = Some("the guest's kernel panicked under KVM".to_owned());
                    }
                    Err(other) => return Err(other),
                }
            }
        }
        if let Some(problem) = problem {
            notice(&format!("{problem}; using software emulation"));
        }
        let guest = Guest::with(&image, &files, Accel::Tcg, options)?;
        remember(&options.cache, Accel::Tcg);
        notice(&guest.introduction());
        Ok(guest)
    }

    fn with(image: &Image, files: &Files, accel: Accel, options: &Options) -> Result<Guest, Error> {
        let began = Instant::now();
        let patience = if accel == Accel::Kvm {
            options.kvm
        } else {
            options.boot
        };
        let mut process = Process::start(&options.qemu, image, files, accel)?;
        let id = || image.spec.to_string();
        loop {
            match process.next(began + patience) {
                Ok(Event::Reply(Reply::Hello(hello))) => {
                    super::image::line_of(&hello.module, &format!("the guest {}", image.spec))?;
                    return Ok(Guest {
                        spec: image.spec.clone(),
                        hello,
                        accel,
                        took: began.elapsed(),
                        process,
                        silence: options.silence,
                        step: options.step,
                    });
                }
                Ok(Event::Reply(_) | Event::Raw(_)) => {}
                Ok(Event::Closed(strange)) => {
                    return Err(match process.gone(&image.spec, strange) {
                        Error::Ended { id, what, console } => Error::Boot { id, what, console },
                        other => other,
                    });
                }
                Err(_) => {
                    let what = format!("no word from its agent within {} s", patience.as_secs());
                    return Err(Error::Boot {
                        id: id(),
                        what,
                        console: process.tail(),
                    });
                }
            }
        }
    }

    /// What runs in it.
    #[must_use]
    pub fn hello(&self) -> &Hello {
        &self.hello
    }

    /// What it runs with.
    #[must_use]
    pub fn accel(&self) -> Accel {
        self.accel
    }

    /// QEMU's process number.
    #[must_use]
    pub fn process(&self) -> i32 {
        self.process.pid.as_raw_nonzero().get()
    }

    fn introduction(&self) -> String {
        let Hello { module, kernel, .. } = &self.hello;
        let mut text = format!(
            "guest {}: OpenZFS {module} on Linux {kernel}, {}, up in {:.1} s",
            self.spec,
            self.accel.text(),
            self.took.as_secs_f32()
        );
        if let Some(newer) = super::image::newer_than_recorded(module) {
            text.push('\n');
            text.push_str(&newer);
        }
        text
    }

    /// Runs a whole trace with what it needs of `blobs`; `seen` gets each outcome with its index as it
    /// comes.
    pub fn play(
        &mut self,
        commands: &[Step],
        blobs: &Blobs,
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Error> {
        let blobs = blobs.needed(commands);
        self.send(&Request::Play {
            commands: commands.to_vec(),
            blobs: blobs.len(),
        })?;
        for blob in blobs {
            self.tell(|port| wire::send_raw(port, &blob))?;
        }
        let mut done = 0;
        loop {
            let waits = || {
                let step = commands
                    .get(done)
                    .map_or("the clean-up after the last step".into(), |c| {
                        format!("step {} of the trace, `{}`", done + 1, c.words.join(" "))
                    });
                format!("no end of {step}")
            };
            match self.next(waits)? {
                Event::Reply(Reply::Outcome { index, printed }) => {
                    done = index + 1;
                    seen(index, printed);
                }
                Event::Reply(Reply::Played(Ok(()))) => return Ok(()),
                Event::Reply(Reply::Played(Err(what))) => {
                    return Err(Error::Agent {
                        id: self.spec.to_string(),
                        what,
                    });
                }
                other => return Err(self.unexpected(&other)),
            }
        }
    }

    /// Runs a program: `put` is a tar that is unpacked at `/` before, `output` gets what it prints,
    /// `get` the tar of [`Job::get`] after it has ended. The program's exit code, 128 + N for signal N.
    pub fn run(
        &mut self,
        job: &Job,
        put: Option<&mut dyn Read>,
        output: &mut dyn FnMut(Stream, &[u8]),
        get: Option<&mut dyn Write>,
    ) -> Result<u8, Error> {
        let job = Job {
            put: put.is_some(),
            ..job.clone()
        };
        self.send(&Request::Job(job.clone()))?;
        if let Some(put) = put {
            let mut piece = vec![0; wire::PIECE];
            loop {
                let n = put
                    .read(&mut piece)
                    .map_err(Error::io("reading the tar for the guest"))?;
                self.tell(|port| wire::send_raw(port, &piece[..n]))?;
                if n == 0 {
                    break;
                }
            }
        }
        let waits = || format!("nothing from `{}`", job.argv.join(" "));
        let code = loop {
            match self.next(waits)? {
                Event::Reply(Reply::Output { stream, bytes }) => output(stream, &bytes),
                Event::Reply(Reply::JobEnded(Ok(code))) => break code,
                Event::Reply(Reply::JobEnded(Err(what))) => {
                    return Err(Error::Agent {
                        id: self.spec.to_string(),
                        what,
                    });
                }
                other => return Err(self.unexpected(&other)),
            }
        };
        if !job.get.is_empty() {
            let mut sink = std::io::sink();
            let get: &mut dyn Write = get.unwrap_or(&mut sink);
            loop {
                match self.next(|| "the rest of a tar did not come".to_owned())? {
                    Event::Raw(bytes) if bytes.is_empty() => break,
                    Event::Raw(bytes) => {
                        get.write_all(&bytes)
                            .map_err(Error::io("writing the tar from the guest"))?;
                    }
                    other => return Err(self.unexpected(&other)),
                }
            }
        }
        Ok(code)
    }

    fn send(&mut self, request: &Request) -> Result<(), Error> {
        self.tell(|port| wire::send(port, request))
    }

    fn tell(
        &mut self,
        say: impl FnOnce(&mut UnixStream) -> std::io::Result<()>,
    ) -> Result<(), Error> {
        // A guest that takes nothing any more is as hung as one that says nothing.
        let timeout = self.process.port.set_write_timeout(Some(self.silence));
        match timeout.and_then(|()| say(&mut self.process.port)) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => Err(self.hung(format!(
                "it took no message for {} s",
                self.silence.as_secs()
            ))),
            Err(_) => Err(self.process.gone(&self.spec, None)),
        }
    }

    /// The next event that is no beat.
    fn next(&mut self, waits: impl FnOnce() -> String) -> Result<Event, Error> {
        let step = Instant::now() + self.step;
        loop {
            let silence = Instant::now() + self.silence;
            match self.process.next(silence.min(step)) {
                Ok(Event::Reply(Reply::Beat)) if Instant::now() < step => {}
                Ok(Event::Reply(Reply::Beat)) => {
                    let what = format!(
                        "{} within {} s, though it is alive",
                        waits(),
                        self.step.as_secs()
                    );
                    return Err(self.hung(what));
                }
                Ok(Event::Closed(strange)) => return Err(self.process.gone(&self.spec, strange)),
                Ok(event) => return Ok(event),
                Err(RecvTimeoutError::Disconnected) => {
                    return Err(self.process.gone(&self.spec, None));
                }
                Err(RecvTimeoutError::Timeout) if Instant::now() >= silence => {
                    let what = format!(
                        "{}, and no sign of life for {} s",
                        waits(),
                        self.silence.as_secs()
                    );
                    return Err(self.hung(what));
                }
                // The step's time is over: the next beat tells that the guest is alive.
                Err(RecvTimeoutError::Timeout) => {
                    let what = format!("{} within {} s", waits(), self.step.as_secs());
                    return Err(self.hung(what));
                }
            }
        }
    }

    fn hung(&mut self, what: String) -> Error {
        let console = self.process.tail();
        self.process.end(Duration::ZERO);
        Error::Hung {
            id: self.spec.to_string(),
            what,
            console,
        }
    }

    fn unexpected(&mut self, event: &Event) -> Error {
        let what = match event {
            Event::Reply(reply) => format!("an unexpected message: {reply:?}"),
            Event::Raw(bytes) => format!("{} unexpected bytes", bytes.len()),
            Event::Closed(_) => "an unexpected end".to_owned(),
        };
        self.process.end(Duration::ZERO);
        Error::Agent {
            id: self.spec.to_string(),
            what,
        }
    }
}

/// Boots an image with its console on this terminal; returns when the guest has ended.
pub fn shell(spec: &Spec, options: &Options, notice: &mut dyn FnMut(&str)) -> Result<(), Error> {
    // Which accelerator works is known after one start.
    let accel = match learnt(&options.cache) {
        Some(accel) => accel,
        None => Guest::start(spec, options, notice)?.accel(),
    };
    build::check_host(&[&options.qemu, "setpriv"])?;
    let image = options.cache.open(spec)?;
    let files = Files::of(&options.agent)?;
    notice(&format!(
        "guest {spec} with {}: `exit` or Ctrl-A X ends it, and everything in it is gone",
        accel.text()
    ));
    let mut qemu = qemu(&options.qemu, &image, &files, accel, " ztwin.shell");
    qemu.args(["-serial", "mon:stdio"]);
    let mut child = qemu
        .spawn()
        .map_err(Error::io("starting setpriv, which starts QEMU"))?;
    let status = child.wait().map_err(Error::io("waiting for QEMU"))?;
    if status.success() {
        return Ok(());
    }
    let what = format!("QEMU ended with {status}");
    Err(Error::Ended {
        id: spec.to_string(),
        what,
        console: String::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn console_lines_lose_time_stamps_and_control_sequences() {
        assert_eq!(plain("\u{1b}c\u{1b}[2J[   12.345678] hello \r\n"), "hello");
        assert_eq!(plain("[not a stamp] x"), "[not a stamp] x");
    }

    #[test]
    fn a_panic_is_shown_from_its_cause_to_its_name() {
        let mut console = Console::default();
        for i in 0..300 {
            console.push(format!("[    1.0{i}] boring {i}\n").as_bytes());
        }
        assert_eq!(console.tail().lines().count(), 16);
        assert!(!console.panicked());
        console.push(b"[    2.0] BUG: kernel NULL pointer dereference\n[    2.0] Oo");
        console.push(b"ps: 0000\n");
        for i in 0..40 {
            console.push(format!("[    2.1] frame {i}\n").as_bytes());
        }
        console.push(b"[    2.2] Kernel panic - not syncing: Fatal exception\n[    2.3] Rebooting");
        let tail = console.tail();
        let lines: Vec<_> = tail.lines().collect();
        assert_eq!(lines[0], "BUG: kernel NULL pointer dereference");
        assert_eq!(lines[1], "Oops: 0000");
        assert_eq!(lines[15], "Kernel panic - not syncing: Fatal exception");
        assert_eq!(lines.len(), 16);
        assert!(console.panicked());
    }

    #[test]
    fn what_was_learnt_on_another_kernel_is_not_believed() {
        let temp = tempfile::tempdir().unwrap();
        let cache = Cache::at(temp.path().to_path_buf());
        assert_eq!(learnt(&cache), None);
        remember(&cache, Accel::Tcg);
        assert_eq!(learnt(&cache), Some(Accel::Tcg));
        fs::write(
            temp.path().join("accel.json"),
            br#"{"accel":"tcg","host":"other"}"#,
        )
        .unwrap();
        assert_eq!(learnt(&cache), None);
    }
}
