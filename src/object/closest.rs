//! The word that somebody probably meant.

/// Returns the candidate that is most like `word`: at most a third of its letters differ (case
/// aside), one where it is short. `None` where nothing is that near.
#[must_use]
pub fn closest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let word = word.to_lowercase();
    let allowed = (word.chars().count() / 3).max(1);
    candidates
        .into_iter()
        .map(|candidate| (distance(&word, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= allowed)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// Letters to insert, delete or replace to turn one word into the other (Levenshtein).
fn distance(from: &str, to: &str) -> usize {
    let to: Vec<char> = to.chars().collect();
    let mut row: Vec<usize> = (0..=to.len()).collect();
    for (i, letter) in from.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, other) in to.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[to.len()]
}

#[cfg(test)]
mod tests {
    use super::closest;

    #[test]
    fn a_typo_finds_the_word_that_was_meant_and_another_word_finds_none() {
        let words = ["interval", "path", "prune", "url"];
        assert_eq!(closest("intreval", words), Some("interval"));
        assert_eq!(closest("Path", words), Some("path"));
        assert_eq!(closest("urls", words), Some("url"));
        assert_eq!(closest("branch", words), None);
        assert_eq!(closest("", words), None);
    }
}
