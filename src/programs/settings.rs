//! `-o property=value`: reading them, and checking them all before anything is done (`zfs_valid_proplist`).

use ztwin_model::Release;
use ztwin_model::dsl::dataset::{Dataset, DatasetId};
use ztwin_model::dsl::names;
use ztwin_model::dsl::properties::{Key, OLD_MAX_BLOCK, Property as Native, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;
use ztwin_model::dsl::value::{self, Target};

use super::console::{Console, NotModelled};

/// Properties as they were given, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Vec<Property>);

#[derive(Clone, Debug)]
struct Property {
    name: String,
    value: String,
    /// It is a number of the program's, not a text of the user's.
    number: bool,
}

impl Given {
    /// `parseprop`: adds `property=value`; says what is wrong with it.
    pub fn add(&mut self, console: &mut Console<'_>, text: &str) -> bool {
        let Some((name, value)) = text.split_once('=') else {
            console.complain("missing '=' for property=value argument");
            return false;
        };
        if self.has(name) {
            console.complain(format!("property '{name}' specified multiple times"));
            return false;
        }
        self.put_text(name, value);
        true
    }

    /// Puts a property in, unless it was given (`add_prop_list_default`).
    pub fn add_default(&mut self, name: &str, value: &str) {
        if !self.has(name) {
            self.put_text(name, value);
        }
    }

    /// Puts a number in, at the end, in the place of what has that name (`nvlist_add_uint64`).
    pub fn put(&mut self, name: &str, value: u64) {
        self.replace(name, value.to_string(), true);
    }

    /// As [`Given::put`], a text.
    pub fn put_text(&mut self, name: &str, value: &str) {
        self.replace(name, value.to_owned(), false);
    }

    fn replace(&mut self, name: &str, value: String, number: bool) {
        self.0.retain(|known| known.name != name);
        self.0.push(Property {
            name: name.to_owned(),
            value,
            number,
        });
    }

    fn has(&self, name: &str) -> bool {
        self.0.iter().any(|known| known.name == name)
    }

    /// Whether it was given as a text (`nvlist_lookup_string`).
    pub fn is_text(&self, name: &str) -> bool {
        self.0
            .iter()
            .any(|known| known.name == name && !known.number)
    }

    /// The properties as they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|it| (&*it.name, &*it.value))
    }

    /// Checks them all, for a dataset of this name; the first that is wrong is the reason. What is useless is
    /// warned of.
    pub fn check(
        &self,
        on: Target,
        of: &str,
        console: &mut Console<'_>,
    ) -> Result<Result<Vec<(Key, Value)>, Reason>, NotModelled> {
        let pool = console.state().pools.get(names::pool(of));
        let large_blocks = pool.is_none_or(|pool| pool.features.contains("large_blocks"));
        let mut checked = Vec::new();
        for (name, text) in self.iter() {
            let parsed = value::parse(name, text, on, console.release());
            if is_small_blocks(&parsed) && console.release() < Release::V2_4 {
                console.complain(format!(
                    "{name}: property requires a special device in the pool"
                ));
            }
            match parsed {
                Ok(Some(setting)) if !large_blocks && is_large_block(&setting) => {
                    return Ok(Err(Reason::BadBlockSize(name.into(), OLD_MAX_BLOCK)));
                }
                Ok(Some(setting)) => checked.push(setting),
                Ok(None) => {
                    return Err(NotModelled(format!(
                        "the property '{name}' with the value '{text}'"
                    )));
                }
                Err(Reason::BadSmallBlocks(name, bytes, _)) if !large_blocks => {
                    return Ok(Err(Reason::BadSmallBlocks(name, bytes, OLD_MAX_BLOCK)));
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(checked))
    }
}

/// Whether it asks for blocks for which a pool needs the feature `large_blocks`.
fn is_large_block((key, value): &(Key, Value)) -> bool {
    let sizes = [Native::Recordsize, Native::Volblocksize].map(Key::Native);
    sizes.contains(key) && matches!(value, Value::Number(bytes) if *bytes > OLD_MAX_BLOCK)
}

/// Whether it is a number for `special_small_blocks`, right or wrong.
fn is_small_blocks(parsed: &Result<Option<(Key, Value)>, Reason>) -> bool {
    match parsed {
        Ok(Some((key, _))) => *key == Key::Native(Native::SpecialSmallBlocks),
        Err(reason) => matches!(reason, Reason::BadSmallBlocks(..)),
        Ok(None) => false,
    }
}

/// Whether what is made can have what it is to reserve takes space figures, which are not modelled,
/// unless that is far below what its pool has.
pub(super) fn check_room(
    console: &Console<'_>,
    name: &str,
    settings: &[(Key, Value)],
    origin: Option<DatasetId>,
) -> Result<(), NotModelled> {
    let state = console.state();
    let Some(parent) = names::parent(name).and_then(|parent| state.find(parent)) else {
        return Ok(());
    };
    if state.new_fits(parent, settings, origin) == Fits::Unknown {
        return Err(NotModelled(format!(
            "whether there is the space for what '{name}' reserves"
        )));
    }
    Ok(())
}

/// What properties are set on: a dataset, or a clone of a snapshot.
pub(super) fn target_of_head(console: &Console<'_>, id: DatasetId) -> Target {
    match console.state().dataset(id).and_then(Dataset::volume) {
        Some(volume) => Target::Volume {
            block_size: volume.block_size,
        },
        None => Target::Filesystem,
    }
}
