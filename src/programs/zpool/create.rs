//! `zpool create` (`zpool_do_create`, `make_root_vdev`).

use std::sync::Arc;

use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::property::Property;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::{self, Target};
use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::property::{self, When};
use ztwin_model::spa::{Pool, Shape, Vdev};

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
    let Some(vdevs) = vdevs(console, devices, &of_pool, force)? else {
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
        show_layout(console, name, &vdevs);
        return Ok(0);
    }
    if let Err(reason) = names::check_pool(name) {
        refuse_name(console, &heading, &reason);
        console.complain("pool name may have been omitted");
        return Ok(1);
    }
    let settings = match of_root.check(Target::NewPool, console)? {
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
    let features = Feature::all(console.release())
        .filter(|feature| all_features && !disabled(feature))
        .map(|feature| feature.name)
        .collect();
    let op = PoolOp::Create {
        name: name.as_str().into(),
        vdevs,
        properties,
        features,
        settings,
    };
    if let Err(reason) = console.pool(op) {
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

/// `print_vdev_tree`: what would be made.
fn show_layout(console: &mut Console<'_>, pool: &str, vdevs: &[Vdev]) {
    console.say(&format!(
        "would create '{pool}' with the following layout:\n\n\t{pool}"
    ));
    for vdev in vdevs {
        let kind = match vdev.shape {
            Shape::Single => None,
            Shape::Mirror => Some("mirror".to_owned()),
            Shape::Raidz(parity) => Some(format!("raidz{parity}")),
        };
        let indent = if kind.is_some() { "    " } else { "  " };
        if let Some(kind) = kind {
            console.say(&format!("\t  {kind}"));
        }
        for device in &vdev.devices {
            console.say(&format!("\t{indent}{device}"));
        }
    }
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

/// `construct_spec`, `check_in_use`: the top-level vdevs, or nothing when they cannot be.
fn vdevs(
    console: &mut Console<'_>,
    words: &[String],
    of_pool: &settings::Given,
    force: bool,
) -> Result<Option<Vec<Vdev>>, NotModelled> {
    let mut vdevs: Vec<Vdev> = Vec::new();
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some((shape, least)) = shape(word)? else {
            let Some(device) = device(console, word, of_pool) else {
                return Ok(None);
            };
            vdevs.push(Vdev {
                shape: Shape::Single,
                devices: vec![device],
            });
            continue;
        };
        let mut devices = Vec::new();
        while let Some(next) = words.peek() {
            if self::shape(next)?.is_some() {
                break;
            }
            let Some(device) = device(console, next, of_pool) else {
                return Ok(None);
            };
            devices.push(device);
            words.next();
        }
        if devices.len() < least {
            let reason = Reason::TooFewVdevs(word.as_str().into(), least as u64);
            console.refuse("invalid vdev specification", &reason);
            return Ok(None);
        }
        vdevs.push(Vdev { shape, devices });
    }
    let devices: Vec<&Arc<str>> = vdevs.iter().flat_map(|vdev| &vdev.devices).collect();
    let mut wrong: Vec<Reason> = devices
        .iter()
        .filter_map(|device| in_use(console, device, force))
        .collect();
    for device in &devices {
        let owner = console.state().owner_of_vdev(device);
        if force && owner.is_some_and(|owner| owner.lasting_name().is_some()) {
            return Err(NotModelled(format!(
                "'{device}' taken from a pool under a temporary name"
            )));
        }
        let owner = console.state().exported_owner_of_vdev(device);
        let mut others = owner.into_iter().flat_map(Pool::devices);
        if force && others.any(|other| devices.iter().all(|device| &***device != other)) {
            return Err(NotModelled(format!(
                "an exported pool that loses '{device}' and not all of its vdevs"
            )));
        }
    }
    if wrong.is_empty() && !force {
        wrong = replication(console, &vdevs);
    }
    if !wrong.is_empty() {
        console.complain("invalid vdev specification");
        console.complain(if force {
            "the following errors must be manually repaired:"
        } else {
            "use '-f' to override the following errors:"
        });
        for reason in wrong {
            console.tell(&reason);
        }
        return Ok(None);
    }
    Ok(Some(vdevs))
}

/// `check_file`: the pool that a device belongs to.
fn in_use(console: &Console<'_>, device: &Arc<str>, force: bool) -> Option<Reason> {
    let device = device.clone();
    if let Some(owner) = console.state().owner_of_vdev(&device) {
        return Some(match owner.lasting_name() {
            Some(lasting) => Reason::VdevPerhapsInUse(device, lasting.into()),
            None => Reason::VdevInUse(device, owner.name.as_str().into()),
        });
    }
    let owner = console.state().exported_owner_of_vdev(&device)?;
    (!force).then(|| Reason::VdevOfExported(device, owner.name.as_str().into()))
}

/// Devices whose sizes differ by more than this are of different sizes, in bytes (`ZPOOL_FUZZ`).
const FUZZ: u64 = 16 << 20;

/// `get_replication`: devices of one vdev have one size, and all vdevs stand up to the same failures.
fn replication(console: &Console<'_>, vdevs: &[Vdev]) -> Vec<Reason> {
    let mut wrong = Vec::new();
    let mut mismatched = false;
    let mut before: Option<&Vdev> = None;
    for vdev in vdevs {
        let sizes = || {
            vdev.devices
                .iter()
                .filter_map(|it| console.state().vdevs.get(&**it))
                .copied()
        };
        let spread = sizes().max().unwrap_or(0) - sizes().min().unwrap_or(0);
        if spread > FUZZ {
            wrong.push(Reason::DifferentSizes(kind(vdev)));
        }
        if let Some(before) = before.filter(|_| !mismatched)
            && let Some(how) = differ(before, vdev)
        {
            wrong.push(Reason::MismatchedReplication(how.into()));
            mismatched = true;
        }
        before = Some(vdev);
    }
    wrong
}

/// What a vdev is called in a complaint.
fn kind(vdev: &Vdev) -> &'static str {
    match vdev.shape {
        Shape::Single => "file",
        Shape::Mirror => "mirror",
        Shape::Raidz(_) => "raidz",
    }
}

/// How two vdevs stand up to failures differently.
fn differ(one: &Vdev, other: &Vdev) -> Option<String> {
    match (&one.shape, &other.shape) {
        (Shape::Raidz(some), Shape::Raidz(more)) => (some != more).then(|| {
            format!(
                "raidz and raidz vdevs with different redundancy, {some} vs. {more} are present"
            )
        }),
        (Shape::Raidz(parity), Shape::Mirror) => differ_from_mirror(*parity, other.devices.len()),
        (Shape::Mirror, Shape::Raidz(parity)) => differ_from_mirror(*parity, one.devices.len()),
        (Shape::Mirror, Shape::Mirror) => {
            let (ways, others) = (one.devices.len(), other.devices.len());
            (ways != others)
                .then(|| format!("both {ways}-way and {others}-way mirror vdevs are present"))
        }
        (Shape::Single, Shape::Single) => None,
        _ => Some(format!(
            "both {} and {} vdevs are present",
            kind(one),
            kind(other)
        )),
    }
}

/// A raidz beside a mirror of so many ways.
fn differ_from_mirror(parity: u8, ways: usize) -> Option<String> {
    let spare = ways - 1;
    (usize::from(parity) != spare).then(|| {
        format!(
            "raidz and mirror vdevs with different redundancy, {parity} vs. {spare} ({ways}-way) are present"
        )
    })
}

/// The shape that a keyword asks for, with the number of devices it needs at least.
fn shape(word: &str) -> Result<Option<(Shape, usize)>, NotModelled> {
    Ok(match word {
        "mirror" => Some((Shape::Mirror, 2)),
        "raidz" | "raidz1" => Some((Shape::Raidz(1), 2)),
        "raidz2" => Some((Shape::Raidz(2), 3)),
        "raidz3" => Some((Shape::Raidz(3), 4)),
        "log" | "cache" | "spare" | "special" | "dedup" => {
            return Err(NotModelled(format!("'{word}' devices")));
        }
        _ if word.starts_with("draid") => return Err(NotModelled("draid".to_owned())),
        _ => None,
    })
}

/// `make_leaf_vdev`: a vdev file by its absolute path.
fn device(console: &mut Console<'_>, word: &str, of_pool: &settings::Given) -> Option<Arc<str>> {
    if !console.state().vdevs.contains_key(word) {
        console.note(&Reason::NoSuchVdev(word.into()));
        if word.starts_with('/') {
            console.complain(format!("cannot resolve path '{word}'"));
        } else {
            console.complain(format!("cannot open '{word}': no such device in /dev"));
            console.complain("must be a full path or shorthand device name");
        }
        return None;
    }
    let ashift = of_pool
        .iter()
        .find(|(name, _)| *name == "ashift")
        .map(|(_, text)| text);
    match ashift.map(|text| (text, value::size(text))) {
        Some((_, Err(reason))) => {
            console.note(&reason);
            console.complain("ashift must be a number.");
            None
        }
        Some((text, Ok(bits))) if bits != 0 && !(9..=16).contains(&bits) => {
            console.tell(&Reason::BadPoolProperty("ashift".into(), text.into()));
            None
        }
        _ => Some(word.into()),
    }
}
