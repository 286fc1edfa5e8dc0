//! Where the words of a table must stand, once the values behind the markers are known.

use super::line::{Cell, Span};

/// Columns stand two spaces apart.
const GAP: usize = 2;

/// How the cells of a column may be justified.
#[derive(Clone, Copy)]
struct Justified {
    left: bool,
    right: bool,
}

/// The start of each column and its width, when every column is as wide as its widest cell.
fn columns(rows: &[&[Span]]) -> Vec<Span> {
    let mut start = 0;
    (0..rows[0].len())
        .map(|k| {
            let width = rows
                .iter()
                .map(|row| row[k].1 - row[k].0)
                .max()
                .unwrap_or(0);
            let column = (start, start + width);
            start += width + GAP;
            column
        })
        .collect()
}

/// How each cell of a row stands in columns that keep their width: a value that is longer than its column
/// fills it, and moves what is behind it.
fn flow<'a>(row: &'a [Span], widths: &'a [usize]) -> impl Iterator<Item = Justified> + 'a {
    let mut start = 0;
    row.iter().zip(widths).map(move |((from, to), width)| {
        let end = start + (to - from).max(*width);
        let justified = Justified {
            left: *from == start,
            right: *to == end,
        };
        start = end + GAP;
        justified
    })
}

/// How columns of these widths are justified: a value that fills its column says nothing.
fn justified(rows: &[Vec<Span>], widths: &[usize]) -> Vec<Justified> {
    let unknown = Justified {
        left: true,
        right: true,
    };
    let mut columns = vec![unknown; widths.len()];
    for row in rows {
        for (column, cell) in columns.iter_mut().zip(flow(row, widths)) {
            column.left &= cell.left;
            column.right &= cell.right;
        }
    }
    columns
}

/// Whether rows stand in columns of these widths.
fn flows(rows: &[Vec<Span>], widths: &[usize], columns: &[Justified]) -> bool {
    rows.iter().all(|row| {
        let mut cells = flow(row, widths).zip(columns);
        cells.all(|(cell, column)| (cell.left && column.left) || (cell.right && column.right))
    })
}

/// The widths of columns that may be wider than all that stands in them, as that of a number in a list is
/// (`zprop_width`: five at least): where the rows agree on the end of a column, up to there, if that is
/// between what is known to stand in it and what was printed for it, or as wide as its widest value.
fn least_widths(
    rows: &[Vec<Span>],
    bounds: &[(usize, usize)],
    columns: &[Justified],
) -> Vec<usize> {
    let mut start = 0;
    let mut widths = Vec::with_capacity(bounds.len());
    for (k, &(known, printed)) in bounds.iter().enumerate() {
        let end = rows[0][k].1;
        let agreed = columns[k].right && rows.iter().all(|row| row[k].1 == end);
        let widest = rows
            .iter()
            .map(|row| row[k].1 - row[k].0)
            .max()
            .unwrap_or(0);
        let fits = |width: &usize| (known..=printed).contains(width) || *width == widest.max(known);
        let width = end.checked_sub(start).filter(|width| agreed && fits(width));
        let width = width.unwrap_or(known);
        widths.push(width);
        start += width + GAP;
    }
    widths
}

/// The rows (by index) whose words do not stand where the table's layout puts them.
///
/// The layout is that of the printed table, in which markers are as wide as they are long: each column
/// as wide as its widest cell, justified left or right. A table that is not laid out like this, such as
/// one with columns of a fixed width, has no misplaced rows; nor has one that stands as the printed one
/// does, whose columns may be of a fixed width that a marker happens to have; nor one whose columns are as
/// wide as what the model knows in them, and of which values that it does not know are longer; nor one
/// whose columns are wider than that, and of which the values are shorter than their markers.
pub(super) fn misplaced(rows: &[&[Cell]]) -> Vec<usize> {
    misplaced_in_layout(rows).unwrap_or_else(|| {
        // Without columns nothing says where a line starts but the line.
        (0..rows.len())
            .filter(|&i| {
                let first = rows[i].first();
                first.is_some_and(|cell| !cell.marked && cell.got.0 != cell.expected.0)
            })
            .collect()
    })
}

/// As [`misplaced`]; none of what is not laid out like a table.
fn misplaced_in_layout(rows: &[&[Cell]]) -> Option<Vec<usize>> {
    let first = rows.first()?;
    if rows.len() < 2 || rows.iter().any(|row| row.len() != first.len()) {
        return None;
    }
    let spans = |side: fn(&Cell) -> Span| -> Vec<Vec<Span>> {
        rows.iter()
            .map(|row| row.iter().map(side).collect())
            .collect()
    };
    let (got, expected) = (spans(|cell| cell.got), spans(|cell| cell.expected));
    let refs = |rows: &'_ [Vec<Span>]| -> Vec<Span> {
        columns(&rows.iter().map(Vec::as_slice).collect::<Vec<_>>())
    };
    let (got_columns, expected_columns) = (refs(&got), refs(&expected));
    let as_printed: Vec<Justified> = got_columns
        .iter()
        .enumerate()
        .map(|(k, column)| Justified {
            left: got.iter().all(|row| row[k].0 == column.0),
            right: got.iter().all(|row| row[k].1 == column.1),
        })
        .collect();
    if as_printed.iter().any(|j| !j.left && !j.right) {
        return None;
    }
    let fits = |row: &[Span], columns: &[Span]| {
        row.iter()
            .zip(columns)
            .zip(&as_printed)
            .all(|((cell, column), justified)| {
                (justified.left && cell.0 == column.0) || (justified.right && cell.1 == column.1)
            })
    };
    if expected.iter().all(|row| fits(row, &got_columns)) {
        return Some(Vec::new());
    }
    let known_widths: Vec<usize> = (0..first.len())
        .map(|k| {
            let known = rows.iter().map(|row| row[k]).filter(|cell| !cell.marked);
            let widths = known.map(|cell| cell.got.1 - cell.got.0);
            widths.max().unwrap_or(0)
        })
        .collect();
    let fixed = justified(&got, &known_widths);
    let mut layouts = [&as_printed, &fixed].into_iter();
    if layouts.any(|columns| flows(&expected, &known_widths, columns)) {
        return Some(Vec::new());
    }
    let printed_widths = got_columns.iter().map(|column| column.1 - column.0);
    let bounds: Vec<(usize, usize)> = known_widths.into_iter().zip(printed_widths).collect();
    let least = least_widths(&expected, &bounds, &as_printed);
    if flows(&expected, &least, &as_printed) {
        return Some(Vec::new());
    }
    let rows = 0..rows.len();
    Some(
        rows.filter(|&i| !fits(&expected[i], &expected_columns))
            .collect(),
    )
}
