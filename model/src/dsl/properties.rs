//! Properties: what is set where, what is inherited, and what holds.

use std::sync::Arc;

use crate::dsl::dataset::DatasetId;
use crate::machine::State;

/// The name of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    /// One that ZFS defines.
    Native(Property),
    /// A user's, such as `module:name`; the colon is what tells it.
    User(Arc<str>),
}

/// The value of a property.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Value {
    /// A number; sizes in bytes, 0 for `none`.
    Number(u64),
    /// One of the words that the property knows.
    Word(&'static str),
    /// Free text.
    Text(Arc<str>),
}

/// Where a property's value comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Source {
    /// Set on the dataset itself.
    Local,
    /// Set on this dataset above it.
    Inherited(DatasetId),
    /// Set nowhere.
    Default,
}

macro_rules! properties {
    ($($name:ident = $text:literal, $default:expr, $inherit:literal, $doc:literal;)*) => {
        /// The properties that can be set and that ZFS defines, as far as they are modelled.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Property { $(#[doc = $doc] $name,)* }

        impl Property {
            /// All of them.
            pub const ALL: &'static [Property] = &[$(Property::$name,)*];

            /// Its name, such as `recordsize`.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Property::$name => $text,)* }
            }

            /// Whether datasets below inherit it.
            #[must_use]
            pub const fn inherits(self) -> bool {
                match self { $(Property::$name => $inherit,)* }
            }

            /// Its value where it is set nowhere.
            #[must_use]
            pub const fn default_value(self) -> Value {
                match self { $(Property::$name => $default,)* }
            }
        }
    };
}

properties! {
    Recordsize = "recordsize", Value::Number(128 << 10), true, "The largest block of a file, in bytes.";
    Compression = "compression", Value::Word("on"), true, "How blocks are compressed.";
    Readonly = "readonly", Value::Word("off"), true, "Whether the files may not be changed.";
}

impl State {
    /// The value of a property on a dataset and where it comes from (`dsl_prop_get_ds`). A snapshot has the
    /// values of its filesystem.
    #[must_use]
    pub fn property(&self, id: DatasetId, property: Property) -> (Value, Source) {
        let key = Key::Native(property);
        let mut at = Some(id);
        while let Some(dataset) = at.and_then(|id| self.dataset(id)) {
            if let Some(value) = dataset.settings.get(&key) {
                let source = if dataset.id == id {
                    Source::Local
                } else {
                    Source::Inherited(dataset.id)
                };
                return (value.clone(), source);
            }
            at = match dataset.snapshot() {
                Some(snapshot) => Some(snapshot.filesystem),
                None if property.inherits() => dataset
                    .filesystem()
                    .and_then(|filesystem| filesystem.parent),
                None => None,
            };
        }
        (property.default_value(), Source::Default)
    }

    /// `recordsize`: the largest block of a file that is created now, in bytes.
    #[must_use]
    pub fn recordsize(&self, id: DatasetId) -> u64 {
        match self.property(id, Property::Recordsize).0 {
            Value::Number(bytes) => bytes,
            Value::Word(_) | Value::Text(_) => 128 << 10,
        }
    }

    /// `compression`: whether blocks are compressed at all, so that zeros become holes.
    #[must_use]
    pub fn compresses(&self, id: DatasetId) -> bool {
        self.property(id, Property::Compression).0 != Value::Word("off")
    }

    /// `readonly`: whether the files may not be changed. Those of a snapshot never may.
    #[must_use]
    pub fn is_readonly(&self, id: DatasetId) -> bool {
        self.dataset(id)
            .is_some_and(|dataset| dataset.is_snapshot())
            || self.property(id, Property::Readonly).0 == Value::Word("on")
    }
}
