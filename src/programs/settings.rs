//! `-o property=value`: reading them, and checking them all before anything is done (`zfs_valid_proplist`).

use ztwin_model::Release;
use ztwin_model::dsl::names;
use ztwin_model::dsl::properties::{Key, Property, Value};
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::value::{self, Target};

use super::console::{Console, NotModelled};

/// Properties as they were given, in their order.
#[derive(Clone, Debug, Default)]
pub(super) struct Given(Vec<(String, String)>);

impl Given {
    /// `parseprop`: adds `property=value`; says what is wrong with it.
    pub fn add(&mut self, console: &mut Console<'_>, text: &str) -> bool {
        let Some((name, value)) = text.split_once('=') else {
            console.complain("missing '=' for property=value argument");
            return false;
        };
        if self.0.iter().any(|(known, _)| known == name) {
            console.complain(format!("property '{name}' specified multiple times"));
            return false;
        }
        self.0.push((name.to_owned(), value.to_owned()));
        true
    }

    /// Puts a property in, unless it was given (`add_prop_list_default`).
    pub fn add_default(&mut self, name: &str, value: &str) {
        if self.iter().all(|(known, _)| known != name) {
            self.0.push((name.to_owned(), value.to_owned()));
        }
    }

    /// The properties as they were given.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Checks them all; the first that is wrong is the reason.
    pub fn check(
        &self,
        on: Target,
        release: Release,
    ) -> Result<Result<Vec<(Key, Value)>, Reason>, NotModelled> {
        let mut checked = Vec::new();
        for (name, text) in self.iter() {
            match value::parse(name, text, on, release) {
                Ok(Some(setting)) => checked.push(setting),
                Ok(None) => {
                    return Err(NotModelled(format!(
                        "the property '{name}' with the value '{text}'"
                    )));
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        Ok(Ok(checked))
    }
}

/// Whether a new filesystem can have what it is to reserve takes space figures, which are not modelled,
/// unless that is far below what its pool has.
pub(super) fn check_room(
    console: &Console<'_>,
    name: &str,
    settings: &[(Key, Value)],
) -> Result<(), NotModelled> {
    let state = console.state();
    let Some(parent) = names::parent(name).and_then(|parent| state.find(parent)) else {
        return Ok(());
    };
    let reserves = [Property::Reservation, Property::Refreservation].map(Key::Native);
    let unsure = settings
        .iter()
        .any(|(key, value)| reserves.contains(key) && state.depends_on_space(parent, key, value));
    if unsure {
        return Err(NotModelled(format!(
            "whether there is the space for what '{name}' reserves"
        )));
    }
    Ok(())
}
