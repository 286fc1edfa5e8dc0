//! Fewer steps that may stand in the place of all.

use std::collections::BTreeSet;

use crate::pools::Command;
use crate::pools::verb::size;

/// So many steps are few: what has many candidates is tried on them alone.
const FEW: usize = 12;

/// The candidate of a number; none behind the last one.
pub(super) fn shorter(commands: &[Command], number: usize) -> Option<Vec<Command>> {
    without_name(commands)
        .chain(with_a_dataset_less(commands))
        .chain(with_a_directory_less(commands))
        .chain(without_rename(commands))
        .chain(with_a_number_less(commands))
        .filter(|candidate| candidate.len() < commands.len())
        .nth(number)
}

/// Without all steps that name one dataset, or one file.
fn without_name(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let is_name = |word: &&String| word.contains(['/', '@', ':']) && !word.starts_with("data=");
    let names: BTreeSet<&String> = commands
        .iter()
        .flat_map(|it| it.words.iter().filter(is_name))
        .collect();
    names.into_iter().map(|name| {
        let others = commands.iter().filter(|it| !it.words.contains(name));
        others.cloned().collect()
    })
}

/// A word with one name in the place of another one.
fn renamed(word: &str, from: &str, to: &str) -> String {
    match word.strip_prefix(from) {
        Some(rest) if rest.is_empty() || rest.starts_with(['/', '@', ':', '#', ',']) => {
            format!("{to}{rest}")
        }
        _ => word.to_owned(),
    }
}

/// A step with one name in the place of another one.
fn with_name(command: &Command, from: &str, to: &str) -> Command {
    let words = command.words.iter().map(|word| renamed(word, from, to));
    Command {
        words: words.collect(),
        ..command.clone()
    }
}

fn words(command: &Command) -> Vec<&str> {
    command.words.iter().map(String::as_str).collect()
}

/// The dataset that a step makes.
fn made(command: &Command) -> Option<&str> {
    match words(command).as_slice() {
        ["zfs", "create" | "clone", .., name] => Some(name),
        ["zpool", "create", rest @ ..] => {
            let mut rest = rest.iter();
            let name = rest.find(|word| !word.starts_with('-') && !word.contains('='));
            name.copied()
        }
        _ => None,
    }
}

/// One dataset takes the place of another one: what made the other one goes.
fn with_a_dataset_less(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let names: BTreeSet<&str> = commands.iter().filter_map(made).collect();
    let others = names.clone();
    let pairs = names
        .into_iter()
        .flat_map(move |from| others.clone().into_iter().map(move |to| (from, to)));
    pairs.filter(|(from, to)| from != to).map(|(from, to)| {
        let kept = commands.iter().filter(|it| made(it) != Some(from));
        kept.map(|it| with_name(it, from, to)).collect()
    })
}

/// What is in a directory is in the one above it: what makes the directory goes.
fn with_a_directory_less(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let all = commands.iter().enumerate();
    let made = all.filter_map(|(index, command)| match words(command).as_slice() {
        ["mkdir", .., path] => Some((index, path.split_once(':')?.1)),
        _ => None,
    });
    made.map(|(gone, directory)| {
        let (above, _) = directory.rsplit_once('/').unwrap_or_default();
        let [inside, above] = [directory, above].map(|it| format!(":{it}/"));
        let kept = commands
            .iter()
            .enumerate()
            .filter(|&(index, _)| index != gone);
        let moved = kept.map(|(_, command)| Command {
            words: command
                .words
                .iter()
                .map(|word| word.replace(&inside, &above))
                .collect(),
            ..command.clone()
        });
        moved.collect()
    })
}

/// The names of a step that gives a dataset, a snapshot or a file another one.
fn renaming(command: &Command) -> Option<(String, String)> {
    let all = words(command);
    let ([.., from, to], true) = (
        all.as_slice(),
        all.starts_with(&["zfs", "rename"]) || matches!(all.first(), Some(&("rename" | "link"))),
    ) else {
        return None;
    };
    // A snapshot's new name may stand without its dataset.
    let to = match (to.strip_prefix('@'), from.split_once('@')) {
        (Some(name), Some((dataset, _))) => format!("{dataset}@{name}"),
        _ => (*to).to_owned(),
    };
    Some(((*from).to_owned(), to))
}

/// Without one step that renames: what it renames has the new name from the first, or the old one to the last.
fn without_rename(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let all = commands.iter().enumerate();
    let all = all.filter_map(|(index, command)| Some((index, renaming(command)?)));
    all.flat_map(move |(index, (from, to))| {
        let (before, behind) = (&commands[..index], &commands[index + 1..]);
        let first = before.iter().map(|it| with_name(it, &from, &to));
        let from_the_first = first.chain(behind.iter().cloned()).collect();
        let last = behind.iter().map(|it| with_name(it, &to, &from));
        let to_the_last = before.iter().cloned().chain(last).collect();
        [from_the_first, to_the_last]
    })
}

/// One number of bytes takes the place of another one, so that one of few steps can go.
fn with_a_number_less(commands: &[Command]) -> impl Iterator<Item = Vec<Command>> {
    let few = if commands.len() <= FEW { commands } else { &[] };
    let places = few.iter().enumerate().flat_map(|(index, command)| {
        let is_program = matches!(command.words[0].as_str(), "zfs" | "zpool" | "vdev");
        let words = command.words.iter().enumerate();
        let numbers = words.filter(move |(_, word)| !is_program && size(word).is_some());
        numbers.map(move |(word, _)| (index, word))
    });
    let places: Vec<(usize, usize)> = places.collect();
    let numbers: BTreeSet<&String> = places
        .iter()
        .map(|&(index, word)| &few[index].words[word])
        .collect();
    places.into_iter().flat_map(move |(index, word)| {
        let others: Vec<&String> = numbers.iter().copied().collect();
        let others = others
            .into_iter()
            .filter(move |&it| *it != few[index].words[word]);
        others.flat_map(move |number| {
            let mut changed = few.to_vec();
            changed[index].words[word].clone_from(number);
            let without = move |gone: usize| {
                let mut fewer = changed.clone();
                fewer.remove(gone);
                fewer
            };
            let gone = (0..few.len()).filter(move |&gone| gone != index);
            gone.map(without)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn candidates(lines: &[&str]) -> Vec<Vec<String>> {
        let commands: Vec<Command> = lines
            .iter()
            .map(|line| Command {
                words: line.split(' ').map(str::to_owned).collect(),
                ..Command::default()
            })
            .collect();
        let all = (0..).map_while(|number| shorter(&commands, number));
        all.map(|steps| steps.iter().map(|it| it.words.join(" ")).collect())
            .collect()
    }

    #[test]
    fn what_is_renamed_has_one_name() {
        let all = candidates(&[
            "zfs create tank/a",
            "zfs rename tank/a tank/b",
            "zfs destroy tank/b",
        ]);
        assert!(all.contains(&vec![
            "zfs create tank/b".into(),
            "zfs destroy tank/b".into()
        ]));
        assert!(all.contains(&vec![
            "zfs create tank/a".into(),
            "zfs destroy tank/a".into()
        ]));
        let all = candidates(&["zfs snapshot t@a", "zfs rename t@a @b", "zfs destroy t@b,c"]);
        assert!(all.contains(&vec!["zfs snapshot t@b".into(), "zfs destroy t@b,c".into()]));
    }

    #[test]
    fn one_dataset_takes_the_place_of_another_one() {
        let all = candidates(&[
            "zfs create t/a",
            "zfs create t/b",
            "write t/b:/f 0 1 data=zero",
        ]);
        assert!(all.contains(&vec![
            "zfs create t/a".into(),
            "write t/a:/f 0 1 data=zero".into()
        ]));
    }

    #[test]
    fn what_is_in_a_directory_is_in_the_one_above() {
        let all = candidates(&[
            "mkdir t:/d/e",
            "write t/a:/d/e/f 0 1 data=zero",
            "stat t:/d/f",
        ]);
        let above = ["write t/a:/d/f 0 1 data=zero", "stat t:/d/f"];
        assert!(all.contains(&above.map(str::to_owned).to_vec()));
        let all = candidates(&["mkdir t:/d", "stat t:/d/f"]);
        assert!(all.contains(&vec!["stat t:/f".into()]));
    }

    #[test]
    fn one_number_takes_the_place_of_another_one() {
        let all = candidates(&["write t:/f 0 1 data=zero", "truncate t:/f 3", "stat t:/f"]);
        assert!(all.contains(&vec!["write t:/f 0 3 data=zero".into(), "stat t:/f".into()]));
    }

    #[test]
    fn all_candidates_are_shorter() {
        let lines = [
            "zfs create t/a",
            "write t/a:/f 0 1 data=zero",
            "rename t/a:/f t/a:/g",
        ];
        let all = candidates(&lines);
        assert!(!all.is_empty() && all.iter().all(|it| it.len() < lines.len()));
    }
}
