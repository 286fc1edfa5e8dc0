//! From the text of a value to the value (`zfs_valid_proplist`, `zprop_parse_value`).

use std::sync::Arc;

use crate::dsl::properties::Key;
use crate::dsl::property::{Class, FILESYSTEM, Kind, Kinds, Property, SNAPSHOT, VOLUME, Value};
use crate::dsl::reason::Reason;
use crate::release::Release;

/// The longest value of a property, in bytes.
pub(crate) const MAX_VALUE: usize = 8191;

/// The longest name of a user's property, in bytes.
pub(crate) const MAX_PROPERTY_NAME: usize = 255;

/// What a property is set on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// The root filesystem of a pool that is being made.
    NewPool,
    /// A filesystem that is being made.
    NewFilesystem,
    /// A filesystem that exists, or a clone.
    Filesystem,
    /// A volume that is being made.
    NewVolume,
    /// A volume that exists, or a clone of one.
    Volume {
        /// Its block size.
        block_size: u64,
    },
    /// A snapshot.
    Snapshot,
}

impl Target {
    /// Whether what can be set once can be set.
    const fn is_new(self) -> bool {
        matches!(
            self,
            Target::NewPool | Target::NewFilesystem | Target::NewVolume
        )
    }

    const fn kind(self) -> Kinds {
        match self {
            Target::NewPool | Target::NewFilesystem | Target::Filesystem => FILESYSTEM,
            Target::NewVolume | Target::Volume { .. } => VOLUME,
            Target::Snapshot => SNAPSHOT,
        }
    }
}

/// Whether it is the name of a user's property (`zfs_prop_user`): small letters, digits and `_ - . :` with
/// a colon among them.
#[must_use]
pub fn is_user(name: &str) -> bool {
    name.contains(':')
        && name.chars().all(|c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '_' | '-' | '.' | ':')
        })
}

/// Checks what is to be set and turns it into a value. `None` when the rules of its values are not modelled.
pub fn parse(
    name: &str,
    text: &str,
    on: Target,
    release: Release,
) -> Result<Option<(Key, Value)>, Reason> {
    let named: Arc<str> = name.into();
    let key = match Key::by_name(name, release) {
        Some(Key::User(_)) if name.len() > MAX_PROPERTY_NAME => {
            return Err(Reason::PropertyNameTooLong(named));
        }
        Some(Key::User(_)) if text.len() > MAX_VALUE => return Err(Reason::ValueTooLong),
        Some(key @ Key::User(_)) => return Ok(Some((key, Value::Text(text.into())))),
        _ if on == Target::Snapshot => return Err(Reason::NotOnSnapshots),
        Some(key) => key,
        // Figures and quotas of users, groups and projects (`zfs_prop_userquota`).
        None if name.contains("quota@") || name.contains("used@") => return Ok(None),
        None if name.starts_with("written@") || name.starts_with("written#") => {
            return Err(Reason::ReadonlyProperty(named));
        }
        None => return Err(Reason::UnknownProperty(named)),
    };
    if !key.is_for(on.kind(), release) {
        return Err(Reason::WrongTypeForProperty(named));
    }
    match key.class() {
        Class::Status => return Err(Reason::ReadonlyProperty(named)),
        Class::Once if !on.is_new() => return Err(Reason::ReadonlyProperty(named)),
        _ => {}
    }
    let Key::Native(property) = key else {
        return Ok(None);
    };
    let kind = property.kind(release);
    if text == "auto"
        && let Some(checked) = automatic(property, kind, on, &named)
    {
        return checked.map(|value| Some((Key::Native(property), value)));
    }
    let value = match kind {
        Kind::Told => return Ok(None),
        Kind::Nothing => return Err(Reason::LabelsUnsupported),
        Kind::KeyLocation => {
            let places = ["file:///", "https://", "http://"];
            let known = text == "prompt" || places.iter().any(|place| text.starts_with(place));
            match text {
                "none" => Value::Word("none"),
                _ if !known => return Err(Reason::BadKeyLocation),
                _ if !on.is_new() => return Err(Reason::KeyOfUnencrypted),
                _ => Value::Text(text.into()),
            }
        }
        Kind::Words(words) => match property.word(text, release) {
            Some(word) => Value::Word(word),
            None => return Err(Reason::NotOneOf(property.name().into(), words.text)),
        },
        Kind::Size => Value::Number(size_or_none(text)?),
        Kind::Limit => match text {
            "none" => Value::Number(u64::MAX),
            _ => Value::Number(size(text)?),
        },
        Kind::Quota => match size_or_none(text)? {
            0 if text != "none" => return Err(Reason::ZeroQuota),
            bytes => Value::Number(bytes),
        },
        Kind::BlockSize => {
            let bytes = size_or_none(text)?;
            // Before there is a pool to ask, libzfs takes what any pool could.
            let largest = match on {
                Target::NewPool => Property::largest_record(Release::V2_4),
                _ => Property::largest_record(release),
            };
            let fits = (512..=largest).contains(&bytes) && bytes.is_power_of_two();
            match property {
                Property::Recordsize | Property::Volblocksize if !fits => {
                    return Err(Reason::BadBlockSize(named, largest));
                }
                Property::Recordsize if bytes > Property::largest_record(release) => {
                    return Ok(None);
                }
                Property::Recordsize | Property::Volblocksize => Value::Number(bytes),
                _ if on == Target::NewPool => return Ok(None),
                // `special_small_blocks`
                _ if bytes > largest => return Err(Reason::BadSmallBlocks(named, bytes, largest)),
                _ if release < Release::V2_4 && bytes != 0 && !fits => {
                    return Err(Reason::BadSmallBlocks(named, bytes, largest));
                }
                _ => Value::Number(bytes),
            }
        }
        Kind::Mountpoint => match text {
            "none" => Value::Word("none"),
            "legacy" => Value::Word("legacy"),
            _ if text.starts_with('/') => Value::Text(text.into()),
            _ => return Err(Reason::BadMountpoint),
        },
        Kind::Share => match text {
            "off" => Value::Word("off"),
            _ => return Ok(None),
        },
        Kind::Text => Value::Text(text.into()),
    };
    if property == Property::Version && !on.is_new() && value != Value::Word("5") {
        return Err(Reason::Downgrade);
    }
    if let (Property::Volsize, Value::Number(size), Target::Volume { block_size }) =
        (property, &value, on)
    {
        if size % block_size != 0 {
            return Err(Reason::SizeNotWholeBlocks(named, block_size));
        } else if *size == 0 {
            return Err(Reason::SizeZero(named));
        }
    }
    if changes_rules(property, &value, release) {
        return Ok(None);
    }
    Ok(Some((Key::Native(property), value)))
}

/// The value `auto` of a number (`zprop_parse_value`); none where it is a word like another.
fn automatic(
    property: Property,
    kind: Kind,
    on: Target,
    named: &Arc<str>,
) -> Option<Result<Value, Reason>> {
    Some(match (kind, property) {
        (Kind::Quota, Property::Quota | Property::Refquota) => Err(Reason::ZeroQuota),
        (_, Property::Refreservation) if on.kind() == VOLUME => Ok(Value::Word("auto")),
        (_, Property::Refreservation) => Err(Reason::AutoOfFilesystem(named.clone())),
        (Kind::Size | Kind::Quota | Kind::Limit | Kind::BlockSize, _) => {
            Err(Reason::AutoNotAllowed(named.clone()))
        }
        _ => return None,
    })
}

/// Values under which files or space follow rules that are not modelled.
fn changes_rules(property: Property, value: &Value, release: Release) -> bool {
    match property {
        Property::Encryption
        | Property::Zoned
        | Property::Longname
        | Property::Defaultuserquota
        | Property::Defaultgroupquota
        | Property::Defaultprojectquota
        | Property::Defaultuserobjquota
        | Property::Defaultgroupobjquota
        | Property::Defaultprojectobjquota
        | Property::Version => *value != property.default_value(release),
        _ => false,
    }
}

fn size_or_none(text: &str) -> Result<u64, Reason> {
    if text == "none" { Ok(0) } else { size(text) }
}

/// A number with an optional unit (`zfs_nicestrtonum`): digits, perhaps a fraction and an exponent behind
/// it, and `K`, `KB` or `KiB` up to `Z`, or `B`, in either case.
pub fn size(text: &str) -> Result<u64, Reason> {
    if !text.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return Err(Reason::BadNumber(text.into()));
    }
    let digits = |text: &str| text.bytes().take_while(u8::is_ascii_digit).count();
    let whole = digits(text);
    if !text[whole..].starts_with('.') {
        let (number, unit) = text.split_at(whole);
        let number: u64 = number.parse().map_err(|_| Reason::NumberTooLarge)?;
        let shift = shift(unit)?;
        let bytes = u128::from(number) << shift.min(64);
        return u64::try_from(bytes)
            .ok()
            .filter(|_| shift < 64)
            .ok_or(Reason::NumberTooLarge);
    }
    // `strtod`.
    let mut end = whole + 1 + digits(&text[whole + 1..]);
    if let Some(exponent) = text[end..].strip_prefix(['e', 'E']) {
        let sign = usize::from(exponent.starts_with(['+', '-']));
        let length = digits(&exponent[sign..]);
        if length > 0 {
            end += 1 + sign + length;
        }
    }
    let (number, unit) = text.split_at(end);
    let number: f64 = number.parse().unwrap_or(0.0);
    let bytes = number * f64::from(shift(unit)?).exp2();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_precision_loss,
        clippy::cast_sign_loss,
        reason = "as C does it"
    )]
    // The nearest to `u64::MAX` is one more than it.
    if bytes >= u64::MAX as f64 {
        Err(Reason::NumberTooLarge)
    } else {
        Ok(bytes as u64)
    }
}

/// `str2shift`: the power of two that a unit stands for.
fn shift(unit: &str) -> Result<u32, Reason> {
    let upper = unit.to_ascii_uppercase();
    let mut letters = upper.chars();
    let Some(first) = letters.next() else {
        return Ok(0);
    };
    let rest = letters.as_str();
    let power = "BKMGTPEZ"
        .find(first)
        .filter(|_| rest.is_empty() || (first != 'B' && matches!(rest, "B" | "IB")))
        .ok_or_else(|| Reason::BadUnit(unit.into()))?;
    Ok(10 * u32::try_from(power).unwrap_or(0))
}
