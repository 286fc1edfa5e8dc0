//! Pools of the kernel that this runs on: the real thing.
//!
//! Nothing is touched that it did not create: see [`guard`] for what it refuses, and [`journal`] for how
//! what it made is found again after a crash.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc;
use std::time::Duration;

use ztwin_model::Release;

use super::arm::Runner;
use super::blobs::Blobs;
use super::{Command, Pools, Printed, Session, System, Unavailable};

mod calls;
mod child;
mod guard;
mod journal;
mod mounts;
mod pointers;
mod shared;
mod volumes;

use calls::KernelArm;

/// How pools of the kernel are driven.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where what was created is written down, so that a later run can remove it.
    pub state: PathBuf,
    /// Give `zpool` loop devices instead of the files.
    pub loop_devices: bool,
    /// Leave the host alone: run in a mount namespace of its own, with vdev files below
    /// [`Options::state`] in the place of the paths that the steps name. Off in a guest, which has
    /// nothing else.
    pub private: bool,
    /// How long one step may take.
    pub limit: Duration,
}

impl Options {
    /// On a host that has other things to do.
    #[must_use]
    pub fn on_host() -> Self {
        let state = std::env::var_os("XDG_STATE_HOME")
            .map(PathBuf::from)
            .or_else(|| {
                std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".local/state"))
            });
        Options {
            state: state
                .unwrap_or_else(|| PathBuf::from("/var/tmp"))
                .join("ztwin"),
            loop_devices: false,
            private: true,
            limit: Duration::from_secs(120),
        }
    }

    /// In a guest that exists for nothing else.
    #[must_use]
    pub fn in_guest() -> Self {
        Options {
            state: PathBuf::from("/run/ztwin"),
            private: false,
            ..Options::on_host()
        }
    }
}

/// The kernel's own pools.
#[derive(Debug)]
pub struct KernelPools {
    version: String,
    release: Release,
    options: Options,
    blobs: Blobs,
}

impl KernelPools {
    /// Looks for ZFS in this kernel, and removes what an earlier run left behind.
    pub fn open(options: Options, blobs: Blobs) -> Result<Self, Unavailable> {
        let version = module_version()?;
        let release = Release::of_version(&version).ok_or_else(|| Unavailable {
            message: format!(
                "the kernel runs OpenZFS {version}; known lines are {}: use a guest of one of them",
                Release::ALL.map(Release::name).join(", ")
            ),
        })?;
        if !rustix::process::geteuid().is_root() {
            return Err(unavailable(
                "pools of the kernel need root: run it as root, or use a guest",
            ));
        }
        journal::remove_leftovers(&options.state, options.limit)?;
        Ok(KernelPools {
            version,
            release,
            options,
            blobs,
        })
    }

    /// A session, to be used on the thread that made it.
    pub fn session(&self) -> Result<impl Session + use<>, Unavailable> {
        if self.options.private {
            mounts::enter_private_namespace()?;
        }
        let arm = KernelArm::new(self.release, &self.options)?;
        Ok(Runner::new(arm, self.blobs.clone()))
    }

    /// Adds bytes that steps name by their hash.
    pub fn add_blob(&mut self, bytes: bytes::Bytes) {
        self.blobs.insert(bytes);
    }
}

impl Pools for KernelPools {
    fn version(&self) -> String {
        self.version.clone()
    }

    fn release(&self) -> Release {
        self.release
    }

    fn system(&self) -> Option<System> {
        let uname = rustix::system::uname();
        let kernel = uname.release().to_string_lossy();
        let mut parts = kernel.split(|letter: char| !letter.is_ascii_digit());
        let (major, minor) = (parts.next()?, parts.next()?);
        let told = std::fs::read_to_string("/etc/os-release").unwrap_or_default();
        let named = |key: &str| {
            let line = told.lines().find_map(|line| line.strip_prefix(key))?;
            Some(line.trim_matches('"').to_owned())
        };
        let name = named("VERSION_CODENAME=").or_else(|| named("ID="));
        Some(System {
            linux: format!("{major}.{minor}"),
            name: name.unwrap_or_else(|| "linux".to_owned()),
        })
    }

    fn play(
        &mut self,
        commands: &[Command],
        seen: &mut dyn FnMut(usize, Printed),
    ) -> Result<(), Unavailable> {
        // What the steps before these could not remove says why now, if it still cannot be.
        journal::remove_leftovers(&self.options.state, self.options.limit)?;
        guard::no_such_pools_yet(&guard::pools_created(commands), self.options.limit)?;
        // A thread of its own, because a mount namespace is entered for good.
        let this: &KernelPools = self;
        std::thread::scope(|scope| {
            let (sender, outcomes) = mpsc::channel();
            let runner = scope.spawn(move || {
                let mut session = this.session()?;
                for (index, command) in commands.iter().enumerate() {
                    let printed = session.step(command)?;
                    // The other end is open as long as this runs.
                    let _ = sender.send((index, printed));
                }
                Ok(())
            });
            for (index, printed) in outcomes {
                seen(index, printed);
            }
            runner
                .join()
                .unwrap_or_else(|_| Err(unavailable("the thread that ran the trace panicked")))
        })
    }
}

/// The version of the ZFS module in the kernel, such as `2.3.9`.
fn module_version() -> Result<String, Unavailable> {
    let path = "/sys/module/zfs/version";
    let text = std::fs::read_to_string(path).map_err(|_| {
        unavailable(
            "this kernel has no ZFS module loaded: load it (modprobe zfs), or use a guest (ztwin vm build)",
        )
    })?;
    Ok(text.trim().split('-').next().unwrap_or_default().to_owned())
}

/// Why a real pool could not be had.
fn unavailable(message: impl Into<String>) -> Unavailable {
    Unavailable {
        message: message.into(),
    }
}

/// Open files by process and handle.
type Handles = BTreeMap<ztwin_model::zpl::open::Handle, std::fs::File>;
