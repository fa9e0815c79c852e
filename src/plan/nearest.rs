//! "Did you mean": the known word that is nearest to the one that was written.

/// The candidate nearest to `word`, if it is near enough to be what was meant.
///
/// Nearness is the number of letters changed, added, left out or swapped with their neighbour (optimal string
/// alignment), ignoring case; at most a third of the word's length counts as a slip. A word that begins with
/// the whole of the other is near, too (`timeout` and `timeouts`).
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let wanted = word.to_lowercase();
    if wanted.len() > 100 {
        return None;
    }
    let allowed = (wanted.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= 200)
        .map(|candidate| (distance(&wanted, &candidate.to_lowercase()), candidate))
        .filter(|&(far, candidate)| far <= allowed || (wanted.len() >= 3 && candidate.to_lowercase().starts_with(&wanted)))
        .min_by_key(|&(far, _)| far)
        .map(|(_, candidate)| candidate)
}

fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let changed = above[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = changed.min(above[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before[j - 2] + 1);
            }
            row.push(best);
        }
        before = std::mem::replace(&mut above, row);
    }
    above[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_of_the_pen_finds_the_word_that_was_meant() {
        for (word, meant) in [
            ("weigth", Some("weight")),
            ("wieght", Some("weight")),
            ("Weight", Some("weight")),
            ("time", Some("timeouts")),
            ("colour", None),
            ("", None),
        ] {
            assert_eq!(nearest(word, ["weight", "timeouts", "name"]), meant, "{word}");
        }
        assert_eq!(nearest("RATE_LIMIT_EXCEDED", ["RATE_LIMIT_EXCEEDED", "QUOTA_EXCEEDED"]), Some("RATE_LIMIT_EXCEEDED"));
        assert_eq!(nearest("x", []), None);
    }
}
