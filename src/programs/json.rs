//! JSON as `nvlist_print_json` writes it: one line, no blanks, members in the order in which they were added.

use std::fmt::Write as _;

use super::console::{Console, NotModelled};
use crate::compare::{BETWEEN, GUID, METADATA, SPACE, TIME, TXG};

/// What stands for the long options that have no letter: the last byte of their number, so that a complaint
/// shows what `printf` makes of it. `--json-int` has two numbers: of `zpool`, and of `zfs`.
pub(super) const POOL_KEY_GUID: char = '\u{4}';
pub(super) const INT: char = '\u{5}';
pub(super) const FLAT_VDEVS: char = '\u{6}';
pub(super) const INT_OF_ZFS: char = '\0';

/// The options for JSON.
#[derive(Clone, Copy, Debug, Default)]
#[allow(
    clippy::struct_excessive_bools,
    reason = "a subcommand's flags are what they are"
)]
pub(super) struct Flags {
    /// `-j`
    pub json: bool,
    /// `--json-int`
    pub as_number: bool,
    /// `--json-flat-vdevs`: vdevs stand beside each other, and not in each other.
    pub flat: bool,
    /// `--json-pool-key-guid`
    pub by_guid: bool,
}

impl Flags {
    /// Takes an option, if it is one for JSON.
    pub fn take(&mut self, letter: char) -> bool {
        match letter {
            'j' => self.json = true,
            INT | INT_OF_ZFS => self.as_number = true,
            FLAT_VDEVS => self.flat = true,
            POOL_KEY_GUID => self.by_guid = true,
            _ => return false,
        }
        true
    }

    /// What is wrong with them.
    pub fn misused(self) -> Option<&'static str> {
        if self.json {
            None
        } else if self.flat {
            Some("'--json-flat-vdevs' only works with '-j' option")
        } else if self.as_number {
            Some("'--json-int' only works with '-j' option")
        } else if self.by_guid {
            Some("'json-pool-key-guid' only works with '-j' option")
        } else {
            None
        }
    }
}

/// A value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Json {
    /// A string.
    Text(String),
    /// A number, in its digits.
    Number(String),
    /// Members with their names.
    Object(Object),
}

/// Where the value of a property comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody sets it.
    None,
    /// It is set nowhere.
    Default,
    /// It is set there.
    Local,
    /// An option of the mount overrides it.
    Temporary,
    /// It is set on the dataset of this name.
    Inherited(String),
}

/// A value as a number, if it is one: digits, which `sscanf` reads with a sign, or a marker that stands for
/// some. No text is one too, and nobody knows which.
fn number(value: &str) -> Option<String> {
    let classes = [&SPACE, &TIME, &GUID, &TXG];
    if value.is_empty()
        || value.starts_with(BETWEEN.marker)
        || value.starts_with(METADATA.marker)
        || classes.iter().any(|class| class.marker == value)
    {
        return Some(value.to_owned());
    }
    let digits = value.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| value.parse().unwrap_or(i64::MAX).to_string())
}

/// Members in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    /// Adds a member; one of that name goes (`NV_UNIQUE_NAME`). A marker stands for another name each time.
    pub fn add(&mut self, name: impl Into<String>, value: Json) {
        let name = name.into();
        self.0
            .retain(|(known, _)| *known != name || name == GUID.marker);
        self.0.push((name, value));
    }

    /// The members that are objects.
    pub fn objects(&self) -> impl Iterator<Item = (&str, &Object)> {
        self.0.iter().filter_map(|(name, value)| match value {
            Json::Object(object) => Some((name.as_str(), object)),
            Json::Text(_) | Json::Number(_) => None,
        })
    }

    /// Adds a string.
    pub fn text(&mut self, name: &str, text: impl Into<String>) {
        self.add(name, Json::Text(text.into()));
    }

    /// Adds a number: as one, or as a string.
    pub fn number(&mut self, name: &str, digits: impl Into<String>, as_number: bool) {
        let digits = digits.into();
        self.add(
            name,
            if as_number {
                Json::Number(digits)
            } else {
                Json::Text(digits)
            },
        );
    }

    /// Adds an object.
    pub fn object(&mut self, name: impl Into<String>, object: Object) {
        self.add(name, Json::Object(object));
    }

    /// Adds a property with its value and where that comes from (`zprop_nvlist_one_property`).
    pub fn property(&mut self, name: &str, value: &str, source: &Source, as_number: bool) {
        let (kind, data) = match source {
            Source::None => ("NONE", "-"),
            Source::Default => ("DEFAULT", "-"),
            Source::Local => ("LOCAL", "-"),
            Source::Temporary => ("TEMPORARY", "-"),
            Source::Inherited(name) => ("INHERITED", name.as_str()),
        };
        let mut from = Object::default();
        from.text("type", kind);
        from.text("data", data);
        let mut property = Object::default();
        match number(value).filter(|_| as_number) {
            Some(digits) => property.number("value", digits, true),
            None => property.text("value", value),
        }
        property.object("source", from);
        self.object(name, property);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, out: &mut String) -> Result<(), Unwritten> {
        out.push('{');
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_text(name, out)?;
            out.push(':');
            match value {
                Json::Text(text) => write_text(text, out)?,
                Json::Number(digits) if digits.is_empty() => {
                    return Err(Unwritten::EmptyNumber);
                }
                Json::Number(digits) => out.push_str(digits),
                Json::Object(object) => object.write(out)?,
            }
        }
        out.push('}');
        Ok(())
    }
}

/// Why JSON ends in the middle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unwritten {
    /// What becomes of a character outside of ASCII depends on the locale.
    NotAscii,
    /// The number that an empty value is was never written to (`zprop_nvlist_one_property`).
    EmptyNumber,
}

/// `nvlist_print_json_string`.
fn write_text(text: &str, out: &mut String) -> Result<(), Unwritten> {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\x0c' => out.push_str("\\f"),
            '\t' => out.push_str("\\t"),
            '\x08' => out.push_str("\\b"),
            '\0'..='\x1f' => {
                // Writing to a string cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            ' '..='\x7f' => out.push(c),
            _ => return Err(Unwritten::NotAscii),
        }
    }
    out.push('"');
    Ok(())
}

/// `zfs_json_schema`, `zpool_json_schema`: what every output begins with. `command` is `zpool list` or the like.
pub(super) fn of_command(command: &str) -> Object {
    let mut version = Object::default();
    version.text("command", command);
    version.number("vers_major", "0", true);
    version.number("vers_minor", "1", true);
    let mut whole = Object::default();
    whole.object("output_version", version);
    whole
}

impl Console<'_> {
    /// `zcmd_print_json`, which does not ask whether all was printed: in the locale `C` JSON ends in front of
    /// the first character outside of ASCII.
    pub fn say_json(&mut self, object: &Object) -> Result<(), NotModelled> {
        let mut text = String::new();
        match object.write(&mut text) {
            Ok(()) => {}
            Err(Unwritten::NotAscii) if self.is_locale_c() => {}
            Err(Unwritten::NotAscii) => {
                return Err(NotModelled("JSON of what is not ASCII".to_owned()));
            }
            Err(Unwritten::EmptyNumber) => {
                return Err(NotModelled("JSON of an empty value as a number".to_owned()));
            }
        }
        self.say(&text);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_strings_are_escaped() {
        let mut object = Object::default();
        object.text("a\"b", "tab\there \\ \u{1}");
        object.number("n", "12", true);
        object.text("n", "again");
        let mut out = String::new();
        object.write(&mut out).expect("ASCII");
        assert_eq!(out, r#"{"a\"b":"tab\there \\ \u0001","n":"again"}"#);
        object.text("x", "caf\u{e9}");
        assert_eq!(object.write(&mut out), Err(Unwritten::NotAscii));
    }

    #[test]
    fn what_looks_like_a_number_is_one() {
        for (value, is) in [
            ("", Some("")),
            ("0", Some("0")),
            ("007", Some("7")),
            ("9223372036854775808", Some("9223372036854775807")),
            ("99999999999999999999999", Some("9223372036854775807")),
            ("<txg>", Some("<txg>")),
            ("-1", None),
            ("1.00", None),
            (" 7", None),
        ] {
            assert_eq!(number(value).as_deref(), is, "{value:?}");
        }
        let mut object = Object::default();
        object.property("empty", "", &Source::None, true);
        let written = object.write(&mut String::new());
        assert_eq!(written, Err(Unwritten::EmptyNumber));
    }
}
