//! `zfs create` (`zfs_do_create`).

use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::Target;

use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;
use crate::programs::zpool::open_failed;

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "V:b:nso:puvP");
    let mut properties = settings::Given::default();
    let (mut parents, mut dry, mut verbose, mut parsable, mut unmounted) =
        (false, false, false, false, false);
    for given in args.given {
        match given {
            Given::Flag('p') => parents = true,
            Given::Flag('n') => dry = true,
            Given::Flag('v') => verbose = true,
            Given::Flag('P') => parsable = true,
            Given::Flag('u') => unmounted = true,
            Given::Value('o', text) => {
                if !properties.add(console, &text) {
                    return Ok(1);
                }
            }
            Given::Value('V' | 'b', _) => return Err(NotModelled("volumes".to_owned())),
            Given::Flag(letter) | Given::Value(letter, _) => {
                // `-s` is of volumes only.
                debug_assert_eq!(letter, 's');
                return Ok(console.usage("'-s' and '-b' can only be used when creating a volume"));
            }
            Given::NoValue(_) => return Ok(console.usage("missing size argument")),
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    let [name] = args.operands.as_slice() else {
        return Ok(console.usage(if args.operands.is_empty() {
            "missing filesystem argument"
        } else {
            "too many arguments"
        }));
    };
    let pool = names::pool(name);
    if dry && !console.state().pools.contains_key(pool) {
        open_failed(console, pool, &Reason::NoSuchPool(pool.into()));
        return Ok(1);
    }
    if dry && let Err(reason) = properties.check(Target::NewFilesystem, console.release())? {
        console.refuse(&format!("cannot verify '{name}'"), &reason);
        return Ok(1);
    }
    if parents && names::check(name, Expected::Filesystem).is_ok() {
        if console.state().find(name).is_some() {
            return Ok(0);
        }
        if verbose || parsable {
            console.say(&told(
                "create ancestors of",
                "create_ancestors",
                name,
                dry,
                parsable,
            ));
        }
        if !dry && !create_ancestors(console, name) {
            return Ok(1);
        }
    }
    if verbose || parsable {
        console.say(&told("create", "create", name, dry, parsable));
        for (property, value) in properties.iter() {
            console.say(&if parsable {
                format!("property\t{property}\t{value}")
            } else {
                format!("\t{property}={value}")
            });
        }
    }
    if dry {
        return Ok(0);
    }
    if !create(console, name, &properties)? {
        return Ok(1);
    }
    Ok(if unmounted {
        0
    } else {
        console.mount_new(name)
    })
}

/// A line of `-v` or `-P`.
fn told(what: &str, word: &str, name: &str, dry: bool, parsable: bool) -> String {
    match (parsable, dry) {
        (true, _) => format!("{word}\t{name}"),
        (false, true) => format!("would {what} {name}"),
        (false, false) => format!("{what} {name}"),
    }
}

/// `zfs_create`: the name and its parent first, then the properties, then the kernel.
fn create(
    console: &mut Console<'_>,
    name: &str,
    properties: &settings::Given,
) -> Result<bool, NotModelled> {
    let heading = format!("cannot create '{name}'");
    let deep = names::check_new(name, Expected::Filesystem).is_ok() && is_too_deep(name);
    let checked = if deep {
        Err(Reason::NestedTooDeep)
    } else {
        check_new(console, name)
    };
    if let Err(reason) = checked {
        console.refuse(&heading, &reason);
        return Ok(false);
    }
    if console.state().find(name).is_some() {
        console.refuse(&heading, &Reason::AlreadyExists);
        return Ok(false);
    }
    let settings = match properties.check(Target::NewFilesystem, console.release())? {
        Ok(settings) => settings,
        Err(reason) => {
            console.refuse(&heading, &reason);
            return Ok(false);
        }
    };
    settings::check_room(console, name, &settings)?;
    match console.dataset(DslOp::Create {
        name: name.into(),
        settings,
    }) {
        Ok(()) => Ok(true),
        Err(reason) => {
            console.refuse(&heading, &reason);
            Ok(false)
        }
    }
}

/// `zfs_validate_name` and `check_parents`.
pub(super) fn check_new(console: &Console<'_>, name: &str) -> Result<(), Reason> {
    names::check_new(name, Expected::Filesystem)?;
    let parent = names::parent(name).ok_or(Reason::NoDatasetName)?;
    let pool = names::pool(name);
    if console.state().find(pool).is_none() {
        return Err(Reason::NoSuchPool(pool.into()));
    }
    console
        .state()
        .find(parent)
        .map(|_| ())
        .ok_or(Reason::NoParent)
}

/// `dataset_nestcheck`, which stops one level before the kernel does.
fn is_too_deep(name: &str) -> bool {
    names::nesting(name) >= names::MAX_NESTING
}

/// `zfs_create_ancestors`: makes and mounts each that is missing.
pub(super) fn create_ancestors(console: &mut Console<'_>, name: &str) -> bool {
    let pool = names::pool(name);
    let heading = format!("cannot create '{name}'");
    if is_too_deep(name) {
        console.refuse(&heading, &Reason::NestedTooDeep);
        return false;
    }
    if names::parent(name).is_none() {
        console.refuse(&heading, &Reason::NoDatasetName);
        return false;
    }
    if console.state().find(pool).is_none() {
        console.refuse(&heading, &Reason::NoSuchPool(pool.into()));
        return false;
    }
    for (end, _) in name.match_indices('/') {
        let above = &name[..end];
        if console.state().find(above).is_some() {
            continue;
        }
        let created = console.dataset(DslOp::Create {
            name: above.into(),
            settings: Vec::new(),
        });
        if let Err(reason) = created {
            console.refuse(&format!("cannot create '{above}'"), &reason);
            return false;
        }
        let made = console.state().find(above);
        if made.is_some_and(|id| !console.mount(id)) {
            return false;
        }
    }
    true
}
