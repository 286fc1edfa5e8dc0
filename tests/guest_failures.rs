//! Every way in which building and running a guest can fail: with programs in place of QEMU, mmdebstrap
//! and mksquashfs that fail on purpose, so that these tests run on any Linux.

use std::collections::BTreeMap;
use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tempfile::TempDir;
use ztwin::guest::Error;
use ztwin::guest::boot::{Guest, Options};
use ztwin::guest::image::{Cache, FileInfo, Info, LAYOUT};
use ztwin::guest::wire::{self, Hello, Job, Reply};
use ztwin::pools::{self, Blobs, End, GuestPools, Pools};

/// A directory with a cache and a directory of programs that come first on the PATH.
struct World {
    temp: TempDir,
}

impl World {
    fn new() -> World {
        let world = World {
            temp: tempfile::tempdir().unwrap(),
        };
        fs::create_dir(world.bin()).unwrap();
        // Installed packages are not what these tests are about.
        for program in ["xz", "newuidmap", "qemu-system-x86_64"] {
            world.program(program, "exit 1");
        }
        world.program("mksquashfs", "exec cat > \"$2\"");
        world
    }

    fn at(&self, name: &str) -> PathBuf {
        self.temp.path().join(name)
    }

    fn bin(&self) -> PathBuf {
        self.at("bin")
    }

    fn cache(&self) -> PathBuf {
        self.at("cache")
    }

    /// Makes a program of this shell script; it writes its process number to the file NAME.pid.
    fn program(&self, name: &str, script: &str) -> PathBuf {
        let path = self.bin().join(name);
        let (source, pid) = (self.at("script"), self.at(&format!("{name}.pid")));
        let text = format!("#!/bin/sh\necho $$ > '{}'\n{script}\n", pid.display());
        fs::write(&source, text).unwrap();
        fs::set_permissions(&source, fs::Permissions::from_mode(0o755)).unwrap();
        // Written by another process: a file that this one writes may be open in a child that another
        // test's thread forks just then, and cannot be run meanwhile.
        let copied = Command::new("cp")
            .arg("--remove-destination")
            .args([&source, &path])
            .status();
        assert!(copied.unwrap().success());
        path
    }

    /// The process number that a program wrote, as soon as it did.
    fn pid(&self, name: &str) -> Pid {
        let path = self.at(&format!("{name}.pid"));
        let mut pid = None;
        wait_until(&format!("{name} starts"), || {
            pid = fs::read_to_string(&path)
                .ok()
                .and_then(|text| text.trim().parse().ok());
            pid.is_some()
        });
        Pid::from_raw(pid.unwrap()).unwrap()
    }

    fn ztwin(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_ztwin"));
        let path = format!(
            "{}:{}",
            self.bin().display(),
            std::env::var("PATH").unwrap()
        );
        command
            .args(args)
            .env("PATH", path)
            .env("ZTWIN_CACHE", self.cache());
        command.current_dir(self.temp.path());
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// What the cache holds besides locks.
    fn cached(&self) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.cache())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !name.contains(".lock"))
            .collect();
        names.sort();
        names
    }

    /// An image as a build leaves it, of files that nothing boots.
    fn image(&self) -> PathBuf {
        let dir = self.cache().join("trixie");
        fs::create_dir_all(&dir).unwrap();
        let mut files = BTreeMap::new();
        for name in ["root.squashfs", "vmlinuz", "initrd"] {
            fs::write(dir.join(name), name).unwrap();
            let blake3 = blake3::hash(name.as_bytes()).to_hex().to_string();
            files.insert(
                name.to_owned(),
                FileInfo {
                    size: name.len() as u64,
                    blake3,
                },
            );
        }
        let info = Info {
            layout: LAYOUT,
            image: "trixie".into(),
            suite: "trixie".into(),
            openzfs: "2.3.9-0+deb13u1".into(),
            kernel: "6.12".into(),
            built: "2026-11-21T00:00:00Z".into(),
            packages: BTreeMap::new(),
            files,
        };
        fs::write(dir.join("image.json"), serde_json::to_vec(&info).unwrap()).unwrap();
        dir
    }

    /// Options under which this script is QEMU. `$hello` in it says the agent's first word.
    fn options(&self, script: &str) -> Options {
        self.image();
        let hello = self.first_word("2.3.9-0+deb13u1");
        let script = script.replace("$hello", &format!("cat '{}' >&0", hello.display()));
        let qemu = self.program("qemu-system-x86_64", &script);
        let mut options = Options::new(Cache::at(self.cache()), std::env::current_exe().unwrap());
        options.qemu = qemu.display().to_string();
        options.kvm = Duration::from_secs(1);
        options.boot = Duration::from_secs(1);
        options.silence = Duration::from_secs(1);
        options
    }

    fn first_word(&self, version: &str) -> PathBuf {
        let hello = Hello {
            zfs: version.into(),
            module: version.into(),
            kernel: "6.12".to_owned(),
        };
        let path = self.at("hello");
        let mut bytes = Vec::new();
        wire::send(&mut bytes, &Reply::Hello(hello)).unwrap();
        fs::write(&path, bytes).unwrap();
        path
    }

    fn assert_gone(&self, program: &str) {
        let pid = self.pid(program);
        wait_until(&format!("{program} has ended"), || {
            test_kill_process(pid).is_err()
        });
    }
}

fn start(options: &Options) -> Result<Guest, Error> {
    Guest::start(&"trixie".parse().unwrap(), options, &mut |_| {})
}

fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !done() {
        assert!(Instant::now() < deadline, "not within 20 s: {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn finish(child: Child) -> (Option<i32>, String) {
    let output = child.wait_with_output().unwrap();
    (output.status.code(), text(&output))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn step(line: &str) -> pools::Command {
    pools::Command {
        words: line.split(' ').map(str::to_owned).collect(),
        ..pools::Command::default()
    }
}

// ---- Running ----

#[test]
fn without_qemu_the_package_is_named() {
    let world = World::new();
    world.image();
    fs::write(world.at("a.trace"), "  $ zfs list\n").unwrap();
    let nothing = world.at("nothing");
    fs::create_dir(&nothing).unwrap();
    let output = world
        .ztwin(&["diff", "--pool", "vm:trixie", "a.trace"])
        .env("PATH", &nothing)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(
        said.contains("missing on this host: qemu-system-x86_64, setpriv"),
        "{said}"
    );
    assert!(
        said.contains("apt-get install --no-install-recommends qemu-system-x86 util-linux"),
        "{said}"
    );
}

#[test]
fn without_an_image_the_command_that_builds_it_is_named() {
    let world = World::new();
    fs::write(world.at("a.trace"), "  $ zfs list\n").unwrap();
    for (pool, line) in [
        ("vm:trixie", "ztwin vm build trixie"),
        (
            "vm:bookworm-docker",
            "ztwin vm build bookworm --with docker",
        ),
    ] {
        let output = world
            .ztwin(&["diff", "--pool", pool, "a.trace"])
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(3));
        assert!(text(&output).contains(line), "{}", text(&output));
    }
}

#[test]
fn a_truncated_image_is_not_booted() {
    let world = World::new();
    let dir = world.image();
    fs::write(world.at("a.trace"), "  $ zfs list\n").unwrap();
    fs::write(dir.join("root.squashfs"), "root").unwrap();
    let output = world
        .ztwin(&["diff", "--pool", "vm:trixie", "a.trace"])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(
        said.contains("root.squashfs has 4 bytes, 13 were built"),
        "{said}"
    );
    assert!(said.contains("ztwin vm build trixie --force"), "{said}");
    assert!(!world.at("qemu-system-x86_64.pid").exists());
}

#[test]
fn what_qemu_complains_about_is_shown() {
    let world = World::new();
    let options = world.options("echo 'qemu: no such machine' >&2; exit 1");
    let error = start(&options).unwrap_err();
    assert!(matches!(error, Error::Boot { .. }), "{error}");
    let said = error.to_string();
    assert!(
        said.contains("exit status: 1") && said.contains("| qemu: no such machine"),
        "{said}"
    );
}

#[test]
fn a_guest_without_a_first_word_is_given_up_and_gone() {
    let world = World::new();
    let options = world.options("echo 'booting'; exec sleep 1000");
    let said = start(&options).unwrap_err().to_string();
    assert!(said.contains("no word from its agent within 1 s"), "{said}");
    assert!(said.contains("| booting"), "{said}");
    world.assert_gone("qemu-system-x86_64");
}

#[test]
fn a_guest_under_which_kvm_fails_is_emulated_and_that_is_remembered() {
    let world = World::new();
    let script = "case \"$*\" in *tcg*) $hello; exec cat >/dev/null;; esac; exit 1";
    let options = world.options(script);
    let mut notices = Vec::new();
    let spec = "trixie".parse().unwrap();
    let guest = Guest::start(&spec, &options, &mut |text| notices.push(text.to_owned())).unwrap();
    let said = notices.join("\n");
    assert!(said.contains("using software emulation"), "{said}");
    assert!(
        said.contains("OpenZFS 2.3.9-0+deb13u1 on Linux 6.12, software emulation"),
        "{said}"
    );
    drop(guest);
    world.assert_gone("qemu-system-x86_64");
    notices.clear();
    let _guest = Guest::start(&spec, &options, &mut |text| notices.push(text.to_owned())).unwrap();
    assert_eq!(notices.len(), 1, "KVM is not tried again: {notices:?}");
}

#[test]
fn an_unknown_release_line_in_the_guest_is_refused() {
    let world = World::new();
    let options = world.options("$hello; exec sleep 1000");
    world.first_word("2.2.7-2");
    let error = start(&options).unwrap_err();
    assert!(matches!(error, Error::Line { .. }), "{error}");
    world.assert_gone("qemu-system-x86_64");
}

#[test]
fn a_guest_that_falls_silent_hangs_and_is_stopped() {
    let world = World::new();
    let mut guest = start(&world.options("$hello; exec sleep 1000")).unwrap();
    let error = guest
        .play(&[step("zfs list")], &Blobs::default(), &mut |_, _| {})
        .unwrap_err();
    assert!(matches!(error, Error::Hung { .. }), "{error}");
    let said = error.to_string();
    assert!(said.contains("step 1 of the trace, `zfs list`"), "{said}");
    assert!(said.contains("no sign of life for 1 s"), "{said}");
    world.assert_gone("qemu-system-x86_64");
}

#[test]
fn a_step_that_never_ends_in_a_living_guest_is_told_from_silence() {
    let world = World::new();
    let beat = world.at("beat");
    let mut bytes = Vec::new();
    wire::send(&mut bytes, &Reply::Beat).unwrap();
    fs::write(&beat, bytes).unwrap();
    let beats = format!(
        "$hello; while cat '{}' >&0; do sleep 0.1; done",
        beat.display()
    );
    let mut options = world.options(&beats);
    options.step = Duration::from_secs(1);
    let mut guest = start(&options).unwrap();
    let error = guest
        .play(&[step("zfs list")], &Blobs::default(), &mut |_, _| {})
        .unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("within 1 s") && !said.contains("no sign of life"),
        "{said}"
    );
    world.assert_gone("qemu-system-x86_64");
}

#[test]
fn a_guest_that_ends_by_itself_is_reported_with_its_console() {
    let world = World::new();
    let script = "$hello; head -c 4 >/dev/null; echo 'some trouble'; exit 7";
    let mut guest = start(&world.options(script)).unwrap();
    let job = Job {
        argv: vec!["true".into()],
        ..Job::default()
    };
    let error = guest.run(&job, None, &mut |_, _| {}, None).unwrap_err();
    let said = error.to_string();
    assert!(
        said.contains("ended: QEMU ended with exit status: 7"),
        "{said}"
    );
    assert!(said.contains("| some trouble"), "{said}");
}

#[test]
fn an_agent_that_says_what_no_agent_says_is_reported() {
    let world = World::new();
    let script = "$hello; printf '\\000\\000\\000\\003abc' >&0; exec sleep 1000";
    let mut guest = start(&world.options(script)).unwrap();
    let error = guest
        .play(&[step("zfs list")], &Blobs::default(), &mut |_, _| {})
        .unwrap_err();
    assert!(
        error.to_string().contains("messages cannot be read"),
        "{error}"
    );
    world.assert_gone("qemu-system-x86_64");
}

#[test]
fn a_panic_is_the_outcome_of_the_running_step_and_the_next_trace_gets_a_new_guest() {
    let world = World::new();
    let outcome = world.at("outcome");
    let mut bytes = Vec::new();
    wire::send(
        &mut bytes,
        &Reply::Outcome {
            index: 0,
            printed: pools::Printed::default(),
        },
    )
    .unwrap();
    fs::write(&outcome, bytes).unwrap();
    let script = format!(
        "$hello; head -c 4 >/dev/null; cat '{}' >&0\n\
         echo '[   10.5] BUG: something'; echo '[   10.6] Kernel panic - not syncing: it'",
        outcome.display()
    );
    let options = world.options(&script);
    let mut pools = GuestPools::start(
        &"trixie".parse().unwrap(),
        options,
        Blobs::default(),
        Box::new(|_| {}),
    )
    .unwrap();
    let steps = [step("zpool sync"), step("zfs list"), step("zfs list")];
    for _ in 0..2 {
        let mut outcomes = Vec::new();
        pools
            .play(&steps, &mut |index, printed| {
                outcomes.push((index, printed));
            })
            .unwrap();
        assert_eq!(outcomes.len(), 2, "nothing after the panic");
        let (index, printed) = &outcomes[1];
        assert_eq!((*index, printed.end), (1, End::Panic));
        assert_eq!(
            String::from_utf8_lossy(&printed.err),
            "BUG: something\nKernel panic - not syncing: it\n"
        );
    }
}

#[test]
fn no_guest_outlives_a_ztwin_that_is_killed() {
    for (signals, code) in [
        (&[Signal::KILL][..], None),
        (&[Signal::INT, Signal::INT], Some(130)),
    ] {
        let world = World::new();
        world.options("$hello; exec sleep 1000");
        fs::write(world.at("a.trace"), "  $ zfs list\n").unwrap();
        let child = world
            .ztwin(&["diff", "--pool", "vm:trixie", "a.trace"])
            .spawn()
            .unwrap();
        let qemu = world.pid("qemu-system-x86_64");
        wait_until("the fake guest sleeps", || {
            fs::read(format!("/proc/{}/cmdline", qemu.as_raw_nonzero()))
                .is_ok_and(|line| line.starts_with(b"sleep"))
        });
        for &each in signals {
            signal(&child, each);
            std::thread::sleep(Duration::from_millis(100));
        }
        assert_eq!(finish(child).0, code);
        world.assert_gone("qemu-system-x86_64");
    }
}

// ---- Building ----

/// The tar of a root as mmdebstrap gives it, with everything that is looked for in it.
fn root_tar(openzfs: &str) -> Vec<u8> {
    let builtin: String = [
        "virtio_pci",
        "virtio_blk",
        "virtio_console",
        "squashfs",
        "overlay",
        "loop",
    ]
    .map(|name| format!("kernel/{name}.ko\n"))
    .concat();
    let status =
        format!("Package: zfsutils-linux\nStatus: install ok installed\nVersion: {openzfs}\n\n");
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in [
        ("./boot/vmlinuz-6.12.1-cloud-amd64", "kernel"),
        ("./usr/bin/busybox", "busybox"),
        (
            "./usr/lib/modules/6.12.1-cloud-amd64/modules.dep",
            "extra/zfs.ko:\n",
        ),
        (
            "./usr/lib/modules/6.12.1-cloud-amd64/modules.builtin",
            &builtin,
        ),
        (
            "./usr/lib/modules/6.12.1-cloud-amd64/extra/zfs.ko",
            "module",
        ),
        ("./var/lib/dpkg/status", &status),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_size(content.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, path, content.as_bytes())
            .unwrap();
    }
    tar.into_inner().unwrap()
}

impl World {
    /// An mmdebstrap that runs `before` and then gives this tar.
    fn mmdebstrap(&self, before: &str, tar: &[u8]) {
        fs::write(self.at("root.tar"), tar).unwrap();
        let tar = self.at("root.tar");
        self.program(
            "mmdebstrap",
            &format!("{before}\nexec cat '{}'", tar.display()),
        );
    }

    fn build(&self) -> Output {
        self.ztwin(&["vm", "build", "trixie"]).output().unwrap()
    }
}

#[test]
fn an_image_is_built_listed_found_again_and_removed() {
    let world = World::new();
    world.mmdebstrap(
        "echo \"$@\" >> log; echo 'I: installing' >&2",
        &root_tar("2.3.10-1"),
    );
    let output = world.build();
    let said = text(&output);
    assert!(output.status.success(), "{said}");
    assert!(
        said.contains("trixie: installing\n"),
        "progress is shown: {said}"
    );
    assert!(said.contains("2.3.10-1 is newer than 2.3.9"), "{said}");
    assert_eq!(world.cached(), ["trixie"]);
    let info = Cache::at(world.cache())
        .open(&"trixie".parse().unwrap())
        .unwrap()
        .info;
    assert_eq!(info.openzfs, "2.3.10-1");
    assert_eq!(info.kernel, "6.12.1-cloud-amd64");
    let squashed = fs::read(world.cache().join("trixie/root.squashfs")).unwrap();
    assert_eq!(
        squashed,
        root_tar("2.3.10-1"),
        "the whole tar reached mksquashfs"
    );

    assert!(text(&world.build()).contains("is already built"));
    assert_eq!(
        fs::read_to_string(world.at("log"))
            .unwrap()
            .matches("--format=tar")
            .count(),
        1
    );
    assert!(
        world
            .ztwin(&["vm", "build", "trixie", "--force"])
            .status()
            .unwrap()
            .success()
    );
    assert_eq!(
        fs::read_to_string(world.at("log"))
            .unwrap()
            .matches("--format=tar")
            .count(),
        2
    );
    let list = world.ztwin(&["vm", "list"]).output().unwrap();
    assert!(text(&list).starts_with("trixie  OpenZFS 2.3.10-1  Linux 6.12.1-cloud-amd64"));
    assert!(
        world
            .ztwin(&["vm", "rm", "trixie"])
            .status()
            .unwrap()
            .success()
    );
    assert!(world.cached().is_empty());
}

#[test]
fn all_missing_programs_are_named_at_once() {
    let world = World::new();
    let nothing = world.at("nothing");
    fs::create_dir(&nothing).unwrap();
    let output = world
        .ztwin(&["vm", "build", "trixie"])
        .env("PATH", &nothing)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(3));
    let said = text(&output);
    assert!(
        said.contains("missing on this host: mmdebstrap, mksquashfs, xz, setpriv"),
        "{said}"
    );
    assert!(
        said.contains("mmdebstrap squashfs-tools xz-utils util-linux"),
        "{said}"
    );
    assert!(world.cached().is_empty());
}

#[test]
fn a_failed_build_says_why_and_leaves_nothing() {
    let whole = root_tar("2.3.9-1");
    let unknown = root_tar("2.2.7-2");
    for (before, tar, expected) in [
        (
            "echo 'E: Unable to locate package zfs-dkms' >&2; exit 25",
            &whole[..],
            "| E: Unable to locate package",
        ),
        ("", &whole[..1000], "the tar of the root"),
        (
            "",
            &unknown[..],
            "OpenZFS 2.2.7-2 of Debian's trixie is of no release line",
        ),
        ("", &b""[..], "there is no kernel in it"),
    ] {
        let world = World::new();
        world.mmdebstrap(before, tar);
        let output = world.build();
        let said = text(&output);
        assert_eq!(output.status.code(), Some(3), "{said}");
        assert!(said.contains(expected), "{said}");
        assert!(world.cached().is_empty(), "{:?}", world.cached());
    }
}

#[test]
fn a_failed_rebuild_leaves_the_image_as_it_was() {
    let world = World::new();
    world.mmdebstrap("", &root_tar("2.3.9-1"));
    assert!(world.build().status.success());
    world.mmdebstrap("exit 1", b"");
    let again = world
        .ztwin(&["vm", "build", "trixie", "--force"])
        .output()
        .unwrap();
    assert_eq!(again.status.code(), Some(3));
    assert_eq!(world.cached(), ["trixie"]);
    Cache::at(world.cache())
        .open(&"trixie".parse().unwrap())
        .unwrap();
}

#[test]
fn a_full_disk_while_building_says_so_and_leaves_nothing() {
    let world = World::new();
    world.mmdebstrap("", &[root_tar("2.3.9-1"), vec![0; 1 << 20]].concat());
    fs::create_dir(world.cache()).unwrap();
    // A file system of its own that is too small, seen by this one process.
    let script = format!(
        "mount -t tmpfs -o size=64k tmpfs '{0}' && '{1}' vm build trixie; echo \"code $?\"; ls '{0}'",
        world.cache().display(),
        env!("CARGO_BIN_EXE_ztwin")
    );
    let ztwin = world.ztwin(&[]);
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", &script]);
    command.envs(
        ztwin
            .get_envs()
            .filter_map(|(key, value)| Some((key, value?))),
    );
    let said = text(&command.output().unwrap());
    assert!(said.contains("No space left on device"), "{said}");
    assert!(
        said.contains("make room") && said.contains("ZTWIN_CACHE"),
        "{said}"
    );
    assert!(said.contains("code 3\n"), "{said}");
    assert!(!said.contains("\ntrixie\n"), "{said}");
}

#[test]
fn an_interrupted_build_leaves_no_image_and_no_process() {
    for (each, code) in [
        (Signal::INT, Some(130)),
        (Signal::TERM, Some(143)),
        (Signal::KILL, None),
    ] {
        let world = World::new();
        world.mmdebstrap("exec sleep 1000", b"");
        let child = world.ztwin(&["vm", "build", "trixie"]).spawn().unwrap();
        world.pid("mmdebstrap");
        signal(&child, each);
        world.assert_gone("mmdebstrap");
        let (ended, said) = finish(child);
        assert_eq!(ended, code, "{said}");
        if code.is_some() {
            assert!(
                said.contains("interrupted; the unfinished image was removed"),
                "{said}"
            );
            assert!(world.cached().is_empty(), "{:?}", world.cached());
        }
        // Even what a killed build left does not disturb the next one.
        world.mmdebstrap("", &root_tar("2.3.9-1"));
        let output = world.build();
        assert!(output.status.success(), "{}", text(&output));
        assert_eq!(world.cached(), ["trixie"]);
    }
}

#[test]
fn two_builds_of_one_image_do_not_collide() {
    let world = World::new();
    world.mmdebstrap("echo built >> log; sleep 1", &root_tar("2.3.9-1"));
    let first = world.ztwin(&["vm", "build", "trixie"]).spawn().unwrap();
    world.pid("mmdebstrap");
    let second = world.ztwin(&["vm", "build", "trixie"]).spawn().unwrap();
    let (code, said) = finish(first);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = finish(second);
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.contains("another ztwin builds trixie; waiting"),
        "{said}"
    );
    assert!(said.contains("is already built"), "{said}");
    assert_eq!(fs::read_to_string(world.at("log")).unwrap(), "built\n");
}

#[test]
fn the_agent_does_not_run_outside_of_a_guest() {
    let world = World::new();
    let output = world.ztwin(&["agent"]).output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output).contains("inside of a guest"),
        "{}",
        text(&output)
    );
}

#[test]
fn help_teaches_the_subcommands() {
    let world = World::new();
    let mut all = String::new();
    for args in [&["vm", "--help"][..], &["vm", "build", "--help"]] {
        let mut stdout = world.ztwin(args).spawn().unwrap().stdout.unwrap();
        stdout.read_to_string(&mut all).unwrap();
    }
    insta::assert_snapshot!(all);
}
