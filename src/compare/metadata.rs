//! What pools take for themselves: nobody predicts it, but it is the same wherever it counts.

use std::collections::BTreeMap;

/// The bounds of an amount of bytes, both included.
type Bounds = (i128, i128);

/// No more than this is known of an amount that no value told of.
const ANY: Bounds = (0, 1 << 80);

/// What values told of amounts, by the names of these.
#[derive(Clone, Debug, Default)]
pub(super) struct Amounts(BTreeMap<String, Bounds>);

/// How a value comes from an amount: what stands in its marker.
enum Formula {
    /// So many bytes and the amount.
    Sum(i128),
    /// So many bytes without the amount.
    Difference(i128),
    /// The quotient of two sums, in hundredths.
    Ratio(i128, i128),
}

impl Amounts {
    /// What it knows from now on.
    pub fn extend(&mut self, told: Amounts) {
        self.0.extend(told.0);
    }

    /// Notes what a value tells behind a marker such as `98304+tank.17`, besides what was `known` before. Whether
    /// it had to be just this value; none if it cannot be this one.
    pub fn tell(&mut self, known: &Amounts, marker: &str, value: &str) -> Option<bool> {
        let (formula, name) = parse(marker)?;
        let before = self.0.get(name).or_else(|| known.0.get(name));
        let (least, most) = before.copied().unwrap_or(ANY);
        let told = match formula {
            Formula::Ratio(logical, physical) => {
                let ratio = |amount: i128| (logical + amount) * 100 / (physical + amount).max(1);
                let (one, other) = (ratio(least), ratio(most));
                let (low, high) = digits(value.strip_suffix('x').unwrap_or(value))?;
                let hundredths = low * 100 / high;
                let inside = (one.min(other)..=one.max(other)).contains(&hundredths);
                return inside.then_some(one == other);
            }
            Formula::Sum(bytes) => {
                let (low, high) = bytes_of(value)?;
                (low - bytes, high - bytes)
            }
            Formula::Difference(bytes) => {
                let (low, high) = bytes_of(value)?;
                // Nothing is left, be there less than nothing.
                let most = if low == 0 { ANY.1 } else { bytes - low };
                (bytes - high, most)
            }
        };
        let both = (least.max(told.0), most.min(told.1));
        if both.0 > both.1 {
            return None;
        }
        self.0.insert(name.to_owned(), both);
        Some(least == most)
    }
}

fn parse(marker: &str) -> Option<(Formula, &str)> {
    let end = marker.find(|c: char| !c.is_ascii_digit())?;
    let bytes = marker[..end].parse().ok()?;
    let rest = &marker[end..];
    if let Some(name) = rest.strip_prefix('+') {
        return Some((Formula::Sum(bytes), name));
    } else if let Some(name) = rest.strip_prefix('-') {
        return Some((Formula::Difference(bytes), name));
    }
    let (physical, name) = rest.strip_prefix('/')?.split_once('+')?;
    Some((Formula::Ratio(bytes, physical.parse().ok()?), name))
}

/// A decimal number as a quotient.
fn digits(word: &str) -> Option<(i128, i128)> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let digits = [whole, fraction].concat();
    let valid = !whole.is_empty() && fraction.len() <= 3 && digits.len() <= 24;
    if !valid || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let power = u32::try_from(fraction.len()).ok()?;
    Some((digits.parse().ok()?, 10i128.pow(power)))
}

/// The bytes that may be printed so: a number of them, or one that is shortened as in `1.23M`
/// (`zfs_nicenum`).
fn bytes_of(word: &str) -> Option<Bounds> {
    const UNITS: &str = "BKMGTPEZ";
    let number = word
        .strip_suffix(|c: char| UNITS.contains(c))
        .unwrap_or(word);
    let unit = word[number.len()..].chars().next();
    let power = unit.map_or(Some(0), |unit| UNITS.find(unit))?;
    let (above, below) = digits(number)?;
    let unit = 1i128 << (10 * power);
    if power == 0 {
        return (below == 1).then_some((above, above));
    }
    // Half of the last digit.
    let (middle, half) = (above * unit / below, unit / below / 2 + 1);
    Some(((middle - half).max(0), middle + half))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_amount_is_the_same_wherever_it_counts() {
        let mut amounts = Amounts::default();
        let mut tell = |marker, value| amounts.tell(&Amounts::default(), marker, value);
        // The first value tells the amount, the others have to agree.
        assert_eq!(tell("98304+tank.17", "356352"), Some(false));
        assert_eq!(tell("872415232-tank.17", "872157184"), Some(true));
        assert_eq!(tell("872415232-tank.17", "872157185"), None);
        assert_eq!(tell("0+tank.17", "258048"), Some(true));
        assert_eq!(tell("0+tank.17", "252K"), Some(true));
        assert_eq!(tell("0+tank.17", "253K"), None);
        // Another transaction group, another amount.
        assert_eq!(tell("0+tank.18", "252K"), Some(false));
        assert_eq!(tell("0+tank.18", "258100"), Some(false));
        assert_eq!(tell("0+tank.18", "258101"), None);
        assert_eq!(tell("50-tank.19", "60"), None);
        assert_eq!(tell("50-tank.19", "0"), Some(false));
        assert_eq!(tell("0+tank.19", "70"), Some(false));
        // A ratio lies between that of what is known and one.
        assert_eq!(tell("300/100+tank.20", "3.01"), None);
        assert_eq!(tell("300/100+tank.20", "2.00x"), Some(false));
        assert_eq!(tell("300/100+tank.20", "0.99"), None);
        assert_eq!(tell("300+tank.20", "400"), Some(false));
        assert_eq!(tell("300/100+tank.20", "2.00"), Some(true));
        assert_eq!(tell("300/100+tank.20", "2.01"), None);
        for (marker, value) in [
            ("x", "1"),
            ("1+t", ""),
            ("1+t", "1.5"),
            ("1+t", "xK"),
            ("1*t", "1"),
        ] {
            assert_eq!(tell(marker, value), None, "{marker} {value}");
        }
    }
}
