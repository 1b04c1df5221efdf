//! Numbers as text, each in the shortest form that reads back as the same
//! number.

use super::catalogue::Value;

pub(super) fn value(out: &mut Vec<u8>, value: Value) {
    match value {
        Value::Integer(number) => integer(out, number),
        Value::Micros(number) => micros(out, number),
        Value::Float(number) => float(out, number),
    }
}

pub(super) fn integer(out: &mut Vec<u8>, number: u64) {
    out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
}

/// Microseconds as seconds. Decimal digits are exact, so nothing is lost on
/// the way to the text; trailing zeros are not written.
pub(super) fn micros(out: &mut Vec<u8>, number: i64) {
    const SECOND: u64 = 1_000_000;
    if number < 0 {
        out.push(b'-');
    }
    let magnitude = number.unsigned_abs();
    integer(out, magnitude / SECOND);
    if !magnitude.is_multiple_of(SECOND) {
        // With a one in front, for the zeros that it begins with.
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(SECOND + magnitude % SECOND);
        out.push(b'.');
        out.extend_from_slice(digits[1..].trim_end_matches('0').as_bytes());
    }
}

/// Any number; a whole one without `.0`, as Prometheus writes it.
pub(super) fn float(out: &mut Vec<u8>, number: f64) {
    let start = out.len();
    bound(out, number);
    if out[start..].ends_with(b".0") {
        out.truncate(out.len() - 2);
    }
}

/// Any number; a whole one with `.0`. Labels `le` and `quantile` have it in
/// every format, so that the series are the same: OpenMetrics 1.0.0 asks for
/// it, and Prometheus 3 turns `1` into `1.0` while it scrapes.
pub(super) fn bound(out: &mut Vec<u8>, number: f64) {
    if number.is_finite() {
        out.extend_from_slice(zmij::Buffer::new().format_finite(number).as_bytes());
    } else {
        out.extend_from_slice(if number.is_nan() {
            b"NaN"
        } else if number > 0.0 {
            b"+Inf"
        } else {
            b"-Inf"
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn micros_are_exact_and_short() {
        for (number, expected) in [
            (0, "0"),
            (1, "0.000001"),
            (-1, "-0.000001"),
            (1_000_000, "1"),
            (-1_500_000, "-1.5"),
            (1_763_798_565_318_000, "1763798565.318"),
            (1_763_798_565_000_001, "1763798565.000001"),
            (10_100_000, "10.1"),
            (8_643_432_198_538_959, "8643432198.538959"),
            (i64::MIN, "-9223372036854.775808"),
            (i64::MAX, "9223372036854.775807"),
        ] {
            assert_eq!(text(|out| micros(out, number)), expected);
        }
    }

    #[test]
    fn floats_are_spelt_as_prometheus_reads_them() {
        for (number, expected) in [
            (0.0, "0"),
            (1.0, "1"),
            (100.0, "100"),
            (0.1, "0.1"),
            (-2.5, "-2.5"),
            (f64::INFINITY, "+Inf"),
            (f64::NEG_INFINITY, "-Inf"),
            (f64::NAN, "NaN"),
        ] {
            assert_eq!(text(|out| float(out, number)), expected);
        }
    }

    #[test]
    fn bounds_are_the_same_text_in_every_format() {
        for (number, expected) in [
            (1.0, "1.0"),
            (0.005, "0.005"),
            (30.0, "30.0"),
            (f64::INFINITY, "+Inf"),
        ] {
            assert_eq!(text(|out| bound(out, number)), expected);
        }
    }

    proptest! {
        #[test]
        fn floats_read_back(bits in any::<u64>()) {
            let number = f64::from_bits(bits);
            let back: f64 = text(|out| float(out, number)).parse().unwrap();
            prop_assert!(back.to_bits() == bits || (back.is_nan() && number.is_nan()));
        }

        #[test]
        fn micros_read_back_as_the_nearest_float(number in -(1_i64 << 53)..(1_i64 << 53)) {
            let written = text(|out| micros(out, number));
            let back: f64 = written.parse().unwrap();
            prop_assert_eq!(back.to_bits(), (number as f64 / 1e6).to_bits());
            // Until the year 2242 also the shortest text that does; then a
            // microsecond is less than an f64 can tell.
            if number.unsigned_abs() < (1 << 33) * 1_000_000 {
                let shortest = format!("{back}");
                prop_assert!(written.len() <= shortest.len(), "{} {}", written, shortest);
            }
        }
    }
}
