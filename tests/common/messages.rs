//! The texts of messages that stand in the code of the programs, and whether a line of output has one.

use std::fs;
use std::path::Path;

/// A text in the code, with `{...}` where values are put in.
pub struct Message {
    /// The file below `src/programs`.
    pub file: String,
    /// The line.
    pub line: usize,
    /// The text.
    pub text: String,
    /// Whether it is printed as it stands, or may be a part of what is.
    whole: bool,
}

/// Code in front of texts that ZFS never prints.
const NO_MESSAGE: [&str; 5] = ["NotModelled(", ".unknown(", "reason=", ".expect(", "&str="];

/// Code in front of texts that are printed as they stand.
const SAID: [&str; 5] = [".complain(", ".usage(", ".refuse(", ".tell(", ".say("];

/// All of them. What only tests say is none, nor is what `ztwin sim` makes fail.
pub fn all() -> Vec<Message> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/programs");
    let mut found = Vec::new();
    let mut directories = vec![root.clone()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).expect("src/programs can be read") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
                continue;
            }
            let file = path.strip_prefix(&root).expect("below the root");
            let file = file.display().to_string();
            if file != "failure.rs" {
                let code = fs::read_to_string(&path).expect("code can be read");
                found.extend(of_code(&file, &code));
            }
        }
    }
    found.sort_by(|a, b| (&a.file, a.line).cmp(&(&b.file, b.line)));
    found
}

fn of_code(file: &str, code: &str) -> Vec<Message> {
    let mut found = Vec::new();
    // The code before a string, without blanks and texts.
    let mut before = String::new();
    let code = code.split("#[cfg(test)]").next().unwrap_or_default();
    let mut rest = code;
    while let Some(next) = rest.chars().next() {
        let line = 1 + code[..code.len() - rest.len()].matches('\n').count();
        if let Some(comment) = rest.strip_prefix("//") {
            rest = comment.find('\n').map_or("", |end| &comment[end..]);
        } else if let Some(behind) = rest.strip_prefix('"') {
            let (text, behind) = string(behind);
            rest = behind;
            let made = before.strip_suffix("format!(").unwrap_or(&before);
            let made = made.strip_suffix('&').unwrap_or(made);
            // What the C library says of each errno is a table that is complete.
            let (of_what, _) = made.rsplit_once("::").unwrap_or_default();
            let of_errno =
                of_what.ends_with("Errno") && made.ends_with("=>") && !made.ends_with(")=>");
            if is_message(&text) && !of_errno && !NO_MESSAGE.iter().any(|it| made.ends_with(it)) {
                found.push(Message {
                    file: file.to_owned(),
                    line,
                    text,
                    whole: file == "message.rs" || SAID.iter().any(|it| made.ends_with(it)),
                });
            }
        } else {
            // A character such as '"' is no start of a string.
            let quoted = ["'\"'", "'\\''", "'\\\\'"]
                .into_iter()
                .find(|it| rest.starts_with(it));
            rest = &rest[quoted.map_or(next.len_utf8(), str::len)..];
            if !next.is_whitespace() {
                before.push(next);
            }
        }
    }
    found
}

/// A string, behind its first quotation mark, and what follows it.
fn string(code: &str) -> (String, &str) {
    let mut text = String::new();
    let mut letters = code.char_indices();
    while let Some((at, letter)) = letters.next() {
        match letter {
            '"' => return (text, &code[at + 1..]),
            '\\' => match letters.next() {
                Some((_, 'n')) => text.push('\n'),
                Some((_, 't')) => text.push('\t'),
                Some((at, '\n')) => {
                    let more = code[at..].trim_start();
                    let (more, behind) = string(more);
                    return (text + &more, behind);
                }
                Some((_, other)) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    (text, "")
}

/// The text between the places of values, of one line.
fn pieces(line: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut inside = false;
    for letter in line.chars() {
        match letter {
            '{' => {
                inside = true;
                pieces.push(String::new());
            }
            '}' => inside = false,
            other if !inside => pieces.last_mut().expect("one at least").push(other),
            _ => {}
        }
    }
    pieces
}

/// Whether it is more than a name, a value or the shape of a table.
fn is_message(text: &str) -> bool {
    let pieces = pieces(text);
    let has_word = pieces.iter().any(|piece| {
        piece
            .split(|letter: char| !letter.is_ascii_lowercase())
            .any(|word| word.len() > 2)
    });
    has_word && text.trim().contains(' ')
}

impl Message {
    /// Whether one of these lines has it, line by line where it has several.
    pub fn is_in(&self, lines: &[&str]) -> bool {
        self.text
            .split('\n')
            .filter(|part| !part.trim().is_empty())
            .all(|part| lines.iter().any(|line| self.is_on(part, line)))
    }

    /// Whether a line has this part of it: by itself, or as what stands before or behind a colon.
    fn is_on(&self, part: &str, line: &str) -> bool {
        let pieces = pieces(part);
        let [first, more @ ..] = pieces.as_slice() else {
            return false;
        };
        line.match_indices(first.as_str()).any(|(at, _)| {
            let starts = first.is_empty()
                || !self.whole
                || !first.starts_with(char::is_alphabetic)
                || at == 0
                || line[..at].ends_with(": ");
            let mut rest = &line[at + first.len()..];
            let all = more.iter().all(|piece| match rest.find(piece.as_str()) {
                Some(at) => {
                    rest = &rest[at + piece.len()..];
                    true
                }
                None => false,
            });
            let open = pieces.last().is_none_or(String::is_empty) || part.ends_with(['\'', ' ']);
            let ends = open || !self.whole || rest.is_empty() || rest.starts_with(": ");
            starts && all && ends
        })
    }
}

#[test]
fn messages_are_found_in_code() {
    let code = r#"
        // console.complain("not this one");
        if byte == '"' { return Err(NotModelled(format!("nor this one of {it}"))); }
        console.refuse(&format!("cannot open '{name}'"), &reason);
        console.complain("could not find any \
                          of them");
        let name = "name";
        Errno::EIO => "Input/output error",
    "#;
    let texts: Vec<(usize, String)> = of_code("a.rs", code)
        .into_iter()
        .map(|it| (it.line, it.text))
        .collect();
    let expected = [
        (4, "cannot open '{name}'"),
        (5, "could not find any of them"),
    ];
    assert_eq!(texts, expected.map(|(line, text)| (line, text.to_owned())));
}

#[test]
fn a_message_is_a_whole_line_or_stands_at_a_colon() {
    let message = |text: &str, file: &str| {
        let code = format!("console.complain({text:?})");
        of_code(file, &code).remove(0)
    };
    let busy = message("dataset is busy", "message.rs");
    assert!(busy.is_in(&["cannot destroy 'a': dataset is busy"]));
    assert!(!busy.is_in(&["cannot destroy 'a': pool or dataset is busy"]));
    let open = message("cannot open '{name}'", "console.rs");
    assert!(open.is_in(&["cannot open 'a': no such pool"]));
    assert!(!open.is_in(&["cannot destroy 'a'"]));
}
