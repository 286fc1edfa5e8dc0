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
use ztwin_model::spa::import::{Checkpoint, ImportAs};
use ztwin_model::spa::op::PoolOp;
use ztwin_model::spa::property::{self, PoolProperty, Rule, When};

use super::{add_property, draid, named_vdevs, refuse_name};
use crate::compare::GUID;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::mounting::Asked;
use crate::programs::settings;
use crate::programs::zfs::mount_all;

/// How pools are looked for, and imported.
#[derive(Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a subcommand's flags are what they are"
)]
struct How {
    /// `-a`
    all: bool,
    /// `-D`
    destroyed: bool,
    /// `-d`
    places: Vec<String>,
    /// `-c`
    cache: Option<String>,
    /// `-s`
    scan: bool,
    /// `-N`
    unmounted: bool,
    /// `-l`
    with_keys: bool,
    /// `-n` or `-X`, which go with `-F`.
    needs_recovery: bool,
    /// `-F`, which does nothing for a healthy pool.
    recovery: bool,
    import_as: ImportAs,
    mount_options: String,
    given: settings::Given,
    properties: Vec<(Arc<str>, Arc<str>)>,
    /// What is wrong with the properties, which is told for every pool.
    wrong: Option<Reason>,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    const LONG: &[args::LongOption] = &[("rewind-to-checkpoint", '\0')];
    let args = args::parse_long(words, ":aCc:d:DEfFlmnNo:R:stT:VX", LONG);
    let mut how = How::default();
    for given in args.given {
        match given {
            Given::Flag('a') => how.all = true,
            Given::Flag('D') => how.destroyed = true,
            Given::Flag('f' | 'm') => {}
            Given::Flag('F') => how.recovery = true,
            Given::Flag('l') => how.with_keys = true,
            Given::Flag('n' | 'X') => how.needs_recovery = true,
            Given::Flag('N') => how.unmounted = true,
            Given::Flag('s') => how.scan = true,
            Given::Flag('t') => {
                how.import_as.temporary = true;
                how.given.add_default("cachefile", "none");
            }
            Given::Flag('\0') => how.import_as.rewind = true,
            Given::Value('c', file) => how.cache = Some(file),
            Given::Value('d', place) => how.places.push(place),
            Given::Value('R', path) => {
                if !how.given.add(console, &format!("altroot={path}")) {
                    return Ok(0);
                }
                how.given.add_default("cachefile", "none");
            }
            Given::Value('o', text) if text.contains('=') => {
                if !add_property(console, &mut how.given, &text) {
                    return Ok(0);
                }
            }
            Given::Value('o', text) => how.mount_options = text,
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
    if let Some(complaint) = how.misused(&args.operands) {
        return Ok(console.usage(complaint));
    }
    how.check_properties(console, args.operands.first().map_or("", |pool| pool))?;
    let found = how.find(console)?;
    match args.operands.as_slice() {
        [] => every(console, &found, &how),
        [wanted, new @ ..] => {
            let new = new.first().map(String::as_str);
            one(console, &found, wanted, new, &how)
        }
    }
}

impl How {
    /// What is wrong with the options and the number of operands.
    fn misused(&self, operands: &[String]) -> Option<&'static str> {
        if self.cache.is_some() && !self.places.is_empty() {
            Some("-c is incompatible with -d")
        } else if self.cache.is_some() && self.scan {
            Some("-c is incompatible with -s")
        } else if self.with_keys && self.unmounted {
            Some("-l is incompatible with -N")
        } else if self.with_keys && !self.all && operands.is_empty() {
            Some("-l is only meaningful during an import")
        } else if self.needs_recovery && !self.recovery {
            Some("-n or -X only meaningful with -F")
        } else if operands.len() > if self.all { 0 } else { 2 } {
            Some("too many arguments")
        } else {
            None
        }
    }

    fn check_properties(&mut self, console: &Console<'_>, pool: &str) -> Result<(), NotModelled> {
        for (name, text) in self.given.iter() {
            let rule = PoolProperty::by_name(name, console.release()).map(|it| it.rule);
            let modelled = matches!(
                rule,
                Some(
                    Rule::Altroot
                        | Rule::Cachefile
                        | Rule::Comment
                        | Rule::Readonly
                        | Rule::Words(..)
                )
            );
            if !modelled {
                return Err(NotModelled(format!("zpool import -o {name}={text}")));
            }
            match property::check(name, text, pool, When::Import, console.release()) {
                Ok(Some(())) => self.properties.push((name.into(), text.into())),
                Ok(None) => {
                    return Err(NotModelled(format!("zpool import with '{name}={text}'")));
                }
                Err(reason) => self.wrong = self.wrong.take().or(Some(reason)),
            }
        }
        Ok(())
    }

    /// `zpool_search_import`: what can be imported, by the numbers of the roots. Without places it looks into
    /// `/dev` and the like.
    fn find(&self, console: &Console<'_>) -> Result<Vec<DatasetId>, NotModelled> {
        let state = console.state();
        if let Some(file) = &self.cache {
            // What a cache file has is imported, and not found; nobody knows whether an empty one is there.
            let mut pools = state.pools.values();
            return if pools.any(|pool| pool.cache_file() == Some(file)) {
                Ok(Vec::new())
            } else {
                Err(NotModelled("whether a cache file is there".to_owned()))
            };
        }
        if self.places.is_empty() {
            return if state.vdevs.keys().any(|path| path.starts_with("/dev/")) {
                Err(NotModelled("a search for pools in /dev".to_owned()))
            } else {
                Ok(Vec::new())
            };
        }
        let places: Vec<&str> = self.places.iter().map(String::as_str).collect();
        let found = state.importable(&places, self.destroyed);
        if found
            .iter()
            .any(|pool| !state.is_whole(pool) || !all_seen(pool, &places))
        {
            return Err(NotModelled("a pool of which vdevs are missing".to_owned()));
        }
        Ok(found.iter().map(|pool| pool.root).collect())
    }
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
fn every(console: &mut Console<'_>, found: &[DatasetId], how: &How) -> Ended {
    if found.is_empty() {
        console.complain("no pools available to import");
        return Ok(0);
    }
    if !how.all {
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
    // `name_or_guid_exists` goes by the name that the devices have.
    let mut known = pools.map(|pool| (&*pool.label, &**pool));
    if number.is_some() && console.guid(DatasetId(0)) == GUID.marker && !found.is_empty() {
        return Err(NotModelled("which pool has this number".to_owned()));
    }
    let matches = |name: &str, pool: &Pool| match number {
        Some(number) => pool.guid.number() == number,
        None => name == wanted,
    };
    if known.any(|(name, pool)| matches(name, pool)) && new.is_none_or(|new| new == wanted) {
        console.note(&Reason::PoolExists(wanted.into()));
        console.complain(format!("{heading}: a pool with that name already exists"));
        console.complain("use the form 'zpool import <pool | id> <newpool>' to give it a new name");
        return Ok(1);
    }
    let candidates: Vec<DatasetId> = found
        .iter()
        .copied()
        .filter(|&root| exported(console, root).is_some_and(|pool| matches(&pool.name, pool)))
        .collect();
    let root = match candidates.as_slice() {
        [] => {
            console.refuse(&heading, &Reason::NothingToImport);
            if how.cache.is_some() {
                console.say("cachefile import failed, retrying");
                console.refuse(&heading, &Reason::NothingToImport);
            }
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
    let pool = exported(console, root);
    let checkpoint = pool.and_then(|pool| pool.checkpoint.as_ref());
    let grown = |checkpoint: &Checkpoint| pool.is_some_and(|it| it.vdevs != checkpoint.pool.vdevs);
    if how.import_as.rewind && checkpoint.is_some_and(grown) {
        return Err(NotModelled(
            "a return to a checkpoint from before vdevs were added".to_owned(),
        ));
    }
    let op = PoolOp::Import {
        root,
        name: target.into(),
        properties: how.properties.clone(),
        how: how.import_as,
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
    if how.with_keys {
        // No dataset is encrypted.
        console.say("0 / 0 keys successfully loaded");
    }
    if how.unmounted {
        return Ok(true);
    }
    let mut asked = Asked::default();
    if !how.mount_options.is_empty() {
        asked.add(&how.mount_options)?;
    }
    let mut wanted = vec![root];
    to_mount(console, root, &mut wanted);
    let mounted = mount_all(console, &wanted, &asked, false)?;
    if mounted || console.release() == Release::V2_1 {
        return Ok(mounted);
    }
    console.complain("Import was successful, but unable to mount some datasets");
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
    if Feature::of_upgrades(console.release()).any(|it| !pool.features.contains(it.name)) {
        return Err(NotModelled(
            "what zpool import says of features that are not enabled".to_owned(),
        ));
    }
    let comment = pool.settings.get("comment");
    let indented = comment.is_some() || console.release() == Release::V2_1;
    let indent = if indented { " " } else { "" };
    let destroyed = if pool.destroyed { " (DESTROYED)" } else { "" };
    let mut text = format!(
        "{indent}  pool: {}\n{indent}    id: {}\n{indent} state: ONLINE{destroyed}\n\
         {indent}action: The pool can be imported using its name or numeric identifier.\n",
        pool.name,
        console.guid_of_pool(pool),
    );
    let lines = named_vdevs(console, pool, false);
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
    let spares = draid::spares(pool);
    if !spares.is_empty() {
        text.push_str("\tspares\n");
    }
    for spare in spares {
        let _ = writeln!(text, "\t  {spare}");
    }
    Ok(text)
}
