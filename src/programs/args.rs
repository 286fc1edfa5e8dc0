//! Arguments as glibc's `getopt` and `getopt_long` read them: options also after operands, `--` ends them.

use ztwin_model::Release;

/// An option as it was given, or why it cannot be one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Given {
    /// A flag.
    Flag(char),
    /// An option with its value.
    Value(char, String),
    /// A letter that the program does not know; nothing after it is read. A NUL when it is a long option.
    Unknown(char),
    /// An option at the end, without its value; nothing after it is read.
    NoValue(char),
}

/// What stood behind a subcommand.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Args {
    /// The options, in their order.
    pub given: Vec<Given>,
    /// The rest, in its order.
    pub operands: Vec<String>,
}

/// The flags of a program that has no other options, and its operands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Flags {
    given: Vec<Given>,
    /// The rest, in its order.
    pub operands: Vec<String>,
}

impl Flags {
    /// Whether a flag was given.
    pub fn has(&self, letter: char) -> bool {
        self.given.contains(&Given::Flag(letter))
    }
}

/// Reads the flags of a program that has no other options, or which one it does not know.
pub(super) fn flags(words: &[String], known: &str) -> Result<Flags, char> {
    let Args { given, operands } = parse(words, known);
    match given.last() {
        Some(Given::Unknown(letter)) => Err(*letter),
        _ => Ok(Flags { given, operands }),
    }
}

/// A long option: its name, and the letter that means the same or stands for it. None takes a value.
pub(super) type LongOption = (&'static str, char);

/// Reads arguments; a letter of `known` with a colon behind it takes a value.
pub(super) fn parse(words: &[String], known: &str) -> Args {
    parse_long(words, known, &[])
}

/// As [`parse`], with long options, which may be shortened as long as that is clear.
pub(super) fn parse_long(words: &[String], known: &str, long: &[LongOption]) -> Args {
    let mut args = Args::default();
    let mut words = words.iter();
    'words: while let Some(word) = words.next() {
        if word == "--" {
            args.operands.extend(words.cloned());
            break;
        }
        if let Some(name) = word.strip_prefix("--").filter(|_| !long.is_empty()) {
            args.given.push(long_option(name, long));
            if matches!(args.given.last(), Some(Given::Unknown(_))) {
                break;
            }
            continue;
        }
        let letters = match word.strip_prefix('-') {
            Some(letters) if !letters.is_empty() => letters,
            _ => {
                args.operands.push(word.clone());
                continue;
            }
        };
        for (at, letter) in letters.char_indices() {
            let place = known.find(letter).filter(|_| letter != ':');
            let Some(place) = place else {
                args.given.push(Given::Unknown(letter));
                break 'words;
            };
            if !known[place + letter.len_utf8()..].starts_with(':') {
                args.given.push(Given::Flag(letter));
                continue;
            }
            let rest = &letters[at + letter.len_utf8()..];
            let value = if rest.is_empty() {
                words.next().cloned()
            } else {
                Some(rest.to_owned())
            };
            args.given.push(match value {
                Some(value) => Given::Value(letter, value),
                None => Given::NoValue(letter),
            });
            if matches!(args.given.last(), Some(Given::NoValue(_))) {
                break 'words;
            }
            break;
        }
    }
    args
}

fn long_option(text: &str, long: &[LongOption]) -> Given {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (text, None),
    };
    let mut begin = long.iter().filter(|(known, _)| known.starts_with(name));
    let found = match long.iter().find(|(known, _)| *known == name) {
        Some(exact) => Some(exact),
        None => begin.next().filter(|_| begin.next().is_none()),
    };
    match found {
        // `optopt` is then what stands for the option.
        Some((_, letter)) if value.is_some() => Given::Unknown(*letter),
        Some((_, letter)) => Given::Flag(*letter),
        None => Given::Unknown('\0'),
    }
}

/// What stands behind the `-` of the first word, a NUL if nothing does: how subcommands without `getopt`
/// find an option that they do not know.
pub(super) fn leading_option(words: &[String]) -> Option<char> {
    let option = words.first()?.strip_prefix('-')?;
    Some(option.chars().next().unwrap_or('\0'))
}

/// The names of a list of properties (`zprop_get_list`). Until 2.1 a comma may stand behind the last one.
pub(super) fn property_names(list: &str, release: Release) -> impl Iterator<Item = &str> {
    let list = match list.strip_suffix(',') {
        Some(rest) if release == Release::V2_1 && !rest.is_empty() => rest,
        _ => list,
    };
    list.split(',')
}

/// The words of an option's value between commas (`strsep`), each with what a complaint about it shows. Until
/// 2.1 (`getsubopt`) there is none in no text, a comma may stand behind the last one, and what follows `=` in one
/// is not looked at.
pub(super) fn words_of(value: &str, release: Release) -> Vec<(&str, &str)> {
    if release > Release::V2_1 {
        return value.split(',').map(|word| (word, word)).collect();
    }
    if value.is_empty() {
        return Vec::new();
    }
    let words = value.strip_suffix(',').unwrap_or(value).split(',');
    words
        .map(|word| (word.split_once('=').map_or(word, |(name, _)| name), word))
        .collect()
}

/// The first word between commas that is none of these, as a complaint about it shows it.
pub(super) fn unknown_word<'a>(
    value: &'a str,
    known: &[&str],
    release: Release,
) -> Option<&'a str> {
    let mut words = words_of(value, release).into_iter();
    let unknown = words.find(|(name, _)| !known.contains(name));
    unknown.map(|(_, shown)| shown)
}

/// What is wrong with such a name when it is that of no property.
pub(super) fn wrong_property_name(name: &str, release: Release) -> String {
    if name.is_empty() && release == Release::V2_1 {
        "empty property name".to_owned()
    } else {
        format!("invalid property '{name}'")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn options_stand_also_behind_operands() {
        let args = parse(&words("a b -p -r"), "pr");
        assert_eq!(args.given, [Given::Flag('p'), Given::Flag('r')]);
        assert_eq!(args.operands, ["a", "b"]);
    }

    #[test]
    fn values_stand_in_the_word_or_behind_it() {
        let args = parse(&words("-Ho name -tall x"), "Ho:t:");
        let value = |letter, text: &str| Given::Value(letter, text.to_owned());
        assert_eq!(
            args.given,
            [Given::Flag('H'), value('o', "name"), value('t', "all")]
        );
        assert_eq!(args.operands, ["x"]);
    }

    #[test]
    fn long_options_may_be_shortened_and_have_no_value() {
        let given = |text: &str| {
            let long = [("json", 'j'), ("json-int", 'I'), ("power", 'P')];
            parse_long(&words(text), "j", &long).given
        };
        assert_eq!(
            given("--json -j --json-int --pow x"),
            [
                Given::Flag('j'),
                Given::Flag('j'),
                Given::Flag('I'),
                Given::Flag('P')
            ]
        );
        assert_eq!(given("--js -j"), [Given::Unknown('\0')]);
        assert_eq!(given("--nope"), [Given::Unknown('\0')]);
        assert_eq!(given("--json=x -j"), [Given::Unknown('j')]);
    }

    #[test]
    fn two_dashes_end_the_options() {
        let args = parse(&words("-r -- -x - y"), "r");
        assert_eq!(args.given, [Given::Flag('r')]);
        assert_eq!(args.operands, ["-x", "-", "y"]);
    }

    #[test]
    fn words_between_commas_are_those_of_getsubopt_until_2_1() {
        let words = |text| words_of(text, Release::V2_1);
        assert_eq!(words(""), []);
        assert_eq!(words(","), [("", "")]);
        assert_eq!(words("a=x,b,"), [("a", "a=x"), ("b", "b")]);
        let words = |text| words_of(text, Release::V2_3);
        assert_eq!(words(""), [("", "")]);
        assert_eq!(words("a=x,"), [("a=x", "a=x"), ("", "")]);
    }

    #[test]
    fn an_unknown_letter_and_a_missing_value_end_it() {
        assert_eq!(
            parse(&words("-rx -r"), "r").given,
            [Given::Flag('r'), Given::Unknown('x')]
        );
        assert_eq!(parse(&words("a -o"), "o:").given, [Given::NoValue('o')]);
    }
}
