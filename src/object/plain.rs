//! Text as a terminal may show it.

/// Returns one line without what a terminal acts on: control characters and line separators become
/// blanks, and those that turn the direction of writing are left out.
#[must_use]
pub fn plain(text: &str) -> String {
    let turns = |letter: &char| matches!(letter, '\u{200e}' | '\u{200f}' | '\u{61c}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = |letter: char| letter.is_control() || matches!(letter, '\u{2028}' | '\u{2029}');
    text.chars()
        .filter(|letter| !turns(letter))
        .map(|letter| if breaks(letter) { ' ' } else { letter })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_left_that_a_terminal_acts_on() {
        assert_eq!(plain("a\u{1b}[2Jb\nc\u{7}"), "a [2Jb c ");
        assert_eq!(plain("\u{202e}gnp.exe\u{2066}\u{200f}"), "gnp.exe");
        assert_eq!(plain("one\u{2028}two"), "one two");
        assert_eq!(plain("Zoë → 版本 👩\u{200d}🚀"), "Zoë → 版本 👩\u{200d}🚀");
    }
}
