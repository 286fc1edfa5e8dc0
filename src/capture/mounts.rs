//! Mounts and unmounts of a session, read from what `strace` saw.
//!
//! Drivers call `mount(2)` and `umount2(2)` themselves, so no program in between could record them.

use std::collections::BTreeMap;

use super::journal::Micros;

/// What `strace` is run with: every process of the session, strings whole and in hex, nothing else said.
pub const STRACE: [&str; 9] = [
    "--follow-forks",
    "--seccomp-bpf",
    "--quiet=all",
    "-ttt",
    "-xx",
    "--string-limit=4096",
    "--signal=none",
    "--trace=mount,umount2,fsopen,chmod,fchmodat",
    "--output=/run/ztwin-capture/strace",
];

/// A system call that mounts or unmounts, or changes a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// When it was called.
    pub at: Micros,
    /// By which thread.
    pub pid: u32,
    /// What.
    pub what: What,
    /// The name of its errno when it failed.
    pub error: Option<String>,
}

/// What a system call was to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// `mount(2)` with type `zfs`, not a remount.
    Mount {
        /// The dataset.
        source: String,
        /// Where.
        target: String,
        /// With `MS_RDONLY`, or with the option `ro`.
        read_only: bool,
        /// Called by the `zfs` program (`zfs_mount_at` of libzfs passes `mntpoint=`).
        by_zfs: bool,
    },
    /// `umount2(2)` of anything.
    Unmount {
        /// What is unmounted.
        target: String,
        /// `MNT_DETACH`.
        lazy: bool,
        /// `MNT_FORCE`.
        force: bool,
    },
    /// `chmod(2)` of anything: where a mountpoint gets its mode behind a mount and in front of an
    /// unmount, nobody sees when that was.
    Mode {
        /// What gets it.
        target: String,
        /// The mode.
        mode: u32,
    },
    /// Something about ZFS that traces cannot say.
    Foreign(String),
}

/// Reads the whole lines of `strace`'s output, in the order of the calls' beginnings.
#[must_use]
pub fn read(text: &str) -> Vec<Event> {
    let mut events = Vec::new();
    // Calls that another thread's line has cut in two, by thread.
    let mut begun: BTreeMap<u32, (Micros, String)> = BTreeMap::new();
    for line in text
        .split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
    {
        let mut words = line.splitn(2, ' ');
        let (Some(pid), Some(rest)) = (words.next(), words.next()) else {
            continue;
        };
        let Ok(pid) = pid.parse() else { continue };
        let Some((time, rest)) = rest.trim_start().split_once(' ') else {
            continue;
        };
        let Some(at) = micros(time) else { continue };
        let (at, call) = if let Some(head) = rest.strip_suffix(" <unfinished ...>") {
            begun.insert(pid, (at, head.to_owned()));
            continue;
        } else if let Some(tail) = rest.strip_prefix("<... ") {
            let Some((_, tail)) = tail.split_once(" resumed>") else {
                continue;
            };
            let Some((at, head)) = begun.remove(&pid) else {
                continue;
            };
            (at, head + tail)
        } else {
            (at, rest.to_owned())
        };
        if let Some((what, error)) = event(&call) {
            events.push(Event {
                at,
                pid,
                what,
                error,
            });
        }
    }
    events.sort_by_key(|event| event.at);
    events
}

fn micros(time: &str) -> Option<Micros> {
    let (seconds, fraction) = time.split_once('.')?;
    if fraction.len() != 6 {
        return None;
    }
    Some(seconds.parse::<u64>().ok()? * 1_000_000 + fraction.parse::<u64>().ok()?)
}

/// `name(arguments) = result`, when it is about ZFS or an unmount.
fn event(call: &str) -> Option<(What, Option<String>)> {
    let (name, rest) = call.split_once('(')?;
    let (arguments, result) = rest.rsplit_once(") ")?;
    let result = result.trim_start().strip_prefix("= ")?;
    let error = result
        .strip_prefix("-1 ")
        .map(|e| e.split(' ').next().unwrap_or(e).to_owned());
    let arguments: Vec<_> = arguments.split(", ").collect();
    let flag = |flags: &str, name| flags.split('|').any(|flag| flag == name);
    let what = match (name, &arguments[..]) {
        ("mount", [source, target, kind, flags, options @ ..]) => {
            if string(kind).as_deref() != Some("zfs") {
                return None;
            }
            let (source, target) = (string(source)?, string(target)?);
            let options = options.first().and_then(|o| string(o)).unwrap_or_default();
            if flag(flags, "MS_REMOUNT") {
                What::Foreign(format!("remounted {target} with {flags} {options}"))
            } else {
                let read_only = flag(flags, "MS_RDONLY") || options.split(',').any(|o| o == "ro");
                let by_zfs = options.split(',').any(|o| o.starts_with("mntpoint="));
                What::Mount {
                    source,
                    target,
                    read_only,
                    by_zfs,
                }
            }
        }
        ("umount2", [target, flags]) => What::Unmount {
            target: string(target)?,
            lazy: flag(flags, "MNT_DETACH"),
            force: flag(flags, "MNT_FORCE"),
        },
        ("chmod", [target, mode]) | ("fchmodat", [_, target, mode]) => What::Mode {
            target: string(target)?,
            mode: u32::from_str_radix(mode, 8).ok()?,
        },
        ("fsopen", [kind, ..]) if string(kind).as_deref() == Some("zfs") => {
            What::Foreign("mounted by fsopen(2)".to_owned())
        }
        _ => return None,
    };
    Some((what, error))
}

/// A string of `strace -xx`: `"\x2f\x76"`. Commas and blanks stand in hex too.
fn string(argument: &str) -> Option<String> {
    let hex = argument.strip_prefix('"')?.strip_suffix('"')?;
    let bytes: Option<Vec<u8>> = hex
        .split("\\x")
        .skip(1)
        .map(|digits| u8::from_str_radix(digits, 16).ok())
        .collect();
    String::from_utf8(bytes?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fmt::Write;

    fn hex(text: &str) -> String {
        text.bytes().fold(String::from("\""), |mut out, byte| {
            write!(out, "\\x{byte:02x}").unwrap();
            out
        }) + "\""
    }

    #[test]
    fn whole_and_cut_calls_become_events_in_the_order_of_their_beginnings() {
        let (ds, dir, zfs) = (hex("tank/a"), hex("/m n"), hex("zfs"));
        let text = format!(
            "7     1795224538.000002 mount({ds}, {dir}, {zfs}, MS_RDONLY, NULL <unfinished ...>\n\
             8     1795224538.000003 umount2({dir}, MNT_DETACH) = -1 EINVAL (Invalid argument)\n\
             7     1795224538.000009 <... mount resumed>) = 0\n\
             9     1795224539.000000 mount({bind}, {dir}, 0xc000837040, MS_BIND, NULL) = 0\n\
             9     1795224540.000000 mount({ds}, {dir}, {zfs}, 0, {options}) = 0\n\
             9     1795224541.000000 umount2({dir}, 0) = 0\n\
             9     1795224541.500000 fchmodat(AT_FDCWD, {dir}, 0555) = 0\n\
             9     1795224542.000000 mount({ds}",
            bind = hex("/x"),
            options = hex("rw,zfsutil,mntpoint=/m n"),
        );
        let mount = |read_only, by_zfs| What::Mount {
            source: "tank/a".into(),
            target: "/m n".into(),
            read_only,
            by_zfs,
        };
        let unmount = |lazy| What::Unmount {
            target: "/m n".into(),
            lazy,
            force: false,
        };
        let event = |at, pid, what, error: Option<&str>| Event {
            at: 1_795_224_538_000_000_u64 + at,
            pid,
            what,
            error: error.map(str::to_owned),
        };
        assert_eq!(
            read(&text),
            [
                event(2, 7, mount(true, false), None),
                event(3, 8, unmount(true), Some("EINVAL")),
                event(2_000_000, 9, mount(false, true), None),
                event(3_000_000, 9, unmount(false), None),
                event(
                    3_500_000,
                    9,
                    What::Mode {
                        target: "/m n".into(),
                        mode: 0o555,
                    },
                    None
                ),
            ]
        );
    }
}
