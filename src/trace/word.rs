//! Words of a step: POSIX quoting, without expansion.

use std::fmt::Write as _;

/// Whether `c` may stand in a word without quotes.
fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || "_./:=,@%+-".contains(c) || (!c.is_ascii() && !c.is_control())
}

/// The canonical form of `word`: bare when it can be, in single quotes otherwise, and as `$'...'` when
/// it holds control characters. A POSIX shell reads it back as the same word.
#[must_use]
pub fn quote(word: &str) -> String {
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    if !word.chars().any(char::is_control) {
        return format!("'{}'", word.replace('\'', r"'\''"));
    }
    let mut quoted = String::from("$'");
    for c in word.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            '\r' => quoted.push_str("\\r"),
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            c if c.is_control() => {
                // Byte by byte, as a shell does; controls beyond ASCII take two.
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    // Writing to a string cannot fail.
                    let _ = write!(quoted, "\\x{byte:02x}");
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A token of a step's line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, unquoted.
    Word(String),
    /// `<`
    Input,
    /// `>`
    Output,
}

/// What is wrong with a line of words, as an offset in characters.
#[derive(Debug)]
pub(super) struct WordError {
    pub at: usize,
    pub expected: String,
    pub help: Option<&'static str>,
}

/// The tokens of a line, each with its offset in characters; whether the line ends with `\`.
pub(super) fn split(line: &[char]) -> Result<(Vec<(usize, Token)>, bool), WordError> {
    const QUOTE_IT: Option<&str> =
        Some("put the word in single quotes: steps are not run by a shell");
    let fail = |at, expected: &str, help| {
        Err(WordError {
            at,
            expected: expected.to_owned(),
            help,
        })
    };
    let mut tokens = Vec::new();
    let mut i = 0;
    loop {
        while line.get(i) == Some(&' ') {
            i += 1;
        }
        let start = i;
        match line.get(i) {
            None => return Ok((tokens, false)),
            Some('\\') if i + 1 == line.len() => return Ok((tokens, true)),
            Some(&c @ ('<' | '>')) => {
                if line.get(i + 1).is_some_and(|&c| c != ' ') {
                    return fail(i + 1, "a space, then `@` and the name of a stream", None);
                }
                tokens.push((
                    start,
                    if c == '<' {
                        Token::Input
                    } else {
                        Token::Output
                    },
                ));
                i += 1;
                continue;
            }
            Some(_) => {}
        }
        let mut word = Vec::new();
        let mut buffer = [0; 4];
        while let Some(&c) = line.get(i) {
            match c {
                ' ' => break,
                '\'' => {
                    let Some(end) = line[i + 1..].iter().position(|&c| c == '\'') else {
                        return fail(i, "a closing single quote", None);
                    };
                    let inner: String = line[i + 1..i + 1 + end].iter().collect();
                    word.extend_from_slice(inner.as_bytes());
                    i += end + 2;
                }
                '"' => {
                    let open = i;
                    i += 1;
                    loop {
                        match line.get(i) {
                            None => return fail(open, "a closing double quote", None),
                            Some('"') => break,
                            Some('$' | '`') => {
                                return fail(i, "no expansion in double quotes", QUOTE_IT);
                            }
                            Some('\\')
                                if matches!(line.get(i + 1), Some('"' | '\\' | '$' | '`')) =>
                            {
                                word.extend_from_slice(
                                    line[i + 1].encode_utf8(&mut buffer).as_bytes(),
                                );
                                i += 2;
                            }
                            Some(c) => {
                                word.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                                i += 1;
                            }
                        }
                    }
                    i += 1;
                }
                '$' if line.get(i + 1) == Some(&'\'') => i = dollar_quoted(line, i, &mut word)?,
                '\\' => match line.get(i + 1) {
                    None => return fail(i, "a space before the `\\` that continues a line", None),
                    Some(c) => {
                        word.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                        i += 2;
                    }
                },
                '#' | '~' if i > start => {
                    word.push(if c == '#' { b'#' } else { b'~' });
                    i += 1;
                }
                '|' | '&' | ';' | '<' | '>' | '(' | ')' | '$' | '`' | '*' | '?' | '[' | '#'
                | '~' => {
                    return fail(i, &format!("no bare `{c}` in a word"), QUOTE_IT);
                }
                c => {
                    word.extend_from_slice(c.encode_utf8(&mut buffer).as_bytes());
                    i += 1;
                }
            }
        }
        match String::from_utf8(word) {
            Ok(word) => tokens.push((start, Token::Word(word))),
            Err(_) => return fail(start, "a word in UTF-8", None),
        }
    }
}

/// Reads `$'...'` at `start` into `word`; the index behind it.
fn dollar_quoted(line: &[char], start: usize, word: &mut Vec<u8>) -> Result<usize, WordError> {
    let fail = |at, expected: &str| {
        Err(WordError {
            at,
            expected: expected.to_owned(),
            help: None,
        })
    };
    let mut i = start + 2;
    loop {
        let Some(&c) = line.get(i) else {
            return fail(start, "a closing single quote");
        };
        i += 1;
        match c {
            '\'' => return Ok(i),
            '\\' => {
                let byte = match line.get(i) {
                    Some('n') => b'\n',
                    Some('t') => b'\t',
                    Some('r') => b'\r',
                    Some('\\') => b'\\',
                    Some('\'') => b'\'',
                    Some('x') => {
                        let hex = |i: usize| line.get(i).and_then(|c| c.to_digit(16));
                        let (Some(high), Some(low)) = (hex(i + 1), hex(i + 2)) else {
                            return fail(i - 1, "two hexadecimal digits after `\\x`");
                        };
                        i += 2;
                        // Two hexadecimal digits fit a byte.
                        u8::try_from(high * 16 + low).unwrap_or_default()
                    }
                    _ => return fail(i - 1, r"one of \n \t \r \\ \' \xHH"),
                };
                if byte == 0 {
                    return fail(i - 3, "no NUL in a word");
                }
                i += 1;
                word.push(byte);
            }
            c => word.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
        }
    }
}
