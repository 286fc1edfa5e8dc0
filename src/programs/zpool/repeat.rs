//! How often `zpool list` and `zpool status` repeat what they show (`get_interval_count`), and what says when
//! that was (`-T`, `print_timestamp`).

use crate::programs::console::{Console, NotModelled};
use crate::programs::json::Object;
use crate::programs::values::Clock;

/// The most repetitions that are played at once.
const MOST: u16 = 1000;

/// A command that repeats.
#[derive(Clone, Copy, Debug)]
pub(super) struct Repeat {
    /// How often what it shows is shown.
    pub times: u16,
    /// The seconds between.
    interval: f32,
}

impl Repeat {
    /// How many seconds after the beginning that time is, counted from 0.
    pub fn after(self, time: u16) -> u64 {
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "an interval has no sign, and what does not fit is never waited for"
        )]
        let seconds = (self.interval * f32::from(time)) as u64;
        seconds
    }
}

/// The clock that `-T` asks for (`get_timestamp_arg`).
pub(super) fn clock(text: &str) -> Option<Clock> {
    match text.chars().next() {
        Some('u') => Some(Clock::Exact),
        Some('d') => Some(Clock::Zoned),
        _ => None,
    }
}

impl Console<'_> {
    /// Takes an interval and a number of repetitions off the operands; none, and a complaint, when one is zero.
    pub(super) fn repeat(
        &mut self,
        operands: &mut Vec<String>,
    ) -> Result<Option<Repeat>, NotModelled> {
        let mut numbers = Vec::new();
        while let Some(number) = operands
            .last()
            .and_then(|word| number(word))
            .filter(|_| numbers.len() < 2)
        {
            if number == 0.0 {
                self.usage("interval cannot be zero");
                return Ok(None);
            }
            operands.pop();
            numbers.push(number);
        }
        let (times, interval) = match numbers.as_slice() {
            [] => (1.0, 0.0),
            [interval] => (0.0, *interval),
            [times, interval, ..] => (times.floor(), *interval),
        };
        // Without a number, or with 0, it never ends.
        if times == 0.0 || times > f32::from(MOST) {
            return Err(NotModelled("what is repeated and never ends".to_owned()));
        }
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "it is a whole number, and no larger than MOST"
        )]
        let times = times as u16;
        Ok(Some(Repeat { times, interval }))
    }

    /// The line of `-T`.
    pub(super) fn say_time(&mut self, clock: Option<Clock>, after: u64) {
        if let Some(clock) = clock {
            let time = self.time(self.state().now + after, clock);
            self.say(&time);
        }
    }

    /// The member of `-T`; as a number it is one of seconds, however it was asked for.
    pub(super) fn add_time(
        &self,
        whole: &mut Object,
        clock: Option<Clock>,
        after: u64,
        as_number: bool,
    ) {
        if let Some(clock) = clock {
            let clock = if as_number { Clock::Exact } else { clock };
            whole.number(
                "time",
                self.time(self.state().now + after, clock),
                as_number,
            );
        }
    }
}

/// A number of seconds or of repetitions (`zfs_isnumber`, `strtof`).
fn number(word: &str) -> Option<f32> {
    let digits = word
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number = word.parse().ok().filter(|it: &f32| it.is_finite());
    number.filter(|_| digits && !word.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_digits_and_a_point_at_most() {
        assert_eq!(number("1"), Some(1.0));
        assert_eq!(number("0.5"), Some(0.5));
        assert_eq!(number(".5"), Some(0.5));
        for word in ["", ".", "1.", "1.2.3", "-1", "1e3", "inf", "tank"] {
            assert_eq!(number(word), None, "{word}");
        }
    }
}
