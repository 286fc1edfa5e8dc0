//! `zpool create` (`zpool_do_create`, `make_root_vdev`).

use std::sync::Arc;

use ztwin_model::dsl::names;
use ztwin_model::dsl::properties::{Key, Property};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::Target;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::{Shape, Vdev};

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":fndR:m:o:O:t:");
    let mut of_pool = settings::Given::default();
    let mut of_root = settings::Given::default();
    let mut force = false;
    let mut mountpoint = None;
    for given in args.given {
        match given {
            Given::Flag('f') => force = true,
            Given::Flag('d') => {}
            Given::Flag(letter) => return Err(NotModelled(format!("zpool create -{letter}"))),
            Given::Value('m', path) => mountpoint = Some(path),
            Given::Value('o', text) => {
                let Some((name, value)) = text.split_once('=') else {
                    console.complain("missing '=' for -o option");
                    return Ok(1);
                };
                if let Some(code) = check_property(console, name, value)? {
                    return Ok(code);
                }
                if !of_pool.add(console, &text) {
                    return Ok(1);
                }
            }
            Given::Value('O', text) => {
                if !text.contains('=') {
                    console.complain("missing '=' for -O option");
                    return Ok(1);
                }
                if !of_root.add(console, &text) {
                    return Ok(1);
                }
            }
            Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool create -{letter}")));
            }
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let (name, devices) = match args.operands.as_slice() {
        [] => return Ok(console.usage("missing pool name argument")),
        [_] => return Ok(console.usage("missing vdev specification")),
        [name, devices @ ..] => (name, devices),
    };
    let heading = format!("cannot create '{name}'");
    if name.contains('/') {
        console.complain(&format!("{heading}: invalid character '/' in pool name"));
        console.complain(&format!("use 'zfs create {name}' to create a dataset"));
        return Ok(1);
    }
    let Some(vdevs) = shapes(console, devices, force)? else {
        return Ok(1);
    };
    if let Some(path) = &mountpoint {
        if !path.starts_with('/') && path != "none" && path != "legacy" {
            console.complain(&format!(
                "invalid mountpoint '{path}': must be an absolute path, 'legacy', or 'none'"
            ));
            return Ok(1);
        }
        of_root.add(console, &format!("mountpoint={path}"));
    }
    if let Err(reason) = names::check_pool(name) {
        console.refuse(&heading, &reason);
        return Ok(1);
    }
    let settings = match of_root.check(Target::NewFilesystem)? {
        Ok(settings) => settings,
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(1);
        }
    };
    let properties = of_pool
        .iter()
        .map(|(name, value)| (name.into(), value.into()))
        .collect();
    let op = PoolOp::Create {
        name: name.as_str().into(),
        vdevs,
        properties,
        settings,
    };
    if let Err(reason) = console.pool(op) {
        console.refuse(&heading, &reason);
        return Ok(1);
    }
    let mounted = console
        .state()
        .find(name)
        .is_none_or(|root| console.mount(root, false));
    Ok(u8::from(!mounted))
}

/// `add_prop_list`: a property of the pool that is known.
fn check_property(
    console: &mut Console<'_>,
    name: &str,
    value: &str,
) -> Result<Option<u8>, NotModelled> {
    match name {
        "ashift" => Ok(None),
        "autoexpand" | "autoreplace" | "autotrim" | "bootfs" | "cachefile" | "comment"
        | "compatibility" | "delegation" | "failmode" | "listsnapshots" | "multihost"
        | "version" | "altroot" => Err(NotModelled(format!("the pool's property '{name}'"))),
        _ if name.starts_with("feature@") => Err(NotModelled("features of pools".to_owned())),
        _ => {
            let _ = value;
            let reason = Reason::UnknownPoolProperty(name.into());
            console.note(&reason);
            console.complain(&format!(
                "property '{name}' is not a valid pool or vdev property"
            ));
            Ok(Some(2))
        }
    }
}

/// `construct_spec` and `check_in_use`: the top-level vdevs, or nothing when they cannot be.
fn shapes(
    console: &mut Console<'_>,
    words: &[String],
    force: bool,
) -> Result<Option<Vec<Vdev>>, NotModelled> {
    let mut vdevs: Vec<Vdev> = Vec::new();
    let mut gathering = false;
    for word in words {
        let shape = match word.as_str() {
            "mirror" => Some(Shape::Mirror),
            "raidz" | "raidz1" => Some(Shape::Raidz(1)),
            "raidz2" => Some(Shape::Raidz(2)),
            "raidz3" => Some(Shape::Raidz(3)),
            "log" | "cache" | "spare" | "special" | "dedup" => {
                return Err(NotModelled(format!("'{word}' devices")));
            }
            other if other.starts_with("draid") => {
                return Err(NotModelled("draid".to_owned()));
            }
            _ => None,
        };
        match shape {
            Some(shape) => {
                vdevs.push(Vdev {
                    shape,
                    devices: Vec::new(),
                });
                gathering = true;
            }
            None => {
                let device: Arc<str> = word.as_str().into();
                match vdevs.last_mut().filter(|_| gathering) {
                    Some(vdev) => vdev.devices.push(device),
                    None => vdevs.push(Vdev {
                        shape: Shape::Single,
                        devices: vec![device],
                    }),
                }
            }
        }
    }
    for vdev in &vdevs {
        for device in &vdev.devices {
            if !console.state().vdevs.contains_key(&**device) {
                let reason = Reason::NoSuchVdev(device.clone());
                console.refuse("cannot open", &reason);
                return Ok(None);
            }
        }
    }
    let _ = force;
    Ok(Some(vdevs))
}

#[allow(dead_code)]
fn is_mountpoint(key: &Key) -> bool {
    matches!(key, Key::Native(Property::Mountpoint))
}
