//! Equality classes: the only ways in which two outcomes may differ and still agree.

use std::fmt;

/// A class of values that the model cannot know. It prints the marker where the value would stand.
///
/// A class excuses a value only where the model printed its marker, and only a value of its shape.
#[derive(Debug)]
pub struct Class {
    /// Its name, as in verdicts: `space`.
    pub name: &'static str,
    /// What the model prints in place of the value: `<space>`.
    pub marker: &'static str,
    /// How many words, from the first one given on, are a value of this class; 0 when none is.
    accepts: fn(&[&str]) -> usize,
}

/// A marker in what the model printed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Marker<'a> {
    /// What it stands for.
    pub class: &'static Class,
    /// Where it starts.
    pub start: usize,
    /// As it was printed.
    pub text: &'a str,
}

/// Space figures that nobody predicts: allocated and free space of pools, fragmentation and capacity, and where what
/// a dataset takes is not known, those of it.
///
/// Accepts plain digits, a size such as `1.23M`, `12%`, `1.00x`, `-` and `none`.
pub const SPACE: Class = Class {
    name: "space",
    marker: "<space>",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_space(word))),
};

/// Points in time: `creation`.
///
/// Accepts seconds since 1970 in plain digits, a date as `zfs get creation` prints it, in five words:
/// `Sat Nov 21  1:19 2026`, also with seconds as `ctime` has them, with a time zone as `date` has it
/// (`Sat Nov 21 01:19:03 UTC 2026`), one as `zpool history` prints it: `2026-11-21.01:19:03`, and seconds with nine
/// digits behind a point.
pub const TIME: Class = Class {
    name: "time",
    marker: "<time>",
    accepts: |words| {
        if words.len() >= 5 && is_date(&words[..5]) {
            5
        } else if words.len() >= 6 && is_zoned_date(&words[..6]) {
            6
        } else {
            usize::from(
                words
                    .first()
                    .is_some_and(|word| is_number(word) || is_stamp(word) || is_fine(word)),
            )
        }
    },
};

/// Identities that a pool draws at random: `guid`, `objsetid` of other pools, and the like.
///
/// Accepts a decimal number of 64 bits.
pub const GUID: Class = Class {
    name: "guid",
    marker: "<guid>",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_number(word))),
};

/// Numbers of transaction groups: `createtxg`.
///
/// Accepts a decimal number of 64 bits.
pub const TXG: Class = Class {
    name: "txg",
    marker: "<txg>",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_number(word))),
};

/// The rest of a usage text: the model prints what stands in front of it, which says what was wrong, and
/// then the marker on a line of its own.
///
/// Accepts all lines to the end of the stream, at least one, where one of them or of those in front of
/// them starts or ends with `usage:` and none in front of the marker differs. In a trace the pattern `<usage>`
/// stands for them. It counts as one value.
pub const USAGE: Class = Class {
    name: "usage",
    marker: "<usage>",
    accepts: |_| 0,
};

/// The order in which ZFS names several children or clones of one dataset, its users' properties, or the
/// holds of one snapshot: that of a hash with a salt that each pool draws at random (`zap_cursor_retrieve`).
///
/// The model prints the marker in front of each line of such a list; what is expected must have the same
/// lines there, each as often, in any order. Where a list is one word (`clones`), the marker stands behind
/// it, also in JSON, and its parts between commas may be in any order. Lists that follow each other line by line
/// are one, and a list counts as one value.
pub const ORDER: Class = Class {
    name: "order",
    marker: "<order>",
    accepts: |_| 0,
};

/// What follows the release line in a version: the patch release and what a distribution puts behind it, as
/// `9-0+deb13u1` in `zfs-2.3.9-0+deb13u1`. Patch releases of a line behave alike as far as the model goes.
///
/// Accepts digits, with letters, digits and `-+~.` behind a `-` or `~`.
pub const VERSION: Class = Class {
    name: "version",
    marker: "<version>",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_patch(word))),
};

/// Whether an enabled feature of a pool is in use: for some that takes what was ever done in it, and whether
/// it is on disk by now.
///
/// Accepts `enabled` and `active`.
pub const FEATURE: Class = Class {
    name: "feature",
    marker: "<feature>",
    accepts: |words| usize::from(matches!(words.first(), Some(&"enabled" | &"active"))),
};

/// A figure of which the model knows two bounds, which stand in its marker: `<between:515..517>`. What a file or a
/// dataset takes on disk is one where it depends on how well metadata compress, or on an algorithm that the
/// model does not have.
///
/// Accepts an amount within the bounds, both included: a decimal number, a size such as `1.23M`, or a ratio
/// such as `1.00x`. The bounds are written as the value would be: `<between:24K..96K>`.
pub const BETWEEN: Class = Class {
    name: "between",
    marker: "<between:",
    accepts: |words| usize::from(words.first().is_some_and(|word| amount(word).is_some())),
};

/// Space figures of datasets of which all is known but what the pool takes for itself (what it knows of its datasets, its
/// history, the maps of its space): `used`, `usedbychildren`, `logicalused` and `compressratio` of its root, and
/// `available` without a quota.
///
/// The marker says how such a figure comes from that amount: `<metadata:98304+tank.1.17>` is 98304 bytes more than
/// what the pool `tank`, whose root is the dataset number 1, takes for itself in transaction group 17,
/// `<metadata:872415232-tank.1.17>` what that leaves of so many bytes, `<metadata:500/300+tank.1.17.logical>` a ratio of two
/// sums. Accepts what agrees with all other values that
/// tell of the same amount in the trace; one that follows from these does not count.
pub const METADATA: Class = Class {
    name: "metadata",
    marker: "<metadata:",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_space(word))),
};

/// The name of the machine on which a command ran, as `zpool history -l` prints it.
///
/// Accepts letters and digits of ASCII, with `-` and `.` between them.
pub const HOST: Class = Class {
    name: "host",
    marker: "<host>",
    accepts: |words| usize::from(words.first().is_some_and(|word| is_host(word))),
};

/// How long a scrub took, as `zpool status` prints it.
///
/// Accepts hours, minutes and seconds of two digits each.
pub const DURATION: Class = Class {
    name: "duration",
    marker: "<duration>",
    accepts: |words| {
        let accepted = |word: &&str| word.len() == 8 && is_clock(word);
        usize::from(words.first().is_some_and(accepted))
    },
};

/// All classes, in the order of verdicts.
pub const CLASSES: [&Class; 12] = [
    &SPACE, &METADATA, &TIME, &GUID, &TXG, &USAGE, &ORDER, &VERSION, &FEATURE, &HOST, &DURATION,
    &BETWEEN,
];

impl Class {
    /// The first marker in `text`.
    pub(super) fn find(text: &str) -> Option<Marker<'_>> {
        // Most words hold no marker.
        text.contains('<').then_some(())?;
        CLASSES
            .into_iter()
            .filter_map(|class| {
                let start = text.find(class.marker)?;
                let mut length = class.marker.len();
                if !class.marker.ends_with('>') {
                    length += text[start + length..].find('>')? + 1;
                }
                Some(Marker {
                    class,
                    start,
                    text: &text[start..start + length],
                })
            })
            .min_by_key(|marker| marker.start)
    }
}

impl<'a> Marker<'a> {
    /// What stands behind it in the text in which it was found.
    pub(super) fn behind(self, text: &'a str) -> &'a str {
        &text[self.start + self.text.len()..]
    }

    /// What stands in it behind the name of its class.
    pub(super) fn inside(&self) -> &'a str {
        let inside = self.text.strip_prefix(self.class.marker);
        inside.and_then(|it| it.strip_suffix('>')).unwrap_or("")
    }

    /// How many words from the first one on are a value that it stands for.
    pub(super) fn accepts(&self, words: &[&str]) -> usize {
        let count = (self.class.accepts)(words);
        let inside = self.bounds().is_none_or(|(least, most)| {
            let amount = words.first().and_then(|word| amount(word));
            amount.is_some_and(|amount| (least..=most).contains(&amount))
        });
        if inside { count } else { 0 }
    }

    /// The bounds that stand in it, in hundredths.
    fn bounds(&self) -> Option<(u128, u128)> {
        let bounds = self
            .text
            .strip_prefix(self.class.marker)?
            .strip_suffix('>')?;
        let (least, most) = bounds.split_once("..")?;
        Some((amount(least)?, amount(most)?))
    }
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit()) && word.parse::<u64>().is_ok()
}

/// A number, a size in units of 1024, or a ratio, in hundredths.
fn amount(word: &str) -> Option<u128> {
    const UNITS: &str = "BKMGTPE";
    let number = word.strip_suffix(|c: char| UNITS.contains(c) || c == 'x');
    let number = number.unwrap_or(word);
    let power = match &word[number.len()..] {
        "" | "x" => 0,
        unit => UNITS.find(unit)?,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if !is_number(whole) || fraction.len() > 2 || !fraction.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    let hundredths = format!("{fraction:0<2}").parse::<u128>().ok()?;
    Some((whole.parse::<u128>().ok()? * 100 + hundredths) << (10 * power))
}

fn is_space(word: &str) -> bool {
    if matches!(word, "-" | "none") {
        return true;
    }
    let number = word
        .strip_suffix(|c: char| "BKMGTPEZ%x".contains(c))
        .unwrap_or(word);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    [whole, fraction]
        .iter()
        .all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

fn is_patch(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (patch, rest) = word.split_at(digits);
    let packaged = rest.starts_with(['-', '~'])
        && rest.len() > 1
        && rest
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-+~.".contains(&byte));
    !patch.is_empty() && (rest.is_empty() || packaged)
}

fn is_host(word: &str) -> bool {
    word.split(['-', '.'])
        .all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_alphanumeric()))
}

/// The hour and the minute, perhaps with seconds.
fn is_clock(time: &str) -> bool {
    let below = |word: &str, limit: u32| word.parse::<u32>().is_ok_and(|number| number < limit);
    let mut parts = time.split(':');
    let hour = parts.next().is_some_and(|hour| below(hour, 24));
    let rest: Vec<_> = parts.collect();
    let minutes = rest
        .iter()
        .all(|minute| minute.len() == 2 && below(minute, 60));
    hour && minutes && (1..=2).contains(&rest.len())
}

/// `1795224000.123456789`, as `zfs diff -t` prints it
fn is_fine(word: &str) -> bool {
    word.split_once('.')
        .is_some_and(|(seconds, rest)| is_number(seconds) && rest.len() == 9 && is_number(rest))
}

/// `2026-11-21.01:19:03`
fn is_stamp(word: &str) -> bool {
    let numbers = |text: &str, widths: &[usize]| {
        let parts: Vec<_> = text.split('-').collect();
        parts.len() == widths.len()
            && parts
                .iter()
                .zip(widths)
                .all(|(part, width)| part.len() == *width && is_number(part))
    };
    word.split_once('.')
        .is_some_and(|(day, time)| numbers(day, &[4, 2, 2]) && time.len() == 8 && is_clock(time))
}

fn is_date(words: &[&str]) -> bool {
    const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let below = |word: &str, limit: u32| word.parse::<u32>().is_ok_and(|number| number < limit);
    let [weekday, month, day, time, year] = words else {
        return false;
    };
    DAYS.contains(weekday)
        && MONTHS.contains(month)
        && below(day, 32)
        && is_clock(time)
        && year.len() == 4
        && below(year, 10_000)
}

/// A date with seconds and a time zone in front of the year.
fn is_zoned_date(words: &[&str]) -> bool {
    let [weekday, month, day, time, zone, year] = words else {
        return false;
    };
    time.matches(':').count() == 2
        && zone.bytes().all(|byte| byte.is_ascii_uppercase())
        && is_date(&[weekday, month, day, time, year])
}

/// How many values were not compared, by class.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Excused([u64; CLASSES.len()]);

impl Excused {
    /// One more value of `class`.
    pub(super) fn count(&mut self, class: &Class) {
        for (known, number) in CLASSES.iter().zip(&mut self.0) {
            *number += u64::from(known.name == class.name);
        }
    }

    /// Adds the numbers of `other`.
    pub fn add(&mut self, other: &Excused) {
        self.0
            .iter_mut()
            .zip(other.0)
            .for_each(|(sum, number)| *sum += number);
    }

    /// Each class with its number of values, in the order of [`CLASSES`].
    pub fn by_class(&self) -> impl Iterator<Item = (&'static Class, u64)> {
        CLASSES.into_iter().zip(self.0)
    }

    /// How many values in all.
    #[must_use]
    pub fn total(&self) -> u64 {
        self.0.iter().sum()
    }
}

impl fmt::Display for Excused {
    /// The classes that excused a value: `space 12, guid 1`; empty when none did.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut separator = "";
        for (class, number) in self.by_class().filter(|&(_, number)| number > 0) {
            write!(f, "{separator}{} {number}", class.name)?;
            separator = ", ";
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_class_accepts_its_shape_and_nothing_else() {
        let accepts = |class: &Class, value: &str| {
            let words: Vec<_> = value.split_whitespace().collect();
            words.len() == (class.accepts)(&words)
        };
        for value in [
            "0", "-", "none", "24K", "1.23M", "9.63G", "0%", "1.00x", "98304", "0B",
        ] {
            assert!(accepts(&SPACE, value), "{value}");
        }
        for value in ["tank", "1.M", ".5M", "1.2.3", "1,2", "K", "--", "on", "1 2"] {
            assert!(!accepts(&SPACE, value), "{value}");
        }
        for value in [
            "1795224000",
            "1795224000.123456789",
            "Sat Nov 21  1:19 2026",
            "Mon Jan  5 23:59 2026",
            "Sat Nov 21 15:34:22 2026",
            "2026-11-21.15:34:22",
            "Sat Nov 21 15:34:22 UTC 2026",
        ] {
            assert!(accepts(&TIME, value), "{value}");
        }
        for value in [
            "-",
            "1795224000.12345678",
            "Sat Nov 21 1:9 2026",
            "Sat Nov 21 1:09:7 2026",
            "Sat Nov 21 1:09:07:00 2026",
            "Sat Nov 32 1:19 2026",
            "Sut Nov 2 1:19 2026",
            "Sat Nov 21 15 2026",
            "Sat Nov 21 15:34:22:1 2026",
            "2026-11-21.15:34",
            "2026-11-21",
            "Sat Nov 21 15:34 UTC 2026",
            "Sat Nov 21 15:34:22 utc 2026",
        ] {
            assert!(!accepts(&TIME, value), "{value}");
        }
        for value in ["11", "9-0+deb13u1", "4-1~bpo13+1", "0~rc1"] {
            assert!(accepts(&VERSION, value), "{value}");
        }
        for value in ["x", "9.1", "9-", "9-0 x", "-1"] {
            assert!(!accepts(&VERSION, value), "{value}");
        }
        let between = |marker: &str, value: &str| {
            Class::find(marker).map(|marker| marker.accepts(&[value])) == Some(1)
        };
        for (value, inside) in [
            ("515", true),
            ("517", true),
            ("514", false),
            ("518", false),
            ("x", false),
        ] {
            assert_eq!(between("<between:515..517>", value), inside, "{value}");
        }
        assert!(!between("<between:515>", "x") && Class::find("<between:").is_none());
        for (value, inside) in [
            ("24K", true),
            ("1.2M", true),
            ("23.9K", false),
            ("1.21M", false),
            ("24G", false),
            ("24KM", false),
            ("24Kx", false),
        ] {
            assert_eq!(between("<between:24K..1.20M>", value), inside, "{value}");
        }
        assert!(
            between("<between:1.00x..1.05x>", "1.04x")
                && !between("<between:1.00x..1.05x>", "1.06x")
        );
        for value in ["00:00:00", "23:59:59"] {
            assert!(accepts(&DURATION, value), "{value}");
        }
        for value in ["0:00:00", "00:00", "00:00:60", "1 days 00:00:00"] {
            assert!(!accepts(&DURATION, value), "{value}");
        }
        for value in ["guest", "node-1.example.org"] {
            assert!(accepts(&HOST, value), "{value}");
        }
        for value in ["a b", "a_b", "-a", "a..b", "a:linux"] {
            assert!(!accepts(&HOST, value), "{value}");
        }
        for class in [&GUID, &TXG] {
            assert!(accepts(class, "18446744073709551615"));
            assert!(!accepts(class, "18446744073709551616"));
            assert!(!accepts(class, "-") && !accepts(class, "12a"));
        }
    }
}
