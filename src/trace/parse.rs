//! Parsing traces.

use std::num::NonZeroU8;

use super::text::{self, TextError};
use super::word::{self, Token};
use super::{
    Arm, Comparison, Condition, Element, Ending, Guard, Item, Line, LineNumber, Meta, Operator,
    Recorded, Step, Text, Trace, TraceError,
};
use crate::pools::Command;

/// An error without the file: the line's index, the offset in characters, the width.
struct Fail {
    line: usize,
    at: usize,
    width: usize,
    expected: String,
    help: Option<&'static str>,
}

impl Fail {
    fn new(line: usize, at: usize, width: usize, expected: impl Into<String>) -> Self {
        Fail {
            line,
            at,
            width,
            expected: expected.into(),
            help: None,
        }
    }

    fn help(mut self, help: &'static str) -> Self {
        self.help = Some(help);
        self
    }
}

/// How far the outcome of a step has come: the order in which its parts are written.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Phase {
    Out,
    Err,
    End,
}

/// The guard that is being read.
struct OpenGuard {
    /// The index of the line `? openzfs ...`.
    line: usize,
    guard: Guard,
    /// The phase at its start, which each part continues.
    start: Phase,
    /// The furthest phase that a part has reached.
    reached: Phase,
}

struct Parser<'a> {
    lines: Vec<&'a str>,
    items: Vec<Item>,
    /// Whether output may follow: the last item is a step.
    in_step: bool,
    phase: Phase,
    guard: Option<OpenGuard>,
}

pub(super) fn parse(name: &str, bytes: &[u8]) -> Result<Trace, TraceError> {
    let at = |lines: &[&str], fail: Fail| TraceError {
        file: name.to_owned(),
        line: fail.line + 1,
        column: fail.at + 1,
        width: fail.width.max(1),
        expected: fail.expected,
        help: fail.help,
        source_line: lines.get(fail.line).copied().unwrap_or_default().to_owned(),
    };
    let text = match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => {
            let line_start = bytes[..error.valid_up_to()]
                .iter()
                .rposition(|&b| b == b'\n')
                .map_or(0, |i| i + 1);
            let line = bytes[..line_start].split(|&b| b == b'\n').count() - 1;
            let rest = &bytes[line_start..];
            let end = rest.iter().position(|&b| b == b'\n').unwrap_or(rest.len());
            let source_line = String::from_utf8_lossy(&rest[..end]).into_owned();
            // What stands in front of the error is valid.
            let column = String::from_utf8_lossy(&bytes[line_start..error.valid_up_to()])
                .chars()
                .count();
            let fail = Fail::new(line, column, 1, "text in UTF-8")
                .help(r"bytes that a step printed are written `\xHH`, and ` (esc)` at the end of the line");
            let mut error = at(&[], fail);
            error.source_line = source_line;
            return Err(error);
        }
    };
    let mut lines: Vec<&str> = text.split('\n').collect();
    // The last line ends with a line feed too.
    if lines.last() == Some(&"") {
        lines.pop();
    }
    let mut parser = Parser {
        lines,
        items: Vec::new(),
        in_step: false,
        phase: Phase::Out,
        guard: None,
    };
    match parser.run() {
        Ok(()) => Ok(Trace {
            items: parser.items,
        }),
        Err(fail) => Err(at(&parser.lines, fail)),
    }
}

impl<'a> Parser<'a> {
    fn run(&mut self) -> Result<(), Fail> {
        let mut i = 0;
        while let Some(&line) = self.lines.get(i) {
            i = match line.strip_prefix("  ") {
                Some(content) => self.indented(i, content)?,
                None if line.starts_with(' ') => {
                    return Err(Fail::new(
                        i,
                        0,
                        1,
                        "two spaces before a step or output, or none before prose",
                    ));
                }
                None => {
                    self.leave_step()?;
                    self.items.push(Item::Prose(line.to_owned()));
                    i + 1
                }
            };
        }
        self.leave_step()
    }

    /// Nothing of the last step follows any more.
    fn leave_step(&mut self) -> Result<(), Fail> {
        self.in_step = false;
        self.phase = Phase::Out;
        match &self.guard {
            None => Ok(()),
            Some(open) => {
                let width = self.lines[open.line].chars().count().saturating_sub(2);
                Err(Fail::new(
                    open.line,
                    2,
                    width,
                    "`  ? end` behind the lines of this guard",
                )
                .help("a guard stands around lines that one step printed"))
            }
        }
    }

    /// Reads the line at `i` behind its indent; the index of the next line.
    fn indented(&mut self, i: usize, content: &'a str) -> Result<usize, Fail> {
        if let Some(process) = text::prompt(content) {
            return self.step(i, process);
        }
        let mark = content.chars().next();
        let rest = match mark {
            Some('!' | '~' | '@' | '?') => {
                let behind = content[1..].strip_prefix('~').filter(|_| mark == Some('!'));
                let rest = behind.unwrap_or(&content[1..]);
                match rest.strip_prefix(' ') {
                    Some(rest) => rest,
                    None if rest.is_empty() => rest,
                    None => {
                        let at = 2 + content.len() - rest.len();
                        return Err(Fail::new(i, at, 1, format!("a space behind `{}`", &content[..content.len() - rest.len()]))
                            .help(r"a line of output that starts with `!`, `~`, `@`, `?` or `$` is written with its first character as `\xHH`, and ` (esc)` at the end of the line"));
                    }
                }
            }
            Some('$') => {
                return Err(Fail::new(i, 3, 1, "a space behind `$`")
                    .help(r"a line of output that starts with `$` is written `\x24...`, and ` (esc)` at the end of the line"));
            }
            _ => content,
        };
        let start = 2 + content.chars().count() - rest.chars().count();
        match mark {
            Some('@') => {
                self.leave_step()?;
                let meta = self.meta(i)?;
                self.items.push(Item::Meta(meta));
            }
            Some('?') => self.guard_line(i, rest, start)?,
            mark => {
                let line = if let Some(code) = text::ending(content) {
                    Line::End(ending(code).ok_or_else(|| {
                        Fail::new(i, 3, code.len(), "an exit code from 1 to 255, or `panic`")
                            .help("exit code 0 is not written down")
                    })?)
                } else {
                    let pattern =
                        mark == Some('~') || (mark == Some('!') && content.starts_with("!~"));
                    if rest.is_empty() && start > 2 && content.ends_with(' ') {
                        return Err(Fail::new(i, start - 1, 1, "no blanks at the end of a line"));
                    }
                    if content.is_empty() {
                        return Err(Fail::new(i, 0, 2, "a step or output behind the indent")
                            .help("an empty line that a step printed is written `  (esc)`"));
                    }
                    let text = Text::read(rest, pattern).map_err(
                        |TextError {
                             at,
                             width,
                             expected,
                             help,
                         }| {
                            Fail {
                                line: i,
                                at: start + at,
                                width,
                                expected,
                                help,
                            }
                        },
                    )?;
                    if mark == Some('!') {
                        Line::Err(text)
                    } else {
                        Line::Out(text)
                    }
                };
                self.output(i, line)?;
            }
        }
        Ok(i + 1)
    }

    /// Adds a line of output to the last step.
    fn output(&mut self, i: usize, line: Line) -> Result<(), Fail> {
        let width = self.lines[i].chars().count() - 2;
        let next = match line {
            Line::Out(_) => Phase::Out,
            Line::Err(_) => Phase::Err,
            Line::End(_) => Phase::End,
        };
        if !self.in_step {
            return Err(Fail::new(i, 2, width, "a step, such as `  $ zfs list`")
                .help("output stands directly below its step; an empty line of output is written `  (esc)`"));
        }
        if self.phase > next || self.phase == Phase::End {
            let expected = match (self.phase, next) {
                (Phase::End, _) => "nothing of the step behind its exit code",
                _ => "standard output before standard error",
            };
            return Err(Fail::new(i, 2, width, expected)
                .help("a step is followed by its standard output, then its standard error (`! ...`), then its exit code (`[N]`)"));
        }
        self.phase = next;
        match (&mut self.guard, self.items.last_mut()) {
            (
                Some(OpenGuard {
                    guard: Guard { arms, otherwise },
                    ..
                }),
                _,
            ) => match (otherwise, arms.last_mut()) {
                (Some(lines), _) | (None, Some(Arm { lines, .. })) => lines.push(line),
                // An open guard has an arm.
                (None, None) => {}
            },
            (None, Some(Item::Step(step))) => step.body.push(Element::Line(line)),
            // `in_step` says that the last item is one.
            (None, _) => {}
        }
        Ok(())
    }

    /// A line `? ...`, of which `rest` stands at the character `start`.
    fn guard_line(&mut self, i: usize, rest: &str, start: usize) -> Result<(), Fail> {
        let width = rest.chars().count();
        if !self.in_step {
            return Err(Fail::new(i, 2, width + 2, "a step before a guard")
                .help("guards stand around what a step printed, never around steps"));
        }
        if rest == "end" {
            let Some(open) = self.guard.take() else {
                return Err(Fail::new(
                    i,
                    start,
                    width,
                    "a line `  ? openzfs ...` before `  ? end`",
                ));
            };
            self.phase = self.phase.max(open.reached);
            if let Some(Item::Step(step)) = self.items.last_mut() {
                step.body.push(Element::Guard(open.guard));
            }
            return Ok(());
        }
        let (is_else, condition) = match rest.strip_prefix("else") {
            Some("") => (true, None),
            Some(behind) if behind.starts_with(' ') => (true, Some((&behind[1..], start + 5))),
            _ => (false, Some((rest, start))),
        };
        let condition = condition
            .map(|(text, at)| read_condition(i, text, at))
            .transpose()?;
        match (&mut self.guard, is_else) {
            (Some(open), true) => {
                if open.guard.otherwise.is_some() {
                    return Err(Fail::new(
                        i,
                        start,
                        width,
                        "`  ? end` behind the lines of `  ? else`",
                    ));
                }
                open.reached = open.reached.max(self.phase);
                self.phase = open.start;
                match condition {
                    Some(when) => open.guard.arms.push(Arm {
                        when,
                        lines: Vec::new(),
                    }),
                    None => open.guard.otherwise = Some(Vec::new()),
                }
                Ok(())
            }
            (Some(_), false) => Err(Fail::new(
                i,
                start,
                width,
                "`  ? end` or `  ? else openzfs ...` before another guard",
            )
            .help("guards do not nest; `? else openzfs < 2.4` adds a case")),
            (None, true) => Err(Fail::new(
                i,
                start,
                width,
                "a line `  ? openzfs ...` before `  ? else`",
            )),
            (None, false) => {
                if let Some(when) = condition {
                    let guard = Guard {
                        arms: vec![Arm {
                            when,
                            lines: Vec::new(),
                        }],
                        otherwise: None,
                    };
                    self.guard = Some(OpenGuard {
                        line: i,
                        guard,
                        start: self.phase,
                        reached: self.phase,
                    });
                }
                Ok(())
            }
        }
    }

    /// The tokens of the line at `i` from the character `from`.
    fn tokens(&self, i: usize, from: usize) -> Result<(Vec<(usize, Token)>, bool), Fail> {
        let line: Vec<char> = self.lines[i].chars().collect();
        if let Some(at) = line.iter().position(|c| c.is_control()) {
            return Err(Fail::new(i, at, 1, "no tabs or other control characters")
                .help(r"in a word they are written as in $'a\tb'; a file's lines end with a line feed alone"));
        }
        let from = from.min(line.len());
        let (mut tokens, continued) = word::split(&line[from..]).map_err(|error| Fail {
            line: i,
            at: from + error.at,
            width: 1,
            expected: error.expected,
            help: error.help,
        })?;
        for (at, _) in &mut tokens {
            *at += from;
        }
        Ok((tokens, continued))
    }

    /// The step at `i`; the index of the line behind it.
    fn step(&mut self, first: usize, process: &str) -> Result<usize, Fail> {
        self.leave_step()?;
        let mut command = Command {
            process: process.to_owned(),
            ..Command::default()
        };
        let mut breaks = Vec::new();
        // Tokens of the command: words, and each `< @name` as one.
        let mut count = 0;
        let mut i = first;
        let mut from = 3 + process.len();
        loop {
            let (tokens, continued) = self.tokens(i, from)?;
            let end = self.lines[i].chars().count();
            let mut tokens = tokens.into_iter();
            while let Some((at, token)) = tokens.next() {
                let kept = match token {
                    Token::Word(word) => {
                        if command.input.is_some() || command.output.is_some() {
                            return Err(Fail::new(i, at, 1, "words before `<` and `>`"));
                        }
                        command.words.push(word);
                        count += 1;
                        continue;
                    }
                    Token::Input => &mut command.input,
                    Token::Output => &mut command.output,
                };
                let (name_at, name) = match tokens.next() {
                    Some((at, Token::Word(name))) => (at, name),
                    Some((at, _)) => (at, String::new()),
                    None => (end, String::new()),
                };
                match name.strip_prefix('@') {
                    Some(name)
                        if !name.is_empty()
                            && name
                                .bytes()
                                .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b)) =>
                    {
                        if kept.replace(name.to_owned()).is_some() {
                            return Err(Fail::new(i, at, 1, "one stream of each kind"));
                        }
                    }
                    _ => {
                        return Err(Fail::new(i, name_at, name.chars().count(), "`@` and the name of a stream")
                            .help("a trace keeps streams by name, as in `> @full`; names are made of A-Z a-z 0-9 . _ -"));
                    }
                }
                count += 1;
            }
            if count == 0 {
                return Err(Fail::new(i, end, 1, "a command behind `$`"));
            }
            if !continued {
                break;
            }
            if breaks.last() == Some(&count) {
                return Err(Fail::new(i, end - 1, 1, "words on a continued line"));
            }
            breaks.push(count);
            i += 1;
            match self.lines.get(i) {
                Some(line)
                    if line.starts_with("  ") && !line.trim_start_matches(' ').is_empty() =>
                {
                    from = 2;
                }
                _ => {
                    return Err(Fail::new(
                        i - 1,
                        end - 1,
                        1,
                        "an indented line behind the trailing `\\`",
                    ));
                }
            }
        }
        if breaks.last() == Some(&count) {
            return Err(Fail::new(i, 2, 1, "words on a continued line"));
        }
        if command.words.is_empty() {
            return Err(Fail::new(
                first,
                3 + process.len(),
                1,
                "a command before `<` and `>`",
            ));
        }
        let line = LineNumber(first + 1);
        self.items.push(Item::Step(Step {
            command,
            breaks,
            body: Vec::new(),
            line,
        }));
        self.in_step = true;
        Ok(i + 1)
    }

    /// The metadata of the line at `i`.
    fn meta(&self, i: usize) -> Result<Meta, Fail> {
        let (tokens, continued) = self.tokens(i, 3)?;
        let end = self.lines[i].chars().count();
        if continued {
            return Err(Fail::new(i, end - 1, 1, "metadata on one line"));
        }
        let mut words = Vec::new();
        for (at, token) in tokens {
            match token {
                Token::Word(word) => words.push((at, word)),
                _ => return Err(Fail::new(i, at, 1, "`key=value`")),
            }
        }
        match words.split_first() {
            None => Err(Fail::new(i, end, 1, "`recorded ...` or `key=value`")),
            Some(((_, first), rest)) if first == "recorded" => recorded(i, rest, end),
            Some(_) => {
                let mut pairs = Vec::new();
                for (at, word) in words {
                    match word.split_once('=') {
                        Some((key, value))
                            if key.starts_with(|c: char| c.is_ascii_lowercase())
                                && key.bytes().all(|b| {
                                    b.is_ascii_lowercase()
                                        || b.is_ascii_digit()
                                        || b"_.-".contains(&b)
                                }) =>
                        {
                            pairs.push((key.to_owned(), value.to_owned()));
                        }
                        _ => {
                            return Err(Fail::new(
                                i,
                                at,
                                word.chars().count(),
                                "`key=value`, or `recorded ...` alone",
                            )
                            .help("a key is made of a-z 0-9 _ . - and starts with a letter"));
                        }
                    }
                }
                Ok(Meta::Values(pairs))
            }
        }
    }
}

/// The line `@ recorded` with these words behind it.
fn recorded(i: usize, words: &[(usize, String)], end: usize) -> Result<Meta, Fail> {
    const HELP: &str = "such as `  @ recorded openzfs-2.3.9 linux-6.12 trixie 2026-11-21`";
    fn version(word: &str) -> bool {
        word.starts_with(|c: char| c.is_ascii_digit())
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".~+-_".contains(&b))
    }
    let get = |n: usize, expected: &str, read: &dyn Fn(&str) -> Option<String>| {
        let (at, word) = words
            .get(n)
            .map_or((end, ""), |(at, word)| (*at, word.as_str()));
        read(word).ok_or_else(|| Fail::new(i, at, word.chars().count(), expected).help(HELP))
    };
    let behind = |prefix: &'static str| {
        move |word: &str| {
            word.strip_prefix(prefix)
                .filter(|v| version(v))
                .map(str::to_owned)
        }
    };
    let openzfs = get(
        0,
        "the version recorded, as `openzfs-2.3.9`",
        &behind("openzfs-"),
    )?;
    let linux = get(
        1,
        "the kernel's version, as `linux-6.12`",
        &behind("linux-"),
    )?;
    let system = get(2, "the system's name, such as `trixie`", &|word| {
        (!word.is_empty()
            && word
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b".~+-_".contains(&b)))
        .then(|| word.to_owned())
    })?;
    let date = get(3, "the day, as `2026-11-21`", &|word| {
        is_date(word).then(|| word.to_owned())
    })?;
    if let Some((at, word)) = words.get(4) {
        return Err(Fail::new(i, *at, word.chars().count(), "nothing behind the day").help(HELP));
    }
    Ok(Meta::Recorded(Recorded {
        openzfs,
        linux,
        system,
        date,
    }))
}

fn is_date(word: &str) -> bool {
    let numbers: Vec<Option<u32>> = word.split('-').map(|n| n.parse().ok()).collect();
    word.len() == 10
        && word.bytes().all(|b| b.is_ascii_digit() || b == b'-')
        && matches!(numbers[..], [Some(1000..), Some(1..=12), Some(1..=31)])
}

fn ending(code: &str) -> Option<Ending> {
    if code == "panic" {
        return Some(Ending::Panic);
    }
    // Only one way to write a number, so that it prints as it was read.
    code.parse()
        .ok()
        .filter(|n: &NonZeroU8| n.to_string() == code)
        .map(Ending::Exit)
}

/// A condition that starts at the character `at` of the line `i`.
fn read_condition(i: usize, text: &str, at: usize) -> Result<Condition, Fail> {
    const HELP: &str = "a guard is one of `? openzfs < 2.2`, `? openzfs >= 2.2 < 2.4`, `? else`, `? else openzfs < 2.4`, `? end`";
    let mut words = Vec::new();
    let mut offset = at;
    for word in text.split(' ') {
        words.push((offset, word));
        offset += word.chars().count() + 1;
    }
    let fail = |(at, word): (usize, &str), expected: &str| {
        Fail::new(i, at, word.chars().count(), expected).help(HELP)
    };
    let end = (offset - 1, "");
    let mut words = words.into_iter();
    match words.next() {
        Some((_, "openzfs")) => {}
        other => return Err(fail(other.unwrap_or(end), "`openzfs`, `else` or `end`")),
    }
    let mut all = Vec::new();
    while let Some((at, symbol)) = words.next() {
        let operator = Operator::ALL
            .into_iter()
            .find(|operator| operator.symbol() == symbol)
            .ok_or_else(|| fail((at, symbol), "one of < <= = >= >"))?;
        let (at, version) = words.next().unwrap_or(end);
        let number = |text: &str| text.parse().ok().filter(|n: &u16| n.to_string() == text);
        let line = version
            .split_once('.')
            .and_then(|(major, minor)| Some((number(major)?, number(minor)?)))
            .ok_or_else(|| fail((at, version), "a release line, such as `2.3`"))?;
        all.push(Comparison { operator, line });
    }
    if all.is_empty() {
        return Err(fail(end, "a comparison, such as `< 2.2`"));
    }
    Ok(Condition { all })
}
