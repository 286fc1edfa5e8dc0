//! Cells of a table as `printf` fills them with blanks: a column is as wide as bytes, in any locale.

/// At the left of its column.
pub(super) fn left(cell: &str, width: usize) -> String {
    format!("{cell}{:blanks$}", "", blanks = blanks(cell, width))
}

/// At the right of its column.
pub(super) fn right(cell: &str, width: usize) -> String {
    format!("{:blanks$}{cell}", "", blanks = blanks(cell, width))
}

fn blanks(cell: &str, width: usize) -> usize {
    width.saturating_sub(cell.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_is_as_wide_as_its_bytes() {
        assert_eq!(left("caf\u{e9}", 6), "caf\u{e9} ");
        assert_eq!(right("caf\u{e9}", 7), "  caf\u{e9}");
        assert_eq!(left("longer", 3), "longer");
    }
}
