//! From Debian's packages to an image.
//!
//! mmdebstrap installs a suite with a kernel and OpenZFS into a directory of its own (dkms compiles the
//! module there; nothing of the host's kernel is used), drops what only the compilation needed, and
//! gives a tar. [`pack`] turns that tar, as it streams by, into a squashfs, a kernel and an initramfs.
//! All of it happens in a directory beside the image's own, which it becomes as the last act.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::Mutex;
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{FlockOperation, flock};
use rustix::process::Pid;

use super::Error;
use super::image::{Cache, FileInfo, Image, Info, LAYOUT, Name, Spec, With, line_of, remove_tree};
use super::initrd::Parts;
use super::interrupt::{self, Kept};

/// The program that runs guests.
pub(crate) const QEMU: &str = "qemu-system-x86_64";

/// What the host needs, with the Debian packages that have it.
const PACKAGES: [(&str, &str); 7] = [
    ("mmdebstrap", "mmdebstrap"),
    ("mksquashfs", "squashfs-tools"),
    ("xz", "xz-utils"),
    ("zstd", "zstd"),
    ("setpriv", "util-linux"),
    ("newuidmap", "uidmap"),
    (QEMU, "qemu-system-x86"),
];

/// Debian's mirror when none is given.
pub const MIRROR: &str = "http://deb.debian.org/debian";

/// In every image, besides what the suite's essential packages are.
const BASE: [&str; 6] = [
    "linux-image-cloud-amd64",
    "linux-headers-cloud-amd64",
    "zfs-dkms",
    "zfsutils-linux",
    "kmod",
    "busybox-static",
];

/// Run on the new root after all packages are in: keeps the compiled modules, drops what compiled
/// them, and checks that ZFS is still there.
const CLEAN: &str = r#"
set -e
release=$(ls "$1/lib/modules")
[ -e "$1/lib/modules/$release/modules.dep" ] || { echo "E: not exactly one kernel: $release" >&2; exit 1; }
set -- "$1" "$1/lib/modules/$release"
ls "$2"/updates/dkms/zfs.ko* >/dev/null || { echo "E: dkms built no zfs module for $release" >&2; exit 1; }
mkdir -p "$2/extra"
cp "$2"/updates/dkms/*.ko* "$2/extra/"
export DEBIAN_FRONTEND=noninteractive
chroot "$1" apt-get --yes purge zfs-dkms dkms linux-headers-cloud-amd64
chroot "$1" apt-get --yes --purge autoremove
rm -rf "$2/updates"
chroot "$1" depmod "$release"
chroot "$1" zfs version >/dev/null 2>&1 || [ -x "$1/usr/sbin/zfs" ] || { echo "E: zfs is gone" >&2; exit 1; }
rm -rf "$1"/boot/initrd* "$1"/usr/src/* "$1"/usr/include "$1"/var/lib/dkms "$1"/var/cache/* "$1"/var/log/*
rm -rf "$1"/usr/share/doc "$1"/usr/share/man "$1"/usr/share/locale "$1"/usr/share/info
"#;

/// How [`build`] ended.
#[derive(Debug)]
pub enum Built {
    /// The image was built.
    New(Image),
    /// It was there already.
    There(Image),
}

/// What to build.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Which image.
    pub spec: Spec,
    /// Debian's mirror, [`MIRROR`] by default.
    pub mirror: String,
    /// Build it also when it is there.
    pub force: bool,
}

/// Names what of `programs` the host lacks, all at once.
pub(crate) fn check_host(programs: &[&str]) -> Result<(), Error> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let there = |program: &str| {
        program.starts_with('/') && Path::new(program).exists()
            || std::env::split_paths(&path).any(|dir| {
                rustix::fs::access(dir.join(program), rustix::fs::Access::EXEC_OK).is_ok()
            })
    };
    let missing: Vec<&str> = programs
        .iter()
        .copied()
        .filter(|program| !there(program))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let mut packages: Vec<&str> = missing
        .iter()
        .map(|&program| {
            PACKAGES
                .iter()
                .find(|(p, _)| *p == program)
                .map_or(program, |(_, p)| *p)
        })
        .collect();
    packages.dedup();
    Err(Error::Missing {
        programs: missing.join(", "),
        packages: packages.join(" "),
        sudo: if is_root() { "" } else { "sudo " },
    })
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// Builds an image, or finds it built. `notice` gets lines for people as it goes on.
pub fn build(cache: &Cache, plan: &Plan, notice: &(dyn Fn(&str) + Sync)) -> Result<Built, Error> {
    let Plan { spec, force, .. } = plan;
    fs::create_dir_all(cache.dir()).map_err(Error::io(format!(
        "making the cache {}",
        cache.dir().display()
    )))?;
    let _lock = lock(cache, spec, notice)?;
    if !force && cache.dir_of(spec).exists() {
        return cache.open(spec).map(Built::There);
    }
    let mut needed = vec!["mmdebstrap", "mksquashfs", "xz", "setpriv"];
    if !is_root() {
        needed.push("newuidmap");
    }
    check_host(&needed)?;

    let unfinished = Unfinished::new(cache.dir().join(format!(".{spec}.building")))?;
    let mut tar = Tar::start(plan)?;
    let watched = tar.child.stdin.take();
    let packed = std::thread::scope(|scope| {
        let stderr = tar.child.stderr.take();
        let said = &tar.said;
        scope.spawn(move || listen(stderr, said, notice));
        let packed = match tar.child.stdout.take() {
            Some(stdout) => pack(stdout, &unfinished.dir, spec, notice),
            None => Err(Failed::Other(failed(spec, "no output of mmdebstrap"))),
        };
        if packed.is_err() {
            // Then it is not needed any more.
            drop(watched);
        }
        packed
    });
    let ended = tar.end(spec);
    // A tar that is cut short is the effect of what mmdebstrap says; all other failures are the cause.
    let info = match (packed, ended) {
        (Ok(info), Ok(())) => info,
        (Ok(_) | Err(Failed::Tar(_)), Err(error))
        | (Err(Failed::Tar(error) | Failed::Other(error)), _) => return Err(error),
    };
    unfinished.becomes(cache, spec)?;
    notice(&format!("the image {spec} is built"));
    Ok(Built::New(Image {
        spec: spec.clone(),
        dir: cache.dir_of(spec),
        info,
    }))
}

fn failed(spec: &Spec, what: impl Into<String>) -> Error {
    Error::Build {
        id: spec.to_string(),
        what: what.into(),
    }
}

/// Waits for other builds of the same image; the lock ends with the process.
fn lock(cache: &Cache, spec: &Spec, notice: &(dyn Fn(&str) + Sync)) -> Result<File, Error> {
    let path = cache.dir().join(format!(".{spec}.lock"));
    let what = || format!("locking {}", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .map_err(Error::io(what()))?;
    if flock(&file, FlockOperation::NonBlockingLockExclusive).is_err() {
        notice(&format!("another ztwin builds {spec}; waiting for it"));
        flock(&file, FlockOperation::LockExclusive).map_err(|e| Error::io(what())(e.into()))?;
    }
    Ok(file)
}

/// The directory of an image that is not finished; gone when it is dropped.
struct Unfinished {
    dir: PathBuf,
    _token: interrupt::Token,
}

impl Unfinished {
    /// Under the image's lock, so what another process left there is of a build that died.
    fn new(dir: PathBuf) -> Result<Unfinished, Error> {
        remove_tree(&dir)?;
        let token = interrupt::keep(Kept::Unfinished(dir.clone()));
        fs::create_dir(&dir).map_err(Error::io(format!("making {}", dir.display())))?;
        Ok(Unfinished { dir, _token: token })
    }

    fn becomes(self, cache: &Cache, spec: &Spec) -> Result<(), Error> {
        let dir = cache.dir_of(spec);
        if dir.exists() {
            cache.remove(spec)?;
        }
        fs::rename(&self.dir, &dir).map_err(Error::io(format!(
            "renaming {} to {}",
            self.dir.display(),
            dir.display()
        )))
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        // After a rename there is nothing; another failure was already reported as the first.
        let _ = fs::remove_dir_all(&self.dir);
    }
}

/// Runs its arguments, and ends their process group when its standard input is closed: by this process
/// that wants them to end, or because this process is gone. mmdebstrap then removes its directory.
const WATCH: &str = r#"
exec 3<&0 </dev/null
trap : TERM
"$@" 3<&- &
work=$!
(read -r line <&3; kill -TERM -$$) >/dev/null 2>&1 &
watch=$!
while :; do wait $work; status=$?; kill -0 $work 2>/dev/null || break; done
kill $watch 2>/dev/null
exit $status
"#;

/// A running mmdebstrap.
struct Tar {
    child: Child,
    /// The last lines that it said.
    said: Mutex<Vec<String>>,
    _token: interrupt::Token,
}

impl Tar {
    fn start(plan: &Plan) -> Result<Tar, Error> {
        let mut command = Command::new("sh");
        command
            .args(["-c", WATCH, "sh", "mmdebstrap"])
            .args(arguments(plan, is_root()));
        command.env("LC_ALL", "C.UTF-8").process_group(0);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let child = command
            .spawn()
            .map_err(Error::io("starting sh, which starts mmdebstrap"))?;
        let token = interrupt::keep(Kept::Builder(Pid::from_child(&child)));
        Ok(Tar {
            child,
            said: Mutex::new(Vec::new()),
            _token: token,
        })
    }

    /// Waits for its end.
    fn end(&mut self, spec: &Spec) -> Result<(), Error> {
        let status = self
            .child
            .wait()
            .map_err(Error::io("waiting for mmdebstrap"))?;
        if status.success() {
            return Ok(());
        }
        let said = self
            .said
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        Err(failed(
            spec,
            format!("mmdebstrap ended with {status}{}", shown(&said)),
        ))
    }
}

/// The lines of a program that failed, and what to do about the usual reason.
fn shown(said: &[String]) -> String {
    let mut text = String::new();
    for line in said {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    if said
        .iter()
        .any(|line| line.contains("No space left on device"))
    {
        text.push_str(
            "\nmake room: 3 GB where TMPDIR points (by default /tmp), 1 GB in the cache (ZTWIN_CACHE)",
        );
    }
    if said
        .iter()
        .any(|line| line.contains("NO_PUBKEY") || line.contains("is not signed"))
    {
        text.push_str("\nthe keys of Debian's archive are in the package debian-archive-keyring");
    }
    text
}

/// Hands mmdebstrap's messages on, and keeps the last ones.
fn listen(from: Option<impl Read>, said: &Mutex<Vec<String>>, notice: &(dyn Fn(&str) + Sync)) {
    const KEPT_LINES: usize = 12;
    let Some(from) = from else { return };
    for line in BufReader::new(from).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        // Its progress bars rewrite their line.
        let line = line
            .rsplit('\r')
            .find(|part| !part.trim().is_empty())
            .unwrap_or("")
            .trim_end();
        if let Some(step) = line.strip_prefix("I: ") {
            notice(step);
        }
        if !line.is_empty() && !line.starts_with("done") {
            let mut said = said
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner);
            if said.len() == KEPT_LINES {
                said.remove(0);
            }
            said.push(line.to_owned());
        }
    }
}

/// mmdebstrap's arguments; the tar goes to standard output.
fn arguments(plan: &Plan, root: bool) -> Vec<String> {
    let Plan { spec, mirror, .. } = plan;
    let suite = spec.name.suite();
    let mut arguments: Vec<String> = [
        if root {
            "--mode=root"
        } else {
            "--mode=unshare"
        },
        "--variant=apt",
        "--format=tar",
        "--aptopt=APT::Install-Recommends \"false\"",
        "--aptopt=Acquire::Languages \"none\"",
        "--dpkgopt=path-exclude=/usr/share/man/*",
        "--dpkgopt=path-exclude=/usr/share/doc/*",
        "--dpkgopt=path-exclude=/usr/share/locale/*",
    ]
    .map(str::to_owned)
    .into();
    let backported = spec.name.backported();
    if !backported.is_empty() {
        let sources: Vec<_> = backported
            .iter()
            .map(|source| format!("src:{source}"))
            .collect();
        arguments.push(format!(
            "--setup-hook=mkdir -p \"$1/etc/apt/preferences.d\"; printf 'Package: {}\\nPin: release n={suite}-backports\\nPin-Priority: 900\\n' > \"$1/etc/apt/preferences.d/ztwin\"",
            sources.join(" ")
        ));
    }
    arguments.push(format!("--customize-hook={CLEAN}"));
    arguments.push(format!("--include={}", packages(spec).join(",")));
    arguments.extend([suite.to_owned(), "-".to_owned()]);
    let mut suites = vec![suite.to_owned(), format!("{suite}-updates")];
    if !backported.is_empty() {
        suites.push(format!("{suite}-backports"));
    }
    arguments.extend(
        suites
            .iter()
            .map(|suite| format!("deb {mirror} {suite} main contrib")),
    );
    arguments
}

/// The packages of an image.
fn packages(spec: &Spec) -> Vec<&'static str> {
    let mut all = BASE.to_vec();
    if spec.with.contains(&With::Docker) {
        all.push("docker.io");
        if matches!(spec.name, Name::Trixie | Name::TrixieBackports) {
            // A package of its own since Debian 13.
            all.push("docker-cli");
        }
    }
    if spec.with.contains(&With::Podman) {
        all.extend(["podman", "crun"]);
    }
    if spec.with.contains(&With::Containerd) {
        // One of its snapshotters needs a filesystem to start on.
        all.push("btrfs-progs");
    }
    if !spec.with.is_empty() {
        // strace is what `ztwin capture` sees the drivers' mounts with.
        all.extend([
            "containerd",
            "runc",
            "iproute2",
            "iptables",
            "procps",
            "strace",
        ]);
    }
    all
}

/// Why packing failed: what is in the tar, of which mmdebstrap knows more, or anything else.
enum Failed {
    Tar(Error),
    Other(Error),
}

/// Makes `root.squashfs`, `vmlinuz`, `initrd` and `image.json` in `dir` from the tar of a root.
fn pack(
    tar: impl Read,
    dir: &Path,
    spec: &Spec,
    notice: &(dyn Fn(&str) + Sync),
) -> Result<Info, Failed> {
    let incomplete = |what: String| Failed::Tar(failed(spec, what));
    let other = |what: String| Failed::Other(failed(spec, what));
    let mut squash = Squash::start(&dir.join("root.squashfs")).map_err(Failed::Other)?;
    let mut tee = Tee {
        from: BufReader::with_capacity(1 << 16, tar),
        to: squash.stdin.take(),
        began: false,
        notice,
    };
    let found = collect(&mut tee, dir);
    let intact = tee.to.is_some();
    drop(tee);
    squash.end(spec).map_err(Failed::Other)?;
    if !intact {
        return Err(other("mksquashfs did not take the whole tar".into()));
    }
    let found = found.map_err(|e| match e {
        Collect::Write(error) => Failed::Other(error),
        Collect::Read(e) => Failed::Tar(failed(spec, format!("the tar of the root: {e}"))),
    })?;

    notice("packing the initramfs");
    let kernel = found
        .kernel
        .ok_or_else(|| incomplete("there is no kernel in it".into()))?;
    let path = dir.join("initrd");
    let file = File::create(&path)
        .map_err(|e| Failed::Other(Error::io(format!("writing {}", path.display()))(e)))?;
    let mut file = BufWriter::new(file);
    found.parts.write(&mut file, inflate).map_err(other)?;

    let versions = installed(&found.status);
    let version_of = |package: &str| versions.get(package).cloned();
    let openzfs = version_of("zfsutils-linux")
        .ok_or_else(|| incomplete("it has no zfsutils-linux".into()))?;
    line_of(&openzfs, &format!("Debian's {}", spec.name.text())).map_err(Failed::Other)?;
    let mut files = BTreeMap::new();
    for name in ["root.squashfs", "vmlinuz", "initrd"] {
        files.insert(
            name.to_owned(),
            FileInfo::of(&dir.join(name)).map_err(Failed::Other)?,
        );
    }
    let info = Info {
        layout: LAYOUT,
        image: spec.to_string(),
        suite: spec.name.suite().to_owned(),
        openzfs,
        kernel,
        built: utc(SystemTime::now()),
        packages: packages(spec)
            .into_iter()
            .filter_map(|package| Some((package.to_owned(), version_of(package)?)))
            .collect(),
        files,
    };
    let path = dir.join("image.json");
    let text = serde_json::to_string_pretty(&info).map_err(|e| other(e.to_string()))?;
    fs::write(&path, text + "\n")
        .map_err(|e| Failed::Other(Error::io(format!("writing {}", path.display()))(e)))?;
    Ok(info)
}

/// A running mksquashfs.
struct Squash {
    child: Child,
    stdin: Option<ChildStdin>,
}

impl Squash {
    fn start(path: &Path) -> Result<Squash, Error> {
        let mut command = Command::new("setpriv");
        command
            .args(["--pdeathsig", "KILL", "--", "mksquashfs", "-"])
            .arg(path);
        // lz4: what is read under software emulation is inflated there.
        command.args([
            "-tar",
            "-comp",
            "lz4",
            "-noappend",
            "-quiet",
            "-no-progress",
        ]);
        command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command.process_group(0);
        let mut child = command
            .spawn()
            .map_err(Error::io("starting setpriv, which starts mksquashfs"))?;
        let stdin = child.stdin.take();
        Ok(Squash { child, stdin })
    }

    fn end(self, spec: &Spec) -> Result<(), Error> {
        drop(self.stdin);
        // It says little, so one stream cannot fill while the other is read.
        let output = self
            .child
            .wait_with_output()
            .map_err(Error::io("waiting for mksquashfs"))?;
        if output.status.success() {
            return Ok(());
        }
        let said: Vec<String> = [output.stdout, output.stderr]
            .iter()
            .flat_map(|bytes| {
                let text = String::from_utf8_lossy(bytes).into_owned();
                text.lines()
                    .map(str::to_owned)
                    .filter(|l| !l.is_empty())
                    .collect::<Vec<_>>()
            })
            .collect();
        Err(failed(
            spec,
            format!("mksquashfs ended with {}{}", output.status, shown(&said)),
        ))
    }
}

/// Gives what it reads to mksquashfs too.
struct Tee<'a, R> {
    from: R,
    /// `None` once it takes no more.
    to: Option<ChildStdin>,
    began: bool,
    notice: &'a (dyn Fn(&str) + Sync),
}

impl<R: Read> Read for Tee<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        if n > 0 && !self.began {
            self.began = true;
            (self.notice)("packing the root");
        }
        if let Some(to) = &mut self.to
            && let Err(e) = to.write_all(&buffer[..n])
        {
            self.to = None;
            return Err(e);
        }
        Ok(n)
    }
}

/// What is taken out of a tar on its way.
#[derive(Default)]
struct Found {
    kernel: Option<String>,
    parts: Parts,
    /// dpkg's list of packages.
    status: String,
}

enum Collect {
    Read(io::Error),
    Write(Error),
}

impl From<io::Error> for Collect {
    fn from(e: io::Error) -> Self {
        Collect::Read(e)
    }
}

fn collect(tar: &mut impl Read, dir: &Path) -> Result<Found, Collect> {
    let mut found = Found::default();
    let mut archive = tar::Archive::new(&mut *tar);
    for entry in archive.entries()? {
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path()?.to_string_lossy().into_owned();
        // With merged /usr, files of /bin and /lib are in /usr/bin and /usr/lib.
        let path = path.trim_start_matches("./");
        let path = path.strip_prefix("usr/").unwrap_or(path);
        if let Some(release) = path.strip_prefix("boot/vmlinuz-") {
            found.kernel = Some(release.to_owned());
            let to = dir.join("vmlinuz");
            let mut bytes = Vec::new();
            entry.read_to_end(&mut bytes)?;
            fs::write(&to, bytes)
                .map_err(|e| Collect::Write(Error::io(format!("writing {}", to.display()))(e)))?;
        } else if path == "bin/busybox" {
            entry.read_to_end(&mut found.parts.busybox)?;
        } else if path == "var/lib/dpkg/status" {
            entry.read_to_string(&mut found.status)?;
        } else if let Some((_release, path)) = path
            .strip_prefix("lib/modules/")
            .and_then(|rest| rest.split_once('/'))
        {
            if path == "modules.dep" {
                entry.read_to_string(&mut found.parts.dependencies)?;
            } else if path == "modules.builtin" {
                entry.read_to_string(&mut found.parts.builtin)?;
            } else if path.contains(".ko") {
                let mut bytes = Vec::new();
                entry.read_to_end(&mut bytes)?;
                found.parts.modules.insert(path.to_owned(), bytes);
            }
        }
    }
    // What stands after the last entry is for mksquashfs.
    io::copy(tar, &mut io::sink())?;
    Ok(found)
}

/// The content of a kernel module, which Debian stores compressed since Debian 13.
fn inflate(path: &str, stored: &[u8]) -> Result<Vec<u8>, String> {
    let program = match path.rsplit('.').next() {
        Some("ko") => return Ok(stored.to_vec()),
        Some("xz") => "xz",
        Some("zst") => "zstd",
        _ => {
            return Err(format!(
                "its kernel module {path} is compressed in an unknown way"
            ));
        }
    };
    check_host(&[program]).map_err(|e| e.to_string())?;
    let error = |e: io::Error| format!("running {program} for {path}: {e}");
    let mut child = Command::new(program)
        .args(["-d", "-c", "-q"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(error)?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        scope.spawn(move || stdin.map(|mut to| to.write_all(stored)));
        child.wait_with_output()
    })
    .map_err(error)?;
    if output.status.success() {
        Ok(output.stdout)
    } else {
        Err(format!("{program} cannot read the kernel module {path}"))
    }
}

/// Package versions from dpkg's `status` file.
fn installed(status: &str) -> BTreeMap<String, String> {
    status
        .split("\n\n")
        .filter_map(|stanza| {
            let field = |name| stanza.lines().find_map(|line| line.strip_prefix(name));
            field("Status: ").filter(|s| s.ends_with(" installed"))?;
            Some((
                field("Package: ")?.to_owned(),
                field("Version: ")?.to_owned(),
            ))
        })
        .collect()
}

/// A time as `2026-11-21T01:02:03Z`.
fn utc(time: SystemTime) -> String {
    let seconds = time.duration_since(UNIX_EPOCH).map_or(0, |d| d.as_secs());
    let (mut days, rest) = (seconds / 86_400, seconds % 86_400);
    let leap = |y: u64| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let mut year = 1970;
    while days >= 365 + u64::from(leap(year)) {
        days -= 365 + u64::from(leap(year));
        year += 1;
    }
    let february = 28 + u64::from(leap(year));
    let mut month = 1;
    for length in [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31] {
        if days < length {
            break;
        }
        days -= length;
        month += 1;
    }
    let (hour, minute, second) = (rest / 3600, rest / 60 % 60, rest % 60);
    format!(
        "{year}-{month:02}-{:02}T{hour:02}:{minute:02}:{second:02}Z",
        days + 1
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn plan(spec: &str) -> Plan {
        Plan {
            spec: spec.parse().unwrap(),
            mirror: MIRROR.into(),
            force: false,
        }
    }

    #[test]
    fn a_backport_is_pinned_and_its_suite_added() {
        let text = arguments(&plan("trixie-backports"), true).join("\n");
        assert!(
            text.contains("Package: src:zfs-linux\\nPin: release n=trixie-backports"),
            "{text}"
        );
        assert!(text.contains("deb http://deb.debian.org/debian trixie-backports main contrib"));
        let text = arguments(&plan("trixie"), false).join("\n");
        assert!(
            !text.contains("backports") && text.contains("--mode=unshare"),
            "{text}"
        );
    }

    #[test]
    fn docker_is_more_packages_and_only_then() {
        let docker = packages(&plan("trixie-docker").spec);
        assert!(docker.contains(&"docker-cli") && docker.contains(&"containerd"));
        assert!(!packages(&plan("bookworm-docker").spec).contains(&"docker-cli"));
        assert_eq!(packages(&plan("bookworm").spec), BASE);
    }

    #[test]
    fn what_is_missing_is_named_with_its_packages() {
        check_host(&["sh"]).unwrap();
        let error = check_host(&["sh", "mksquashfs-none", "newuidmap-none"]).unwrap_err();
        assert!(
            matches!(&error, Error::Missing { programs, .. } if programs == "mksquashfs-none, newuidmap-none")
        );
    }

    #[test]
    fn only_installed_packages_have_a_version() {
        let status = "Package: a\nStatus: install ok installed\nVersion: 1-2\n\nPackage: b\nStatus: deinstall ok config-files\nVersion: 3\n";
        assert_eq!(
            installed(status),
            [("a".to_owned(), "1-2".to_owned())].into()
        );
    }

    #[test]
    fn times_are_those_of_the_calendar() {
        let at = |s| utc(UNIX_EPOCH + Duration::from_secs(s));
        assert_eq!(at(0), "1970-01-01T00:00:00Z");
        assert_eq!(at(951_827_696), "2000-02-29T12:34:56Z");
        assert_eq!(at(1_798_761_599), "2026-12-31T23:59:59Z");
    }
}
