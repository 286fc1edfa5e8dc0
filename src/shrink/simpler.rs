//! What may stand in the place of a step.

use crate::pools::Command;
use crate::pools::verb::size;

/// The flags that take a word.
const WITH_VALUE: [&str; 9] = ["-o", "-O", "-t", "-s", "-S", "-d", "-b", "-V", "-R"];

/// Steps that may stand in the place of one, the simplest first: without flags, with fewer operands and less bytes.
pub(super) fn simpler(command: &Command) -> Vec<Command> {
    let mut all: Vec<Vec<String>> = Vec::new();
    let words = &command.words;
    let is_program = matches!(words.first().map(String::as_str), Some("zfs" | "zpool"));
    let first = 1 + usize::from(is_program);
    for index in first..words.len() {
        let word = &words[index];
        let without = |count: usize| {
            let mut fewer = words.clone();
            fewer.drain(index..(index + count).min(words.len()));
            fewer
        };
        if word.starts_with('-') {
            if WITH_VALUE.contains(&word.as_str()) {
                all.push(without(2));
            }
            all.push(without(1));
            continue;
        }
        if is_program && words.len() > first + 1 {
            all.push(without(1));
        }
        let instead = |new: String| {
            let mut changed = words.clone();
            changed[index] = new;
            changed
        };
        if let Some((name, rest)) = word.split_once('@')
            && rest.contains(',')
        {
            let parts = rest.split(',').map(|part| format!("{name}@{part}"));
            all.extend(parts.map(instead));
        }
        if word.starts_with("data=") && word != "data=zero" {
            all.push(instead("data=zero".to_owned()));
        }
        if let Some(bytes) = size(word).filter(|_| !is_program && words[0] != "vdev") {
            let fewer = [0, 1, 4096, 128 << 10, bytes / 2];
            let fewer = fewer.into_iter().filter(|&it| it < bytes);
            all.extend(fewer.map(|it| instead(it.to_string())));
        }
    }
    all.into_iter()
        .map(|words| Command {
            words,
            ..command.clone()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(line: &str) -> Vec<String> {
        let words = line.split(' ').map(str::to_owned).collect();
        let command = Command {
            words,
            ..Command::default()
        };
        let all = simpler(&command);
        all.iter().map(|it| it.words.join(" ")).collect()
    }

    #[test]
    fn flags_operands_and_bytes_go() {
        assert_eq!(
            lines("zfs destroy -r tank/a@s,t"),
            [
                "zfs destroy tank/a@s,t",
                "zfs destroy -r",
                "zfs destroy -r tank/a@s",
                "zfs destroy -r tank/a@t"
            ]
        );
        assert!(lines("zfs create -o a:b=c tank/a").contains(&"zfs create tank/a".to_owned()));
        assert!(
            lines("write tank/a:/f 0 8K data=random:1")
                .contains(&"write tank/a:/f 0 4096 data=random:1".to_owned())
        );
        assert_eq!(lines("zfs promote tank/a"), [""; 0]);
    }
}
