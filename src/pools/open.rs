//! Opening pools by the name that the command line gives them.

use std::path::Path;

use ztwin_model::Release;

use super::{Blobs, GuestPools, KernelPools, ModelPools, Pools, Unavailable, kernel};
use crate::guest::boot;
use crate::guest::image::Spec;

/// Opens `model`, `kernel` or `vm:NAME`. The model runs `release` (2.3 when not given); a real pool runs
/// what it is, and is refused when that is another line than `release`.
pub fn open(name: &str, release: Option<Release>) -> Result<Box<dyn Pools>, Unavailable> {
    let pools: Box<dyn Pools> = arm(name, release)?;
    match release {
        Some(release) if pools.release() != release => Err(Unavailable {
            message: format!(
                "'{name}' runs OpenZFS {}, not {}: leave out --openzfs, or name another pool",
                pools.version(),
                release.name()
            ),
        }),
        _ => Ok(pools),
    }
}

/// Opens `kernel` or `vm:NAME`; with `loop_devices` the kernel's pools stand on loop devices.
pub fn open_real(name: &str, loop_devices: bool) -> Result<Box<dyn Pools>, Unavailable> {
    if !loop_devices {
        return open(name, None);
    }
    if name != "kernel" {
        return Err(Unavailable {
            message: format!(
                "'{name}' has no loop devices of this host: --loop goes with --pool kernel"
            ),
        });
    }
    let options = kernel::Options {
        loop_devices,
        ..kernel::Options::on_host()
    };
    let blobs = Blobs::in_directory(Path::new("traces/data"));
    Ok(Box::new(KernelPools::open(options, blobs)?))
}

/// The model, with the bytes that the traces of this directory name by their hash.
#[must_use]
pub fn open_model(release: Release) -> ModelPools {
    ModelPools::new(release, Blobs::in_directory(Path::new("traces/data")))
}

/// The arm that `name` means.
fn arm(name: &str, release: Option<Release>) -> Result<Box<dyn Pools>, Unavailable> {
    match name {
        "model" => Ok(Box::new(open_model(release.unwrap_or_default()))),
        "kernel" => Ok(Box::new(KernelPools::open(
            kernel::Options::on_host(),
            Blobs::in_directory(Path::new("traces/data")),
        )?)),
        _ if name.starts_with("vm:") => {
            let spec: Spec = name["vm:".len()..].parse()?;
            let blobs = Blobs::in_directory(Path::new("traces/data"));
            let notice = Box::new(|text: &str| eprintln!("{text}"));
            Ok(Box::new(GuestPools::start(
                &spec,
                boot::Options::of_user()?,
                blobs,
                notice,
            )?))
        }
        _ => Err(Unavailable {
            message: format!(
                "no pool is called '{name}': name one of model, kernel, vm:NAME (such as vm:trixie)"
            ),
        }),
    }
}
