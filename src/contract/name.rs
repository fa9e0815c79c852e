//! Names are short: two of them are compared word by word, for a call of `memcmp` would cost more.

/// Whether two names are the same.
#[inline]
pub(super) fn is_same(a: &str, b: &str) -> bool {
    let (a, b) = (a.as_bytes(), b.as_bytes());
    if a.len() != b.len() {
        return false;
    }
    // The last bytes may overlap those before.
    match (a.split_first_chunk::<8>(), a.last_chunk::<8>(), b.split_first_chunk::<8>(), b.last_chunk::<8>()) {
        (Some((first, more)), Some(last), Some((of_b, more_of_b)), Some(end_of_b)) => {
            let between = || more.as_chunks::<8>().0.iter().zip(more_of_b.as_chunks::<8>().0).all(|(a, b)| a == b);
            first == of_b && last == end_of_b && (a.len() <= 16 || between())
        }
        _ => match (a.first_chunk::<4>(), a.last_chunk::<4>(), b.first_chunk::<4>(), b.last_chunk::<4>()) {
            (Some(first), Some(last), Some(of_b), Some(end_of_b)) => first == of_b && last == end_of_b,
            _ => a.iter().zip(b).all(|(a, b)| a == b),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_the_same_where_every_byte_is() {
        let name = "x-content-type-options-é";
        for length in (0..name.len()).filter(|&length| name.is_char_boundary(length)) {
            let own = &name[..length];
            let copy = String::from(own);
            assert!(is_same(own, &copy), "{own}");
            assert!(!is_same(own, &name[..length + 1 + usize::from(length == name.len() - 2)]), "{own}");
            for at in 0..own.len() {
                let other: String = own.char_indices().map(|(ix, c)| if ix == at { '_' } else { c }).collect();
                assert_eq!(is_same(own, &other), own == other, "{own} {other}");
            }
        }
    }
}
