//! What differs between OpenZFS releases, as data.

/// A release line of OpenZFS. Patch releases of a line behave alike as far as the model goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub enum Release {
    /// OpenZFS 2.1
    #[cfg_attr(feature = "serde", serde(rename = "2.1"))]
    V2_1,
    /// OpenZFS 2.3
    #[default]
    #[cfg_attr(feature = "serde", serde(rename = "2.3"))]
    V2_3,
    /// OpenZFS 2.4
    #[cfg_attr(feature = "serde", serde(rename = "2.4"))]
    V2_4,
}

impl Release {
    /// All release lines that are modelled, oldest first.
    pub const ALL: [Release; 3] = [Release::V2_1, Release::V2_3, Release::V2_4];

    /// The name of the line, as in `openzfs-2.3`: `2.3`.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Release::V2_1 => "2.1",
            Release::V2_3 => "2.3",
            Release::V2_4 => "2.4",
        }
    }

    /// The line that a version such as `2.3.9` or `2.3.2-1` belongs to.
    #[must_use]
    pub fn of_version(version: &str) -> Option<Release> {
        Self::ALL.into_iter().find(|line| {
            version
                .strip_prefix(line.name())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '~']))
        })
    }
}
