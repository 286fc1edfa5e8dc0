//! The layers as a tree for a terminal.

use std::fmt::Write;

use ztwin_model::dmu::storage::Figure;

use super::layer::{Kind, Layer};
use crate::programs::nice_bytes;

/// How numbers of bytes are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Numbers {
    /// `3.41M`, as `zfs list` does it.
    #[default]
    Rounded,
    /// `3573760`, as `zfs list -p` does it.
    Exact,
}

const HEAD: [&str; 5] = ["LAYER", "REFERS", "SHARED", "OWN", "FREES"];

const LEGEND: &str = "\
REFERS  all that it holds         SHARED  of this, what the layers below it are charged for
OWN     what it is charged for    FREES   what comes back when it is removed, with all that has to go with it
";

/// The tree, a line for each layer, and what its columns mean.
#[must_use]
pub fn text(layers: &[Layer], numbers: Numbers) -> String {
    let mut rows = vec![HEAD.map(str::to_owned)];
    for layer in layers {
        push(&mut rows, layer, ("", ""), numbers);
    }
    let width = |column: usize| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    };
    let widths: [usize; 5] = std::array::from_fn(width);
    let mut text = String::new();
    for row in &rows {
        let [name, figures @ .., frees] = row;
        let mut line = format!("{name:<0$}", widths[0]);
        for (figure, width) in figures.iter().zip(&widths[1..]) {
            // Writing to a string does not fail.
            let _ = write!(line, "  {figure:>width$}");
        }
        let _ = write!(line, "  {frees}");
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text.push('\n');
    text.push_str(LEGEND);
    text
}

/// The line of a layer, and those of what stands on it: `branch` begins its own, `under` the others.
fn push(rows: &mut Vec<[String; 5]>, layer: &Layer, (branch, under): (&str, &str), as_: Numbers) {
    let name = match layer.kind {
        // Its filesystem stands above it.
        Kind::Snapshot => layer.name.find('@').map_or("", |at| &layer.name[at..]),
        Kind::Filesystem | Kind::Volume => &layer.name,
    };
    let shared = match layer.kind {
        Kind::Snapshot => "-".to_owned(),
        Kind::Filesystem | Kind::Volume => figure(layer.shared, as_),
    };
    let frees = match layer.frees {
        // The root goes with its pool.
        None if !layer.name.contains(['/', '@']) => "-".to_owned(),
        frees => figure(frees, as_),
    };
    let with = match layer.with {
        0 => String::new(),
        1 => " with 1 more".to_owned(),
        more => format!(" with {more} more"),
    };
    rows.push([
        format!("{branch}{name}"),
        figure(layer.refers, as_),
        shared,
        figure(layer.own, as_),
        if frees == "-" {
            frees
        } else {
            format!("{frees}{with}")
        },
    ]);
    for (index, above) in layer.above.iter().enumerate() {
        let (branch, below) = if index + 1 == layer.above.len() {
            ("└─ ", "   ")
        } else {
            ("├─ ", "│  ")
        };
        let (branch, below) = (format!("{under}{branch}"), format!("{under}{below}"));
        push(rows, above, (&branch, &below), as_);
    }
}

/// A figure, its bounds where it is not known, or a question mark.
fn figure(figure: Option<Figure>, as_: Numbers) -> String {
    let bytes = |bytes: u64| match as_ {
        Numbers::Rounded => nice_bytes(bytes),
        Numbers::Exact => bytes.to_string(),
    };
    match figure {
        None => "?".to_owned(),
        Some(Figure { least, most }) if bytes(least) == bytes(most) => bytes(least),
        Some(Figure { least, most }) => format!("{}..{}", bytes(least), bytes(most)),
    }
}
