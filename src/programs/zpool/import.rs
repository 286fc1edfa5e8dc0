//! `zpool import` (`zpool_do_import`, `import_pools`, `do_import`).

use std::fmt::Write as _;
use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names;
use ztwin_model::dsl::properties::Property;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::spa::Pool;
use ztwin_model::spa::feature::Feature;
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::property::{self, PoolProperty, When};

use super::{refuse_name, vdev_lines};
use crate::compare::GUID;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Asked;
use crate::programs::settings;
use crate::programs::zfs::mount_all;

/// How pools are imported.
#[derive(Default)]
struct How {
    unmounted: bool,
    rewind: bool,
    properties: Vec<(Arc<str>, Arc<str>)>,
    /// What is wrong with the properties, which is told for every pool.
    wrong: Option<Reason>,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    const LONG: &[args::LongOption] = &[("rewind-to-checkpoint", '\0')];
    let args = args::parse_long(words, ":aCc:d:DEfFlmnNo:R:stT:VX", LONG);
    let mut how = How::default();
    let mut given_properties = settings::Given::default();
    let mut places: Vec<String> = Vec::new();
    let mut all = false;
    for given in args.given {
        match given {
            Given::Flag('a') => all = true,
            Given::Flag('f') => {}
            Given::Flag('N') => how.unmounted = true,
            Given::Flag('\0') => how.rewind = true,
            Given::Value('d', place) => places.push(place),
            Given::Value('R', path) => {
                if !given_properties.add(console, &format!("altroot={path}")) {
                    return Ok(0);
                }
                given_properties.add_default("cachefile", "none");
            }
            Given::Value('o', text) if text.contains('=') => {
                let name = text.split('=').next().unwrap_or_default();
                let known = PoolProperty::by_name(name, console.release()).is_some();
                if !known && property::feature_name(name).is_none() {
                    let reason = Reason::UnknownPoolProperty(name.into());
                    super::create::no_such_property(console, &reason, name);
                    return Ok(0);
                }
                if !["altroot", "cachefile"].contains(&name) {
                    return Err(NotModelled(format!("zpool import -o {name}")));
                }
                if !given_properties.add(console, &text) {
                    return Ok(0);
                }
            }
            Given::Flag(letter) | Given::Value(letter, _) => {
                return Err(NotModelled(format!("zpool import -{letter}")));
            }
            Given::NoValue(letter) => {
                return Ok(console.usage(&format!("missing argument for '{letter}' option")));
            }
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if args.operands.len() > if all { 0 } else { 2 } {
        return Ok(console.usage("too many arguments"));
    }
    for (name, text) in given_properties.iter() {
        let pool = args.operands.first().map_or("", |pool| pool);
        match property::check(name, text, pool, When::Import, console.release()) {
            Ok(Some(())) => how.properties.push((name.into(), text.into())),
            Ok(None) => return Err(NotModelled(format!("zpool import with '{name}={text}'"))),
            Err(reason) => how.wrong = how.wrong.or(Some(reason)),
        }
    }
    let found = find(console, &places)?;
    let Some((wanted, new)) = args.operands.split_first() else {
        return every(console, &found, all, &how);
    };
    one(
        console,
        &found,
        wanted,
        new.first().map(String::as_str),
        &how,
    )
}

/// `zpool_search_import`: what can be imported, by the numbers of the roots. Without places it looks into
/// `/dev` and the like.
fn find(console: &Console<'_>, places: &[String]) -> Result<Vec<DatasetId>, NotModelled> {
    let state = console.state();
    let places: Vec<&str> = places.iter().map(String::as_str).collect();
    let found = if places.is_empty() {
        if state.vdevs.keys().any(|path| path.starts_with("/dev/")) {
            return Err(NotModelled("a search for pools in /dev".to_owned()));
        }
        Vec::new()
    } else {
        state.importable(&places)
    };
    for pool in &found {
        let whole = pool.devices().all(|it| state.vdevs.contains_key(it));
        let mut others = state.importable(&places).into_iter();
        if !whole || !others.any(|it| it.root == pool.root) || !all_seen(pool, &places) {
            return Err(NotModelled("a pool of which vdevs are missing".to_owned()));
        }
    }
    Ok(found.iter().map(|pool| pool.root).collect())
}

/// Whether all vdevs of a pool are where is looked for them.
fn all_seen(pool: &Pool, places: &[&str]) -> bool {
    pool.devices().all(|device| {
        places.iter().any(|place| {
            let directory = device
                .rsplit_once('/')
                .map_or("", |(directory, _)| directory);
            *place == device || place.trim_end_matches('/') == directory
        })
    })
}

fn exported<'c>(console: &'c Console<'_>, root: DatasetId) -> Option<&'c Pool> {
    let mut pools = console.state().exported.iter();
    pools.find(|pool| pool.root == root).map(|pool| &**pool)
}

/// Without a name: shows what can be imported, or with `-a` imports it.
fn every(console: &mut Console<'_>, found: &[DatasetId], all: bool, how: &How) -> Ended {
    if found.is_empty() {
        console.complain("no pools available to import");
        return Ok(0);
    }
    if !all {
        let [root] = found else {
            return Err(NotModelled(
                "the order in which pools are found that can be imported".to_owned(),
            ));
        };
        let Some(pool) = exported(console, *root) else {
            return Ok(1);
        };
        let text = show(console, pool)?;
        console.out.push_str(&text);
        return Ok(0);
    }
    let mut code = 0;
    for root in found {
        let Some(name) = exported(console, *root).map(|pool| pool.name.clone()) else {
            continue;
        };
        if found.len() > 1 && console.state().pools.contains_key(&name) {
            return Err(NotModelled(
                "which of two pools is imported first".to_owned(),
            ));
        }
        if !import(console, *root, &name, None, how)? {
            code = 1;
        }
    }
    Ok(code)
}

/// Imports the pool of a name or number, perhaps under a new name.
fn one(
    console: &mut Console<'_>,
    found: &[DatasetId],
    wanted: &str,
    new: Option<&str>,
    how: &How,
) -> Ended {
    let heading = format!("cannot import '{wanted}'");
    let number = wanted.parse::<u64>().ok();
    let pools = console.state().pools.values();
    let mut known = pools.map(|pool| (pool.name.clone(), pool.root));
    if number.is_some() && console.guid(DatasetId(0)) == GUID.marker && !found.is_empty() {
        return Err(NotModelled("which pool has this number".to_owned()));
    }
    let matches = |name: &str, root: DatasetId| match number {
        Some(number) => root.0 == number,
        None => name == wanted,
    };
    if known.any(|(name, root)| matches(&name, root)) && new.is_none_or(|new| new == wanted) {
        console.note(&Reason::PoolExists(wanted.into()));
        console.complain(format!("{heading}: a pool with that name already exists"));
        console.complain("use the form 'zpool import <pool | id> <newpool>' to give it a new name");
        return Ok(1);
    }
    let candidates: Vec<DatasetId> = found
        .iter()
        .copied()
        .filter(|&root| exported(console, root).is_some_and(|pool| matches(&pool.name, root)))
        .collect();
    let root = match candidates.as_slice() {
        [] => {
            console.refuse(&heading, &Reason::NothingToImport);
            return Ok(1);
        }
        [root] => *root,
        more => {
            for _ in &more[1..] {
                console.refuse(&heading, &Reason::MoreThanOnePool);
                console.complain("import by numeric ID instead");
            }
            return Ok(1);
        }
    };
    let name = exported(console, root).map(|pool| pool.name.clone());
    let name = name.unwrap_or_default();
    Ok(u8::from(!import(console, root, &name, new, how)?))
}

/// `do_import`.
fn import(
    console: &mut Console<'_>,
    root: DatasetId,
    name: &str,
    new: Option<&str>,
    how: &How,
) -> Result<bool, NotModelled> {
    let heading = match new {
        Some(new) => format!("cannot import '{name}' as '{new}'"),
        None => format!("cannot import '{name}'"),
    };
    let target = new.unwrap_or(name);
    if let Err(reason) = names::check_pool(target) {
        refuse_name(console, &format!("cannot import '{target}'"), &reason);
        return Ok(false);
    }
    if let Some(reason) = &how.wrong {
        console.refuse(&format!("cannot import pool '{name}'"), reason);
        return Ok(false);
    }
    let op = PoolOp::Import {
        root,
        name: target.into(),
        properties: how.properties.clone(),
        rewind: how.rewind,
    };
    match console.pool(op) {
        Ok(()) => {}
        Err(reason @ Reason::NoCheckpoint) => {
            console.refuse(&heading, &reason);
            console.say("\tDestroy and re-create the pool from\n\ta backup source.");
            return Ok(false);
        }
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(false);
        }
    }
    if how.unmounted {
        return Ok(true);
    }
    let mut wanted = vec![root];
    to_mount(console, root, &mut wanted);
    let mounted = mount_all(console, &wanted, &Asked::default(), false)?;
    if !mounted {
        return Err(NotModelled(
            "what zpool import says when a filesystem cannot be mounted".to_owned(),
        ));
    }
    Ok(true)
}

/// `zpool_enable_datasets`: unlike `zfs mount -a` it goes below nothing that is `noauto`, and asks of the
/// pool's own filesystem only that it can be mounted.
fn to_mount(console: &Console<'_>, above: DatasetId, wanted: &mut Vec<DatasetId>) {
    for child in console.children(above) {
        if !console.is(child, Property::Canmount, "noauto") {
            wanted.push(child);
            to_mount(console, child, wanted);
        }
    }
}

/// `show_import`.
fn show(console: &Console<'_>, pool: &Pool) -> Result<String, NotModelled> {
    if Feature::all(console.release()).any(|it| !pool.features.contains(it.name)) {
        return Err(NotModelled(
            "what zpool import says of features that are not enabled".to_owned(),
        ));
    }
    let comment = pool.settings.get("comment");
    let indented = comment.is_some() || console.release() == Release::V2_1;
    let indent = if indented { " " } else { "" };
    let mut text = format!(
        "{indent}  pool: {}\n{indent}    id: {}\n{indent} state: ONLINE\n\
         {indent}action: The pool can be imported using its name or numeric identifier.\n",
        pool.name,
        console.guid(pool.root),
    );
    let lines = vdev_lines(pool);
    let widest = lines.iter().map(|line| line.name.len() + 2 * line.depth);
    let width = widest.chain([pool.name.len(), 10]).max().unwrap_or(10);
    // Writing to a string cannot fail.
    if let Some(comment) = comment {
        let _ = writeln!(text, "comment: {comment}");
    }
    let _ = writeln!(text, "{indent}config:\n");
    let _ = writeln!(text, "\t{:<width$}  ONLINE", pool.name);
    for line in lines {
        let (indent, width) = (2 * line.depth, width - 2 * line.depth);
        let _ = writeln!(text, "\t{:indent$}{:<width$}  ONLINE", "", line.name);
    }
    Ok(text)
}
