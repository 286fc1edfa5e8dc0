//! When two names are one: properties `casesensitivity` and `normalization` (`zfs_dirent_lock`, `zap_normalize`).

use crate::dsl::dataset::DatasetId;
use crate::dsl::property::{Property, Value};
use crate::fault::Fault;
use crate::machine::State;
use unicode_normalization::UnicodeNormalization;

/// How names of a dataset are compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Folding {
    /// Upper and lower case are the same.
    ignores_case: bool,
    /// The form in which they are compared.
    form: Option<Form>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    C,
    D,
    CompatibilityC,
    CompatibilityD,
}

/// The letters of which the tables of ZFS, which are those of Unicode 5.0, know as much as newer ones: Latin ones with marks, and
/// the marks alone.
const KNOWN: [std::ops::RangeInclusive<char>; 3] =
    ['\0'..='\u{7f}', '\u{c0}'..='\u{17f}', '\u{300}'..='\u{36f}'];

impl Folding {
    /// That of a dataset. With `mixed`, Linux asks as with `sensitive`.
    pub fn of(state: &State, id: DatasetId) -> Folding {
        let word = |property| match state.property(id, property).0 {
            Value::Word(word) => word,
            _ => "",
        };
        Folding {
            ignores_case: word(Property::Casesensitivity) == "insensitive"
                && !state.faulty(Fault::CaseMatters),
            form: match word(Property::Normalization) {
                "formC" => Some(Form::C),
                "formD" => Some(Form::D),
                "formKC" => Some(Form::CompatibilityC),
                "formKD" => Some(Form::CompatibilityD),
                _ => None,
            },
        }
    }

    /// Whether every name is but itself.
    pub fn is_none(self) -> bool {
        self == Folding::default()
    }

    /// Whether the model knows what names with the letters of this path are the same as.
    pub fn knows(self, path: &str) -> bool {
        let is_known = |letter| KNOWN.iter().any(|range| range.contains(&letter));
        self.is_none() || path.is_ascii() || !self.ignores_case && path.chars().all(is_known)
    }

    /// What is the same for names that are.
    pub fn fold(self, name: &str) -> String {
        let name: String = match self.form {
            None => name.to_owned(),
            Some(Form::C) => name.nfc().collect(),
            Some(Form::D) => name.nfd().collect(),
            Some(Form::CompatibilityC) => name.nfkc().collect(),
            Some(Form::CompatibilityD) => name.nfkd().collect(),
        };
        if self.ignores_case {
            name.to_ascii_uppercase()
        } else {
            name
        }
    }
}
