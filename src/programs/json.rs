//! JSON as `nvlist_print_json` writes it: one line, no blanks, members in the order in which they were added.

use std::fmt::Write as _;

use super::console::{Console, NotModelled};
use crate::compare::{GUID, SPACE, TIME, TXG};

/// What stands for the long options of `zpool` that have no letter: the last byte of their number there, so
/// that a complaint shows what `printf` makes of it.
pub(super) const POOL_KEY_GUID: char = '\u{4}';
pub(super) const INT: char = '\u{5}';
pub(super) const FLAT_VDEVS: char = '\u{6}';

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
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Source {
    /// Nobody sets it.
    None,
    /// It is set nowhere.
    Default,
    /// It is set there.
    Local,
}

/// Whether a value is a number to JSON: digits, or a marker that stands for some.
fn is_number(value: &str) -> bool {
    let classes = [&SPACE, &TIME, &GUID, &TXG];
    value.bytes().all(|byte| byte.is_ascii_digit())
        || classes.iter().any(|class| class.marker == value)
}

/// Members in the order in which they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object(Vec<(String, Json)>);

impl Object {
    /// Adds a member; one of that name goes (`NV_UNIQUE_NAME`).
    pub fn add(&mut self, name: impl Into<String>, value: Json) {
        let name = name.into();
        self.0.retain(|(known, _)| *known != name);
        self.0.push((name, value));
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
    pub fn property(&mut self, name: &str, value: &str, source: Source, as_number: bool) {
        let kind = match source {
            Source::None => "NONE",
            Source::Default => "DEFAULT",
            Source::Local => "LOCAL",
        };
        let mut from = Object::default();
        from.text("type", kind);
        from.text("data", "-");
        let mut property = Object::default();
        property.number("value", value, as_number && is_number(value));
        property.object("source", from);
        self.object(name, property);
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn write(&self, out: &mut String) -> Result<(), NotModelled> {
        out.push('{');
        for (at, (name, value)) in self.0.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            write_text(name, out)?;
            out.push(':');
            match value {
                Json::Text(text) => write_text(text, out)?,
                Json::Number(digits) => out.push_str(digits),
                Json::Object(object) => object.write(out)?,
            }
        }
        out.push('}');
        Ok(())
    }
}

/// `nvlist_print_json_string`. What it makes of characters outside of ASCII depends on the locale.
fn write_text(text: &str, out: &mut String) -> Result<(), NotModelled> {
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
            _ => {
                return Err(NotModelled(
                    "characters outside of ASCII in JSON".to_owned(),
                ));
            }
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
    /// `zcmd_print_json`.
    pub fn say_json(&mut self, object: &Object) -> Result<(), NotModelled> {
        let mut text = String::new();
        object.write(&mut text)?;
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
        object.text("x", "ä");
        object.write(&mut out).expect_err("not ASCII");
    }
}
