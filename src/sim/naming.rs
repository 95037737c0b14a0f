//! Names as Kubernetes writes and refuses them (`apimachinery/pkg/util/validation`).

const SUBDOMAIN: &str = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric \
    characters, '-' or '.', and must start and end with an alphanumeric character (e.g. \
    'example.com', regex used for validation is \
    '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const LABEL: &str = "a lowercase RFC 1123 label must consist of lower case alphanumeric characters \
    or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', \
    regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
const LABEL_VALUE: &str = "a valid label must be an empty string or consist of alphanumeric \
    characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. \
    'MyValue',  or 'my_value',  or '12345', regex used for validation is \
    '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')";
const QUALIFIED: &str = "must consist of alphanumeric characters, '-', '_' or '.', and must start \
    and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used \
    for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

/// Bytes of a label, its key's name or value.
const LONGEST: usize = 63;

/// Returns what is wrong with a name that may have a prefix, as keys of labels and annotations have
/// (`IsQualifiedName`).
#[must_use]
pub(super) fn wrong_qualified(text: &str) -> Vec<String> {
    let parts: Vec<&str> = text.split('/').collect();
    let mut wrong = Vec::new();
    let name = match parts.as_slice() {
        [name] => name,
        [prefix, name] => {
            if prefix.is_empty() {
                wrong.push("prefix part must be non-empty".to_owned());
            } else if let Some(detail) = wrong_subdomain(prefix) {
                wrong.push(format!("prefix part {detail}"));
            }
            name
        }
        _ => {
            return vec![format!(
                "a valid label key {QUALIFIED} with an optional DNS subdomain prefix and '/' (e.g. \
                 'example.com/MyName')"
            )];
        }
    };
    if name.is_empty() {
        wrong.push("name part must be non-empty".to_owned());
    } else if name.len() > LONGEST {
        wrong.push(format!("name part must be no more than {LONGEST} bytes"));
    }
    if !is_word(name) {
        wrong.push(format!("name part {QUALIFIED}"));
    }
    wrong
}

/// Returns what is wrong with the value of a label.
#[must_use]
pub(super) fn wrong_value(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        Some(format!("must be no more than {LONGEST} bytes"))
    } else if !text.is_empty() && !is_word(text) {
        Some(LABEL_VALUE.to_owned())
    } else {
        None
    }
}

/// Returns what is wrong with a text as a DNS label.
#[must_use]
pub(super) fn wrong_label(text: &str) -> Option<String> {
    if text.len() > LONGEST {
        return Some(format!("must be no more than {LONGEST} bytes"));
    }
    (!is_label(text)).then(|| LABEL.to_owned())
}

/// Returns what is wrong with a text as a DNS subdomain.
#[must_use]
pub(super) fn wrong_subdomain(text: &str) -> Option<String> {
    if text.len() > 253 {
        return Some("must be no more than 253 characters".to_owned());
    }
    (!text.split('.').all(is_label)).then(|| SUBDOMAIN.to_owned())
}

/// Letters, digits, `-_.`, the ends letters or digits.
fn is_word(text: &str) -> bool {
    let is_end = |letter: Option<char>| letter.is_some_and(|letter| letter.is_ascii_alphanumeric());
    let is_fine = |letter: char| letter.is_ascii_alphanumeric() || "-_.".contains(letter);
    is_end(text.chars().next()) && is_end(text.chars().next_back()) && text.chars().all(is_fine)
}

fn is_label(text: &str) -> bool {
    let is_low = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit();
    let ends = [text.chars().next(), text.chars().next_back()];
    ends.iter().all(|end| end.is_some_and(is_low))
        && text.chars().all(|letter| is_low(letter) || letter == '-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_labels_or_subdomains() {
        assert_eq!(wrong_label("web"), None);
        assert!(wrong_label("web.a").is_some());
        assert_eq!(wrong_subdomain("web.a"), None);
        assert!(wrong_subdomain("Web").is_some());
    }

    #[test]
    fn a_qualified_name_has_at_most_one_prefix_which_is_a_subdomain() {
        for name in ["app", "a.b/App_1", "x"] {
            assert!(wrong_qualified(name).is_empty(), "{name}");
        }
        for (name, begins) in [
            ("-bad", "name part must consist"),
            ("a/", "name part must be non-empty"),
            ("/a", "prefix part must be non-empty"),
            ("A_/a", "prefix part a lowercase RFC 1123 subdomain"),
            ("a/b/c", "a valid label key must consist"),
        ] {
            let wrong = wrong_qualified(name);
            assert!(wrong[0].starts_with(begins), "{name}: {wrong:?}");
        }
    }
}
