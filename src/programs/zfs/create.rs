//! `zfs create` (`zfs_do_create`).

use ztwin_model::dmu::Volume;
use ztwin_model::dsl::names::{self, Expected};
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::properties::{FILESYSTEM, Key, Property, VOLUME, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::{self, Target};
use ztwin_model::fault::Fault;

use super::volume;
use crate::programs::args::{self, Given};
use crate::programs::console::{Console, Ended, NotModelled};
use crate::programs::settings;
use crate::programs::zpool;

/// The flags, and the size of a volume.
#[derive(Default)]
struct Create {
    parents: bool,
    dry: bool,
    verbose: bool,
    parsable: bool,
    unmounted: bool,
    sparse: bool,
    volume: Option<u64>,
    properties: settings::Given,
}

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let args = args::parse(words, "V:b:nso:puvP");
    let mut create = Create::default();
    let mut blocks = false;
    for given in args.given {
        match given {
            Given::Flag('p') => create.parents = true,
            Given::Flag('n') => create.dry = true,
            Given::Flag('v') => create.verbose = true,
            Given::Flag('P') => {
                create.verbose = true;
                create.parsable = true;
            }
            Given::Flag('u') => create.unmounted = true,
            Given::Flag(_) => create.sparse = true,
            Given::Value('o', text) => {
                if !create.properties.add(console, &text) {
                    return Ok(1);
                }
            }
            Given::Value(letter, text) => {
                let (property, what) = match letter {
                    'V' => ("volsize", "volume size"),
                    _ => ("volblocksize", "volume block size"),
                };
                let bytes = match value::size(&text) {
                    Ok(bytes) => bytes,
                    Err(reason) => {
                        console.refuse(&format!("bad {what} '{text}'"), &reason);
                        return Ok(1);
                    }
                };
                create.properties.put(property, bytes);
                if letter == 'V' {
                    create.volume = Some(bytes);
                } else {
                    blocks = true;
                }
            }
            Given::NoValue(_) => return Ok(console.usage("missing size argument")),
            Given::Unknown(letter) => {
                return Ok(console.usage(&format!("invalid option '{letter}'")));
            }
        }
    }
    if create.volume.is_none() && (blocks || create.sparse) {
        return Ok(console.usage("'-s' and '-b' can only be used when creating a volume"));
    }
    if create.volume.is_some() && create.unmounted {
        return Ok(console.usage("'-u' can only be used when creating a filesystem"));
    }
    match args.operands.as_slice() {
        [name] => create.run(console, name),
        [] if create.volume.is_some() => Ok(console.usage("missing volume argument")),
        [] => Ok(console.usage("missing filesystem argument")),
        _ => Ok(console.usage("too many arguments")),
    }
}

impl Create {
    fn run(mut self, console: &mut Console<'_>, name: &str) -> Ended {
        if (self.dry || self.volume.is_some()) && !self.prepare(console, name)? {
            return Ok(1);
        }
        let Create { dry, parsable, .. } = self;
        if self.parents && names::check(name, Expected::Filesystem).is_ok() {
            let kind = if self.volume.is_some() {
                VOLUME
            } else {
                FILESYSTEM
            };
            let there = console.state().find(name);
            let there = there.and_then(|id| console.state().dataset(id));
            if there.is_some_and(|it| it.kinds() == kind) {
                return Ok(0);
            }
            if self.verbose {
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
        if self.verbose {
            console.say(&told("create", "create", name, dry, parsable));
            for (property, value) in self.properties.iter() {
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
        if !self.create(console, name)? {
            return Ok(1);
        }
        Ok(if self.unmounted {
            0
        } else {
            console.mount_new(name)
        })
    }

    const fn target(&self) -> Target {
        if self.volume.is_some() {
            Target::NewVolume
        } else {
            Target::NewFilesystem
        }
    }

    /// Checks the properties before anything else is, and fills in what a volume was not given.
    fn prepare(&mut self, console: &mut Console<'_>, name: &str) -> Result<bool, NotModelled> {
        let pool = name.split('/').next().unwrap_or(name);
        let heading = format!("cannot open '{pool}'");
        if let Err(reason) = names::check_pool(pool) {
            zpool::refuse_name(console, &heading, &reason);
            return Ok(false);
        }
        if !zpool::is_open(console, pool) {
            return Ok(false);
        }
        let what = if self.dry { "verify" } else { "create" };
        let checked = match self.properties.check(self.target(), name, console)? {
            Ok(checked) => checked,
            Err(reason) => {
                console.refuse(&format!("cannot {what} '{name}'"), &reason);
                return Ok(false);
            }
        };
        let Some(size) = self.volume else {
            return Ok(true);
        };
        let given = volume::number(&checked, Property::Volblocksize);
        let block_size = volume::block_size(console, pool, given);
        let usual = volume::default_block_size(console.release());
        if block_size != usual && !self.properties.is_text("volblocksize") {
            self.properties
                .put_text("volblocksize", &block_size.to_string());
        }
        let size = size.checked_next_multiple_of(block_size).unwrap_or(0);
        if Some(size) != self.volume {
            self.properties.put("volsize", size);
        }
        if !self.sparse && !self.properties.is_text("refreservation") {
            let pool = console.state().pools.get(pool);
            let pool = pool.filter(|_| !volume::is_plain(console));
            let kept =
                volume::reservation(pool.map(|it| &**it), size, block_size, console.release());
            self.properties.put("refreservation", kept);
        }
        Ok(true)
    }

    /// `zfs_create`: the name and its parent first, then the properties, then the kernel.
    fn create(&self, console: &mut Console<'_>, name: &str) -> Result<bool, NotModelled> {
        match self.try_create(console, name)? {
            Ok(()) => Ok(true),
            Err(Reason::NeedsFeature) => {
                console.note(&Reason::NeedsFeature);
                console.complain(format!(
                    "cannot create '{name}': pool must be upgraded to set this property or value"
                ));
                Ok(false)
            }
            Err(reason) => {
                console.refuse(&format!("cannot create '{name}'"), &reason);
                Ok(false)
            }
        }
    }

    fn try_create(
        &self,
        console: &mut Console<'_>,
        name: &str,
    ) -> Result<Result<(), Reason>, NotModelled> {
        let deep = names::check_new(name, Expected::Filesystem).is_ok() && names::is_too_deep(name);
        let checked = if deep {
            Err(Reason::NestedTooDeep)
        } else {
            check_new(console, name)
        };
        if checked.is_err() {
            return Ok(checked);
        }
        if console.state().find(name).is_some() {
            return Ok(Err(Reason::AlreadyExists));
        }
        let mut settings = match self.properties.check(self.target(), name, console)? {
            Ok(settings) => settings,
            Err(reason) => return Ok(Err(reason)),
        };
        // Nobody turns it into a number here, and what stands for it is larger than any pool.
        for (key, value) in &mut settings {
            if *key == Key::Native(Property::Refreservation) && *value == Value::Word("auto") {
                *value = Value::Number(u64::MAX);
            }
        }
        // `proplist_has_encryption_props`
        let encrypting = settings.iter().any(|(key, value)| match key {
            Key::Native(Property::Keyformat | Property::Pbkdf2iters) => true,
            Key::Native(Property::Keylocation) => *value != Value::Word("none"),
            _ => false,
        });
        let mut volume = None;
        if self.volume.is_some() {
            let usual = volume::default_block_size(console.release());
            let size = volume::number(&settings, Property::Volsize).unwrap_or(0);
            let block_size = volume::number(&settings, Property::Volblocksize).unwrap_or(usual);
            if size == 0 {
                return Ok(Err(Reason::NewVolumeEmpty));
            }
            volume = Some(Volume { size, block_size });
        }
        if encrypting {
            return Ok(Err(Reason::EncryptionOff));
        }
        settings::check_room(console, name, &settings, None)?;
        Ok(console.dataset(DslOp::Create {
            name: name.into(),
            volume,
            settings,
        }))
    }
}

/// A line of `-v` or `-P`.
fn told(what: &str, word: &str, name: &str, dry: bool, parsable: bool) -> String {
    match (parsable, dry) {
        (true, _) => format!("{word}\t{name}"),
        (false, true) => format!("would {what} {name}"),
        (false, false) => format!("{what} {name}"),
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
    let parent = console.state().find(parent).ok_or(Reason::NoParent)?;
    if console.is_volume(parent) && !console.state().faulty(Fault::VolumesHaveChildren) {
        return Err(Reason::ParentNotFilesystem);
    }
    Ok(())
}

/// `zfs_create_ancestors`: makes and mounts each that is missing.
pub(super) fn create_ancestors(console: &mut Console<'_>, name: &str) -> bool {
    let pool = names::pool(name);
    let heading = format!("cannot create '{name}'");
    if names::is_too_deep(name) {
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
        if let Some(above) = console.state().find(above) {
            if console.is_volume(above) {
                console.refuse(&heading, &Reason::ParentNotFilesystem);
                return false;
            }
            continue;
        }
        let created = console.dataset(DslOp::Create {
            name: above.into(),
            volume: None,
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
