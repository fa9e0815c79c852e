//! `multipleOf` without rounding: in decimals, as the numbers were written.

use std::fmt::{self, Write};

/// Whether a number is a whole multiple of another.
///
/// Both are doubles, so 0.3 is not three times 0.1; but both were written in decimals, and their shortest decimals are
/// what was meant. Those are divided exactly.
pub(super) fn is_multiple(number: f64, of: f64) -> bool {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if number == 0.0 {
        return true;
    }
    if number.fract() == 0.0 && of.fract() == 0.0 && number.abs() <= EXACT {
        return number % of == 0.0;
    }
    match (Decimal::of(number), Decimal::of(of)) {
        (Some(number), Some(of)) => number.is_multiple(of),
        _ => number % of == 0.0,
    }
}

/// `digits × 10^exponent`.
#[derive(Clone, Copy)]
struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// The shortest decimal that reads as this double.
    fn of(number: f64) -> Option<Decimal> {
        let mut text = Short::default();
        write!(text, "{number:e}").ok()?;
        let text = std::str::from_utf8(&text.bytes[..text.length]).ok()?;
        let (mantissa, exponent) = text.split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let sign = if whole.starts_with('-') { -1 } else { 1 };
        let digits = whole.bytes().chain(fraction.bytes()).filter(u8::is_ascii_digit);
        let digits = digits.fold(0, |digits: i128, byte| digits * 10 + i128::from(byte - b'0'));
        Some(Decimal { digits: digits * sign, exponent: exponent.parse::<i32>().ok()? - fraction.len() as i32 })
    }

    fn is_multiple(self, of: Decimal) -> bool {
        let shift = self.exponent - of.exponent;
        if of.digits == 0 {
            return false;
        }
        if shift >= 0 {
            // (digits × 10^shift) mod of, step by step: 17 digits times 17 digits fit.
            return self.digits % of.digits * power_of_ten(shift.unsigned_abs(), of.digits) % of.digits == 0;
        }
        // A step too long to be written is longer than any number of 17 digits.
        let step = 10_i128.checked_pow(shift.unsigned_abs()).and_then(|power| power.checked_mul(of.digits));
        step.is_some_and(|step| self.digits % step == 0)
    }
}

/// `10^exponent mod of`, by squaring.
fn power_of_ten(mut exponent: u32, of: i128) -> i128 {
    let (mut power, mut square) = (1 % of, 10 % of);
    while exponent > 0 {
        if exponent & 1 == 1 {
            power = power * square % of;
        }
        square = square * square % of;
        exponent >>= 1;
    }
    power
}

/// Room for the longest double in scientific notation: 17 digits, two signs, a point, `e` and three digits.
#[derive(Default)]
struct Short {
    bytes: [u8; 32],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.length + text.len();
        self.bytes.get_mut(self.length..end).ok_or(fmt::Error)?.copy_from_slice(text.as_bytes());
        self.length = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn multiples_are_those_of_the_written_decimals() {
        for (number, of, expected) in [
            (0.07, 0.01, true),
            (0.3, 0.1, true),
            (0.0075, 0.0001, true),
            (0.00751, 0.0001, false),
            (4.5, 1.5, true),
            (35.0, 1.5, false),
            (-9.0, 3.0, true),
            (7.0, 2.0, false),
            (0.0, 3.7, true),
            (1e308, 0.5, true),
            (1e308, 1e-8, true),
            (1e308, 3.0, false),
            (1e-300, 1.0, false),
            (1e308, 0.123_456_789, false),
            (5e-324, 1e300, false),
            (12_391_239_123.0, 1e-8, true),
        ] {
            assert_eq!(is_multiple(number, of), expected, "{number} of {of}");
        }
    }
}
