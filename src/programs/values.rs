//! What stands where the model cannot know a real pool's value.

use std::cell::Cell;

use ztwin_model::Release;
use ztwin_model::dmu::storage::Figure;
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::dsl::figures::Beside;
use ztwin_model::dsl::properties::Property;
use ztwin_model::machine::State;
use ztwin_model::spa::{Guid, Pool};

use super::console::Console;
use super::zfs::{nice_bytes, nice_number};
use crate::compare::{
    BETWEEN, Class, DURATION, GUID, HOST, METADATA, ORDER, SPACE, TIME, TXG, USAGE, VERSION,
};

/// Seconds from 1970 to the machine's epoch: 2026-01-01 00:00 UTC.
pub const EPOCH: u64 = 1_767_225_600;

/// What is missing where a space figure is asked for.
pub const SPACE_FIGURES: &str = "space figures";
/// What is missing where a stream is asked for.
pub const STREAMS: &str = "streams";

/// Where values that the model cannot know come from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Values {
    /// Markers stand for them, for the comparison with a real pool ([`crate::compare`]).
    #[default]
    Marked,
    /// The machine's own counters and clock, for programs that want to run; a space figure that is not known
    /// ends the step as not modelled.
    Own,
    /// As [`Values::Own`], with estimates of such figures.
    Estimated,
}

/// Which of several values that are not modelled was asked for first.
pub(super) type Missing = Cell<Option<&'static str>>;

/// How a point in time is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Clock {
    /// Seconds since 1970.
    Exact,
    /// `Sat Nov 21  1:19 2026`, as `zfs get creation` does it.
    Date,
    /// `Sat Nov 21 01:19 2026`, as `zfs holds` does it.
    PaddedDate,
    /// `Sat Nov 21  1:19:07 2026`, as `zfs get snapshots_changed` does it.
    DateWithSeconds,
    /// `Sat Nov 21 01:19:03 2026`, as `ctime` does it.
    Seconds,
    /// `Sat Nov 21 01:19:03 UTC 2026`, as `date` does it.
    Zoned,
    /// `2026-11-21.01:19:03`, as `zpool history` does it.
    Stamp,
}

impl Console<'_> {
    /// The marker of a list that ZFS prints in any order, which a program that wants to run never sees.
    pub(super) fn order(&self, shuffled: bool) -> &'static str {
        if shuffled && self.values == Values::Marked {
            ORDER.marker
        } else {
            ""
        }
    }

    /// Whether the locale is known to be `C`, as it is for traces.
    pub(super) fn is_locale_c(&self) -> bool {
        self.values == Values::Marked
    }

    /// The rest of a usage text, which is not copied.
    pub(super) fn usage_text(&self) -> &'static str {
        match self.values {
            Values::Marked => USAGE.marker,
            Values::Own | Values::Estimated => {
                "\t(the usage text is not simulated: see zfs(8) and zpool(8))"
            }
        }
    }

    /// The version of the programs and of the kernel's module: its line, and the patch release.
    pub(super) fn version(&self) -> String {
        let patch = match self.values {
            Values::Marked => VERSION.marker,
            Values::Own | Values::Estimated => match self.release() {
                Release::V2_1 => "11",
                Release::V2_3 => "9",
                Release::V2_4 => "4",
            },
        };
        format!("{}.{patch}", self.release().name())
    }

    /// The name of the machine.
    pub(super) fn host(&self) -> &'static str {
        match self.values {
            Values::Marked => HOST.marker,
            Values::Own | Values::Estimated => "localhost",
        }
    }

    /// A point in time, in seconds since the machine's epoch.
    pub(super) fn time(&self, seconds: u64, clock: Clock) -> String {
        let seconds = EPOCH + seconds;
        match (self.values, clock) {
            (Values::Marked, _) => TIME.marker.to_owned(),
            (_, Clock::Exact) => seconds.to_string(),
            (_, Clock::Date) => Moment::of(seconds).date(false, false),
            (_, Clock::PaddedDate) => Moment::of(seconds).date(true, false),
            (_, Clock::Seconds) => Moment::of(seconds).date(true, true),
            (_, Clock::DateWithSeconds) => Moment::of(seconds).date(false, true),
            (_, Clock::Zoned) => Moment::of(seconds).zoned(),
            (_, Clock::Stamp) => Moment::of(seconds).stamp(),
        }
    }

    /// Whether points in time are the machine's own.
    pub(super) fn has_own_clock(&self) -> bool {
        self.values != Values::Marked
    }

    /// How long something took, in seconds.
    pub(super) fn duration(&self, seconds: u64) -> String {
        match self.values {
            Values::Marked => DURATION.marker.to_owned(),
            Values::Own | Values::Estimated => {
                let (minutes, second) = (seconds / 60, seconds % 60);
                format!("{:02}:{:02}:{second:02}", minutes / 60, minutes % 60)
            }
        }
    }

    /// The least and the most bytes that a text has once values stand in the place of markers.
    pub(super) fn width(&self, text: &str, clock: Clock) -> (usize, usize) {
        let length = text.len();
        let marked = |class: &Class| self.values == Values::Marked && text == class.marker;
        if self.values == Values::Marked && text.starts_with(BETWEEN.marker) {
            return (1, 5);
        } else if self.values == Values::Marked && text.starts_with(METADATA.marker) {
            return (1, 20);
        }
        if marked(&TIME) {
            let length = match clock {
                Clock::Exact => EPOCH.to_string().len(),
                Clock::Date | Clock::PaddedDate => "Thu Jan  1 00:00 1970".len(),
                Clock::DateWithSeconds | Clock::Seconds => "Thu Jan  1 00:00:00 1970".len(),
                Clock::Zoned => "Thu Jan  1 00:00:00 UTC 1970".len(),
                Clock::Stamp => "1970-01-01.00:00:00".len(),
            };
            (length, length)
        } else if marked(&GUID) || marked(&TXG) || marked(&SPACE) {
            (1, 20)
        } else {
            (length, length)
        }
    }

    /// The number of a transaction group.
    pub(super) fn txg(&self, txg: u64) -> String {
        match self.values {
            Values::Marked => TXG.marker.to_owned(),
            Values::Own | Values::Estimated => txg.to_string(),
        }
    }

    /// The identity of a dataset: its number.
    pub(super) fn guid(&self, id: DatasetId) -> String {
        match self.values {
            Values::Marked => GUID.marker.to_owned(),
            Values::Own | Values::Estimated => id.0.to_string(),
        }
    }

    /// The number of a pool.
    pub(super) fn guid_of_pool(&self, pool: &Pool) -> String {
        match (pool.guid, self.values) {
            (Guid::Drawn(_), Values::Marked) => GUID.marker.to_owned(),
            (guid, _) => guid.number().to_string(),
        }
    }

    /// A value that is not modelled and has no marker of its own class: the step ends so.
    pub(super) fn unknown(&self, what: &'static str, marker: &str) -> String {
        if self.values != Values::Marked && self.missing.get().is_none() {
            self.missing.set(Some(what));
        }
        marker.to_owned()
    }

    /// A space figure: a marker, an estimate, or the end of the step.
    pub(super) fn space(&self, estimate: impl FnOnce(&State) -> String) -> String {
        match self.values {
            Values::Estimated => {
                self.estimated.set(true);
                estimate(self.state())
            }
            Values::Marked | Values::Own => self.unknown(SPACE_FIGURES, SPACE.marker),
        }
    }

    /// A figure in bytes of which the model knows at least bounds.
    pub(super) fn figure(&self, figure: Option<Figure>, exact: bool) -> Option<String> {
        self.within(figure?, |bytes| size(bytes, exact))
    }

    /// A figure as it is printed; between bounds where they are not printed alike.
    fn within(&self, figure: Figure, print: impl Fn(u64) -> String) -> Option<String> {
        let (least, most) = (print(figure.least), print(figure.most));
        if least == most {
            Some(least)
        } else if self.values == Values::Marked {
            Some(format!("{}{least}..{most}>", BETWEEN.marker))
        } else {
            None
        }
    }

    /// A dataset's property that is a space figure.
    pub(super) fn space_of(&self, id: DatasetId, property: Property, exact: bool) -> String {
        let print = |figure| self.within(figure, |number| figure_text(property, number, exact));
        let known = self.state().figure(id, property);
        let known = known.and_then(print);
        known
            .or_else(|| self.beside(id, property))
            .unwrap_or_else(|| {
                self.space(|state| {
                    let bounds = state.bounds(id, property);
                    let estimate = bounds.map_or(0, |bounds| match property {
                        // Sums hold between estimates: what is taken is estimated low.
                        Property::Available => bounds.most,
                        _ => bounds.least,
                    });
                    figure_text(property, estimate, exact)
                })
            })
    }

    /// How a figure comes from what its pool takes for itself in the open transaction group; in this second, while that
    /// changes by itself.
    fn beside(&self, id: DatasetId, property: Property) -> Option<String> {
        if self.values != Values::Marked {
            return None;
        }
        let pool = self.state().pool_of(id)?;
        let formula = match self.state().beside_metadata(id, property)? {
            Beside::More(bytes) | Beside::Logical(bytes) => format!("{bytes}+"),
            Beside::Less(bytes) => format!("{bytes}-"),
            Beside::Ratio { logical, physical } => format!("{logical}/{physical}+"),
        };
        let logical = match property {
            Property::Logicalused | Property::Compressratio => ".logical",
            _ => "",
        };
        let when = if pool.is_restless() {
            format!("{}.{}", pool.open_txg, self.state().now)
        } else {
            pool.open_txg.to_string()
        };
        // There may have been another pool of that name.
        let (marker, name, root) = (METADATA.marker, &pool.name, pool.root.0);
        Some(format!("{marker}{formula}{name}.{root}.{when}{logical}>"))
    }

    /// A pool's property: what is known without a machine, or a marker to be filled in.
    pub(super) fn of_pool(&self, pool: &str, property: &str, known: &str, exact: bool) -> String {
        let Some(pool) = self.state().pools.get(pool) else {
            return known.to_owned();
        };
        if property == "guid" {
            return self.guid_of_pool(pool);
        }
        if known == GUID.marker {
            return self.guid(pool.root);
        }
        if known != SPACE.marker {
            return known.to_owned();
        }
        self.space(|_| {
            let whole = pool.size();
            let blocks = pool.space.blocks(pool.root).size + pool.own_metadata();
            let taken = blocks.least.min(whole);
            let percent = |part: u64| {
                if exact {
                    part.to_string()
                } else {
                    format!("{part}%")
                }
            };
            match property {
                "allocated" => size(taken, exact),
                "free" => size(whole - taken, exact),
                "capacity" => percent((taken * 100).checked_div(whole).unwrap_or(0)),
                "fragmentation" => percent(0),
                _ => size(0, exact),
            }
        })
    }
}

/// A space figure or a ratio, as `zfs list` and `zfs get` print it.
fn figure_text(property: Property, number: u64, exact: bool) -> String {
    match property {
        Property::Compressratio | Property::Refcompressratio => {
            let unit = if exact { "" } else { "x" };
            format!("{}.{:02}{unit}", number / 100, number % 100)
        }
        // `zfs_nicenum`, not `zfs_nicebytes`.
        Property::Written | Property::Logicalused | Property::Logicalreferenced if !exact => {
            nice_number(number)
        }
        _ => size(number, exact),
    }
}

/// A number of bytes, to the last digit or as ZFS shortens it.
pub(super) fn size(bytes: u64, exact: bool) -> String {
    if exact {
        bytes.to_string()
    } else if bytes == 0 {
        "0B".to_owned()
    } else {
        nice_bytes(bytes)
    }
}

/// A point in time as a calendar and a clock in UTC show it.
struct Moment {
    weekday: &'static str,
    year: u64,
    /// From 0 on.
    month: usize,
    day: u64,
    hour: u64,
    minute: u64,
    second: u64,
}

impl Moment {
    /// That many seconds after 1970 began.
    fn of(seconds: u64) -> Moment {
        const DAYS: [&str; 7] = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"];
        let leap = |year: u64| {
            year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
        };
        let (days, second) = (seconds / 86_400, seconds % 86_400);
        let weekday = DAYS[usize::try_from(days % 7).unwrap_or(0)];
        let (mut year, mut day) = (1970, days);
        while day >= 365 + u64::from(leap(year)) {
            day -= 365 + u64::from(leap(year));
            year += 1;
        }
        let february = 28 + u64::from(leap(year));
        let lengths = [31, february, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
        let mut month = 0;
        while month < 11 && day >= lengths[month] {
            day -= lengths[month];
            month += 1;
        }
        Moment {
            weekday,
            year,
            month,
            day: day + 1,
            hour: second / 3600,
            minute: second / 60 % 60,
            second: second % 60,
        }
    }

    fn month_name(&self) -> &'static str {
        const MONTHS: [&str; 12] = [
            "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
        ];
        MONTHS[self.month]
    }

    /// As `strftime` writes `%a %b %e %k:%M %Y`; with zeros, `%H`; with seconds too, as `ctime` does.
    fn date(&self, zeros: bool, seconds: bool) -> String {
        let Moment {
            weekday,
            year,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        let name = self.month_name();
        let hour = if zeros {
            format!("{hour:02}")
        } else {
            format!("{hour:>2}")
        };
        let second = if seconds {
            format!(":{second:02}")
        } else {
            String::new()
        };
        format!("{weekday} {name} {day:>2} {hour}:{minute:02}{second} {year}")
    }

    /// As `strftime` writes `%a %b %e %H:%M:%S %Z %Y`.
    fn zoned(&self) -> String {
        let date = self.date(true, true);
        let (day, year) = date.rsplit_once(' ').unwrap_or_default();
        format!("{day} UTC {year}")
    }

    /// As `strftime` writes `%F.%T`.
    fn stamp(&self) -> String {
        let Moment {
            year,
            day,
            hour,
            minute,
            second,
            ..
        } = self;
        let month = self.month + 1;
        format!("{year}-{month:02}-{day:02}.{hour:02}:{minute:02}:{second:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_those_of_strftime() {
        for (seconds, text) in [
            (0, "Thu Jan  1  0:00 1970"),
            (EPOCH, "Thu Jan  1  0:00 2026"),
            (1_795_223_940, "Sat Nov 21  1:19 2026"),
            (951_782_400, "Tue Feb 29  0:00 2000"),
            (4_107_542_399, "Sun Feb 28 23:59 2100"),
            (4_107_542_400, "Mon Mar  1  0:00 2100"),
        ] {
            assert_eq!(Moment::of(seconds).date(false, false), text);
        }
        let moment = Moment::of(1_795_223_943);
        assert_eq!(moment.date(true, false), "Sat Nov 21 01:19 2026");
        assert_eq!(moment.date(true, true), "Sat Nov 21 01:19:03 2026");
        assert_eq!(moment.zoned(), "Sat Nov 21 01:19:03 UTC 2026");
        assert_eq!(moment.stamp(), "2026-11-21.01:19:03");
    }
}
