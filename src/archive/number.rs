//! Numbers in the fields of a header: octal digits, or base 256 where the first bit is set.

/// Whether a number fits into a field of that many bytes as octal digits with a NUL behind them.
pub(super) fn fits_octal(field: usize, number: i64) -> bool {
    let bits = (field - 1) * 3;
    number >= 0 && (bits >= 63 || number < 1 << bits)
}

/// Writes octal digits with a NUL behind them; zero for a number that does not fit.
pub(super) fn put_octal(field: &mut [u8], number: i64) {
    let number = if fits_octal(field.len(), number) {
        number
    } else {
        0
    };
    let width = field.len() - 1;
    let digits = format!("{number:0width$o}");
    field[..width].copy_from_slice(digits.as_bytes());
    field[width] = 0;
}

/// Reads a number; none where there is no sense in it, or it is too large.
pub(super) fn number(field: &[u8]) -> Option<i64> {
    match field.first() {
        Some(first) if first & 0x80 != 0 => base_256(field),
        _ => octal(field),
    }
}

/// Octal digits between blanks and NULs. A NUL within ends them.
pub(super) fn octal(field: &[u8]) -> Option<i64> {
    let is_padding = |byte: &u8| matches!(byte, b' ' | 0);
    let Some(start) = field.iter().position(|byte| !is_padding(byte)) else {
        return Some(0);
    };
    let end = field.iter().rposition(|byte| !is_padding(byte))?;
    let digits = until_nul(&field[start..=end]);
    if !digits.iter().all(|digit| (b'0'..=b'7').contains(digit)) {
        return None;
    }
    let number = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()?;
    // As Go has it: the number is unsigned where it is read, and signed from there on.
    Some(number.cast_signed())
}

/// A number in two's complement, of which the first bit only says so.
fn base_256(field: &[u8]) -> Option<i64> {
    let negative = field[0] & 0x40 != 0;
    let mut number: u64 = 0;
    for (index, &byte) in field.iter().enumerate() {
        let byte = if negative { !byte } else { byte };
        let byte = if index == 0 { byte & 0x7f } else { byte };
        if number >> 56 > 0 {
            return None;
        }
        number = number << 8 | u64::from(byte);
    }
    let number = i64::try_from(number).ok()?;
    Some(if negative { !number } else { number })
}

/// What stands before the first NUL.
pub(super) fn until_nul(field: &[u8]) -> &[u8] {
    let end = field.iter().position(|&byte| byte == 0);
    &field[..end.unwrap_or(field.len())]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_stand_between_blanks_and_nuls() {
        assert_eq!(number(b"0000644\0"), Some(0o644));
        assert_eq!(number(b" 644 \0\0\0"), Some(0o644));
        assert_eq!(number(b"\0\0\0\0\0\0\0\0"), Some(0));
        assert_eq!(number(b"12\x0034   "), Some(0o12));
        assert_eq!(number(b"0000648\0"), None);
        assert_eq!(number(b"-000001\0"), None);
        assert_eq!(number(b"7777777777777777777777777"), None);
    }

    #[test]
    fn large_and_negative_numbers_are_in_base_256() {
        assert_eq!(number(b"\x80\0\0\0\0\0\x01\0"), Some(256));
        assert_eq!(number(&[0xff; 8]), Some(-1));
        assert_eq!(number(b"\x80\x01\0\0\0\0\0\0\0\0\0\0"), None);
        assert_eq!(number(&[0xff; 12]), Some(-1));
    }

    #[test]
    fn a_number_that_does_not_fit_is_written_as_zero() {
        let mut field = [1; 8];
        put_octal(&mut field, 0o7_777_777);
        assert_eq!(&field, b"7777777\0");
        put_octal(&mut field, 0o10_000_000);
        assert_eq!(&field, b"0000000\0");
        put_octal(&mut field, -1);
        assert_eq!(&field, b"0000000\0");
        assert!(fits_octal(12, 0o77_777_777_777));
        assert!(!fits_octal(12, 0o100_000_000_000));
    }
}
