//! The devices that `zpool create`, `add`, `attach` and `replace` are given (`make_root_vdev`).

use std::sync::Arc;

use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value;
use ztwin_model::spa::{Draid, Pool, Shape, Vdev};

use super::draid;
use crate::programs::console::{Console, NotModelled};
use crate::programs::settings;

/// What vdevs are for, by which it is judged how they stand up to failures.
#[derive(Clone, Copy)]
pub(super) enum For<'a> {
    /// A new pool.
    New,
    /// This pool, which has vdevs.
    More(&'a str),
    /// A place beside or instead of a device.
    Device,
}

/// `construct_spec`, `check_in_use`: the top-level vdevs, or nothing when they cannot be.
pub(super) fn vdevs(
    console: &mut Console<'_>,
    words: &[String],
    of_pool: &settings::Given,
    force: bool,
    purpose: For<'_>,
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
        let shape = match shape {
            Shape::Draid(_) => match draid::shape(word, devices.len() as u64) {
                Ok(draid) => Shape::Draid(draid),
                Err(complaint) => {
                    console.complain(complaint);
                    return Ok(None);
                }
            },
            shape => shape,
        };
        vdevs.push(Vdev { shape, devices });
    }
    let there = match purpose {
        For::More(pool) => console.state().pools.get(pool),
        For::New | For::Device => None,
    };
    let has_draid = vdevs.iter().any(draid::is_draid);
    if has_draid && vdevs.len() > 1 || there.is_some_and(|pool| has_draid || draid::is_in(pool)) {
        return Err(NotModelled("a draid beside other vdevs".to_owned()));
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
        wrong = match purpose {
            For::New => replication(console, &vdevs),
            For::More(pool) => check_replication(console, pool, &vdevs)?,
            For::Device => Vec::new(),
        };
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

/// `check_replication`: new vdevs stand up to the same failures as those of the pool, unless these differ
/// already.
fn check_replication(
    console: &Console<'_>,
    pool: &str,
    vdevs: &[Vdev],
) -> Result<Vec<Reason>, NotModelled> {
    let there = console.state().pools.get(pool);
    let there = there.map_or(&[][..], |pool| &pool.vdevs[..]);
    if there
        .windows(2)
        .any(|two| differ(&two[0], &two[1]).is_some())
    {
        return Ok(Vec::new());
    }
    let wrong = replication(console, vdevs);
    let (Some(one), Some(other)) = (there.last(), vdevs.last()) else {
        return Ok(wrong);
    };
    let both_raidz = matches!(
        (&one.shape, &other.shape),
        (Shape::Raidz(_), Shape::Raidz(_))
    );
    if both_raidz && (one.shape != other.shape || one.devices.len() != other.devices.len()) {
        return Err(NotModelled(
            "a raidz that is added and differs from the one that is there".to_owned(),
        ));
    }
    Ok(match differ_from_pool(one, other) {
        Some(how) if wrong.is_empty() => vec![Reason::MismatchedReplication(how.into())],
        _ => wrong,
    })
}

/// How a vdev stands up to failures differently from one that is there.
fn differ_from_pool(one: &Vdev, other: &Vdev) -> Option<String> {
    let (ways, others) = (one.devices.len(), other.devices.len());
    let beside_mirror = |parity: u8, ways: usize| {
        let spare = ways - 1;
        (usize::from(parity) != spare).then(|| {
            format!(
                "pool and new vdev with different redundancy, raidz and mirror vdevs, \
                 {parity} vs. {spare} ({ways}-way)"
            )
        })
    };
    match (&one.shape, &other.shape) {
        (Shape::Single, Shape::Single) | (Shape::Raidz(_), Shape::Raidz(_)) => None,
        (Shape::Raidz(parity), Shape::Mirror) => beside_mirror(*parity, others),
        (Shape::Mirror, Shape::Raidz(parity)) => beside_mirror(*parity, ways),
        (Shape::Mirror, Shape::Mirror) => (ways != others)
            .then(|| format!("pool uses {ways}-way mirror and new vdev uses {others}-way mirror")),
        _ => Some(format!(
            "pool uses {} and new vdev is {}",
            kind(one),
            kind(other)
        )),
    }
}

/// What a vdev is called in a complaint.
fn kind(vdev: &Vdev) -> &'static str {
    match vdev.shape {
        Shape::Single => "file",
        Shape::Mirror => "mirror",
        Shape::Raidz(_) => "raidz",
        Shape::Draid(_) => "draid",
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
        _ if draid::is_spare(word) => return Err(NotModelled("a spare of a draid".to_owned())),
        _ => draid::parity(word).map(|parity| {
            let draid = Draid {
                parity,
                data: 0,
                spares: 0,
            };
            (
                Shape::Draid(draid),
                usize::try_from(parity).unwrap_or(0) + 1,
            )
        }),
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
/// `print_vdev_tree`: vdevs that would be made, or with their numbers those that are there.
pub(super) fn show_vdevs(console: &mut Console<'_>, vdevs: &[Vdev], there: bool) {
    for (at, vdev) in vdevs.iter().enumerate() {
        let kind = match vdev.shape {
            Shape::Single => None,
            Shape::Mirror => Some("mirror".to_owned()),
            Shape::Raidz(parity) => Some(format!("raidz{parity}")),
            Shape::Draid(draid) => Some(draid::name(draid, vdev.devices.len())),
        };
        let indent = if kind.is_some() { "    " } else { "  " };
        let number = if there {
            format!("-{at}")
        } else {
            String::new()
        };
        if let Some(kind) = kind {
            console.say(&format!("\t  {kind}{number}"));
        }
        for device in &vdev.devices {
            console.say(&format!("\t{indent}{device}"));
        }
    }
}

/// `-o` of what changes the devices of a pool: `ashift` and nothing else. The exit code of what is wrong.
pub(super) fn ashift(
    console: &mut Console<'_>,
    of_pool: &mut settings::Given,
    text: &str,
) -> Option<u8> {
    match text.split_once('=') {
        None => Some(console.usage("missing '=' for -o option")),
        Some((name, _)) if name != "ashift" => Some(console.usage("")),
        Some(_) if of_pool.add(console, text) => None,
        Some(_) => Some(console.usage("")),
    }
}

/// Sectors of another size than the pool has are not modelled.
pub(super) fn check_sectors(
    console: &Console<'_>,
    pool: &str,
    of_pool: &settings::Given,
) -> Result<(), NotModelled> {
    let has = console.state().pools.get(pool).map(|pool| pool.ashift);
    let mut asked = of_pool.iter().map(|(_, text)| text.parse().ok());
    if asked.any(|asked| asked != has) {
        return Err(NotModelled(
            "sectors of another size than the pool has".to_owned(),
        ));
    }
    Ok(())
}

/// Whether a word names a mirror of a pool (`zpool_find_vdev`).
pub(super) fn group(console: &Console<'_>, pool: &str, word: &str) -> Result<bool, NotModelled> {
    if word.starts_with("raidz") || word.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(NotModelled(format!("what '{word}' is in a pool")));
    }
    let Some(pool) = console.state().pools.get(pool) else {
        return Ok(false);
    };
    if draid::is_in(pool) {
        return Err(NotModelled(
            "what changes the devices of a draid".to_owned(),
        ));
    }
    let mut vdevs = pool.vdevs.iter().enumerate();
    Ok(vdevs.any(|(at, vdev)| vdev.shape == Shape::Mirror && word == format!("mirror-{at}")))
}
