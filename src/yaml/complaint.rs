//! What the YAML parser complains of, in our words.

use serde_saphyr::budget::BudgetBreach;

use super::Budget;

/// Deepest nesting of a document.
pub(super) const MAX_DEPTH: usize = 100;
/// Most values that the aliases of a file may stand for.
pub(super) const MAX_ALIASED: usize = 200_000;

/// Returns the parser's message in our words, without the location, which stands before it.
pub(super) fn message(error: &serde_saphyr::Error, budget: &mut Budget) -> String {
    use serde_saphyr::Error;
    match error {
        Error::AliasError { error, .. } => message(error, budget),
        Error::DuplicateMappingKey { key: Some(key), .. } => {
            format!("the key `{key}` is here twice: keep one")
        }
        Error::NonFiniteFloat { value, .. } => {
            format!("`{value}` is no number that JSON can hold: write it in quotes")
        }
        Error::RecursiveReferencesRequireWeakTypes { .. } => {
            "the alias stands within its own anchor: write the value out".to_owned()
        }
        Error::UnsupportedTag { tag, .. } => format!("the tag `{tag}` is unknown: remove it"),
        Error::Budget { breach, .. } => match breach {
            BudgetBreach::Documents { .. } => budget.exhausted("documents", Budget::DOCUMENTS),
            BudgetBreach::Nodes { .. } => budget.exhausted("values", Budget::NODES),
            other => breached(other),
        },
        Error::AliasReplayLimitExceeded { .. } => {
            format!("its aliases stand for more than {MAX_ALIASED} values: write it plainly")
        }
        other => {
            let text = other.to_string();
            let first = text.lines().next().unwrap_or_default();
            let first = first.split(" at line ").next().unwrap_or(first);
            if first == "recursion limit exceeded" {
                too_deep()
            } else {
                first.to_owned()
            }
        }
    }
}

fn too_deep() -> String {
    format!("the document is nested deeper than {MAX_DEPTH} levels: write it plainly")
}

/// Says which limit of the parser's was reached; where it is not one of ours it tells its number.
fn breached(breach: &BudgetBreach) -> String {
    let many = |what: &str, count: usize| {
        format!("the file holds {count} {what}, more than it may: write it plainly")
    };
    match breach {
        BudgetBreach::Depth { .. } => too_deep(),
        BudgetBreach::Aliases { aliases } => many("aliases", *aliases),
        BudgetBreach::Anchors { anchors } => many("anchors", *anchors),
        BudgetBreach::MergeKeys { merge_keys } => many("merge keys", *merge_keys),
        BudgetBreach::ScalarBytes { total_scalar_bytes } => many(
            "bytes of text with what aliases repeat",
            *total_scalar_bytes,
        ),
        BudgetBreach::Events { events } => many("parts", *events),
        other => format!("the file is more than the parser takes ({other:?}): write it plainly"),
    }
}
