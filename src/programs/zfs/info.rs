//! What JSON tells of every dataset (`fill_dataset_info`), and the long options for it.

use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::names;
use ztwin_model::dsl::properties::{self, Property};

use super::column::{Cell, Column};
use crate::programs::args::LongOption;
use crate::programs::console::Console;
use crate::programs::json::{self, Flags, Object, Source};

/// The long options of commands that print JSON, each with what its unknown letter is printed as.
pub(super) const LONG: &[LongOption] = &[("json", 'j'), ("json-int", json::INT_OF_ZFS)];

/// Whether a property's values shall be numbers: not ratios, which have a point.
pub(super) fn as_number(column: &Column, flags: Flags) -> bool {
    let is_ratio = matches!(
        column,
        Column::Native(Property::Compressratio | Property::Refcompressratio)
    );
    flags.as_number && !is_ratio
}

impl Console<'_> {
    /// What is told of a dataset, and the properties that were asked for.
    pub(super) fn dataset_as_json(
        &self,
        id: DatasetId,
        properties: Object,
        as_number: bool,
    ) -> Object {
        let name = self.name(id);
        let txg = self.state().dataset(id).map_or(0, |it| it.creation_txg);
        let mut item = Object::default();
        item.text("name", name.as_str());
        item.text("type", self.kind(id).to_uppercase());
        item.text("pool", names::pool(&name));
        item.number("createtxg", self.txg(txg), as_number);
        if let Some((dataset, snapshot)) = name.split_once('@') {
            item.text("dataset", dataset);
            item.text("snapshot_name", snapshot);
        }
        item.object("properties", properties);
        item
    }

    /// Where a value comes from.
    pub(super) fn json_source(&self, cell: &Cell) -> Source {
        match cell.source {
            _ if cell.temporary => Source::Temporary,
            Some(properties::Source::Local) => Source::Local,
            Some(properties::Source::Default) => Source::Default,
            Some(properties::Source::Inherited(from)) => Source::Inherited(self.name(from)),
            None => Source::None,
        }
    }
}
