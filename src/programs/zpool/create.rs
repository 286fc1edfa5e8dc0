//! `zpool create` (`zpool_do_create`).

use std::collections::BTreeSet;
use std::sync::Arc;

use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::property::Property;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::{self, Target};
use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::property::{self, When};

use super::devices::{For, show_vdevs, vdevs};
use super::draid;
use super::{add_property, refuse_name};
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, ":fndR:m:o:O:t:");
    let mut of_pool = settings::Given::default();
    let mut of_root = settings::Given::default();
    let (mut force, mut dry, mut all_features) = (false, false, true);
    let (mut mountpoint, mut temporary) = (None, None);
    for given in args.given {
        match given {
            Given::Flag('f') => force = true,
            Given::Flag('n') => dry = true,
            Given::Flag('d') => all_features = false,
            Given::Value('m', path) => mountpoint = Some(path),
            Given::Value('R', path) => {
                if !of_pool.add(console, &format!("altroot={path}")) {
                    return Ok(1);
                }
                of_pool.add_default("cachefile", "none");
            }
            Given::Value('t', name) => {
                if name.contains('/') {
                    console.note(&Reason::InvalidCharacter(b'/'));
                    console.complain(format!(
                        "cannot create '{name}': invalid character '/' in temporary name"
                    ));
                    console.complain("use 'zfs create' to create a dataset");
                    return Ok(1);
                }
                if names::check_pool(&name).is_err() {
                    // The kernel does not check it, and libzfs aborts.
                    return Err(NotModelled(format!("the temporary name '{name}'")));
                }
                if !of_pool.add(console, &format!("tname={name}")) {
                    return Ok(1);
                }
                of_pool.add_default("cachefile", "none");
                temporary = Some(name);
            }
            Given::Value('o', text) => {
                if !add_property(console, &mut of_pool, &text) {
                    return Ok(1);
                }
            }
            Given::Value('O', text) => {
                if let Some(path) = text.strip_prefix("mountpoint=") {
                    // It may be given again and again, also with -m.
                    mountpoint = Some(path.to_owned());
                } else if !add_of_root(console, &mut of_root, &text) {
                    return Ok(1);
                }
            }
            Given::Flag(letter) | Given::Value(letter, _) => {
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
        console.note(&Reason::InvalidCharacter(b'/'));
        console.complain(format!("{heading}: invalid character '/' in pool name"));
        console.complain("use 'zfs create' to create a dataset");
        return Ok(1);
    }
    let Some(vdevs) = vdevs(console, devices, &of_pool, force, For::New)? else {
        return Ok(1);
    };
    let altroot = of_pool.iter().find(|(name, _)| *name == "altroot");
    let altroot = altroot.map_or("", |(_, path)| path).to_owned();
    if !altroot.is_empty() && !altroot.starts_with('/') {
        console.note(&Reason::BadAltroot(altroot.as_str().into()));
        console.complain(format!(
            "invalid alternate root '{altroot}': must be an absolute path"
        ));
        return Ok(1);
    }
    if !check_mountpoint(console, name, mountpoint.as_deref(), &altroot) {
        return Ok(1);
    }
    if let Some(path) = &mountpoint {
        of_root.add_default("mountpoint", path);
    }
    if dry {
        console.say(&format!(
            "would create '{name}' with the following layout:\n\n\t{name}"
        ));
        show_vdevs(console, &vdevs, false);
        return Ok(0);
    }
    if let Err(reason) = names::check_pool(name) {
        refuse_name(console, &heading, &reason);
        console.complain("pool name may have been omitted");
        return Ok(1);
    }
    let settings = match of_root.check(Target::NewPool, "", console)? {
        Ok(settings) => settings,
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(1);
        }
    };
    let properties = match check_properties(console, name, &of_pool)? {
        Ok(properties) => properties,
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(1);
        }
    };
    let disabled = |feature: &Feature| {
        properties.iter().any(|(name, text)| {
            property::feature_name(name) == Some(feature.name) && &**text == "disabled"
        })
    };
    let features: BTreeSet<_> = Feature::all(console.release())
        .filter(|feature| all_features && !disabled(feature))
        .map(|feature| feature.name)
        .collect();
    if vdevs.iter().any(draid::is_draid) && !features.contains("draid") {
        return Err(NotModelled("a draid in a pool without features".to_owned()));
    }
    let devices: Vec<Arc<str>> = vdevs.iter().flat_map(|it| it.devices.clone()).collect();
    let op = PoolOp::Create {
        name: name.as_str().into(),
        vdevs,
        properties,
        features,
        settings,
    };
    if let Err(reason) = console.pool(op) {
        if reason == Reason::VdevTwice {
            overwrite_labels(console, &devices);
        }
        if reason == Reason::OutOfSpace {
            console.note(&reason);
            console.complain(format!("{heading}: one or more devices is out of space"));
        } else {
            console.refuse(&heading, &reason);
        }
        return Ok(1);
    }
    let root = console.open(temporary.as_ref().unwrap_or(name), Expected::Filesystem);
    let mounted = root.is_some_and(|root| console.mount(root));
    Ok(u8::from(!mounted))
}

/// Properties of a pool with their values.
type Properties = Vec<(Arc<str>, Arc<str>)>;

/// `zpool_valid_proplist`: the properties of the pool, or why one cannot be.
fn check_properties(
    console: &Console<'_>,
    pool: &str,
    given: &settings::Given,
) -> Result<Result<Properties, Reason>, NotModelled> {
    let mut properties = Vec::new();
    for (name, text) in given.iter() {
        match property::check(name, text, pool, When::Creation, console.release()) {
            Ok(Some(())) => properties.push((name.into(), text.into())),
            Ok(None) => {
                return Err(NotModelled(format!(
                    "the pool's property '{name}' with the value '{text}'"
                )));
            }
            Err(reason) => return Ok(Err(reason)),
        }
    }
    Ok(Ok(properties))
}

/// `vdev_create`: the labels are written in order, up to the device that was there before.
fn overwrite_labels(console: &mut Console<'_>, devices: &[Arc<str>]) {
    let again = (1..devices.len()).find(|&at| devices[..at].contains(&devices[at]));
    let devices = devices[..again.unwrap_or(devices.len())].to_vec();
    // Nothing refuses it.
    let _ = console.pool(PoolOp::OverwriteLabels { devices });
}

/// Where the root filesystem will be mounted must be empty, as far as it lies in a pool.
fn check_mountpoint(
    console: &mut Console<'_>,
    pool: &str,
    given: Option<&str>,
    altroot: &str,
) -> bool {
    let path = match given {
        Some("none" | "legacy") => return true,
        Some(path) if !path.starts_with('/') => {
            console.note(&Reason::BadMountpoint);
            console.complain(format!(
                "invalid mountpoint '{path}': must be an absolute path, 'legacy', or 'none'"
            ));
            return false;
        }
        Some(path) => format!("{altroot}{path}"),
        None => format!("{altroot}/{pool}"),
    };
    if path == "/" || !console.is_empty(&path) {
        console.note(&Reason::MountpointInUse);
        console.complain(format!("mountpoint '{path}' exists and is not empty"));
        console.complain("use '-m' option to provide a different default");
        return false;
    }
    true
}

/// `-O`: a property of the root filesystem.
fn add_of_root(console: &mut Console<'_>, given: &mut settings::Given, text: &str) -> bool {
    let Some((name, _)) = text.split_once('=') else {
        console.complain("missing '=' for -O option");
        return false;
    };
    if Property::by_name(name, console.release()).is_none() && !value::is_user(name) {
        console.note(&Reason::UnknownProperty(name.into()));
        console.complain(format!(
            "property '{name}' is not a valid filesystem property"
        ));
        return false;
    }
    given.add(console, text)
}
