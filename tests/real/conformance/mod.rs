//! The simulated API server against the real one: the same calls of `kubectl` and the same requests
//! to both, and every answer is compared but for what chance and the clock decide. Prints a table
//! with a row a case; see it with
//!
//! ```sh
//! cargo test --features e2e --test real -- conformance --nocapture
//! ```
//!
//! Where the two differ is written down in `differences.rs`, with the reason. A difference that is
//! not written down fails, and so does one that is written down and no longer there.

mod calm;
mod differences;
mod requests;
mod stories;
mod watches;

use std::collections::BTreeSet;

use differences::DIFFERENCES;

/// The most lines of a difference that are shown.
const SHOWN: usize = 12;

/// What one case gave on both sides, made comparable.
struct Case {
    /// What it belongs to.
    story: &'static str,
    /// The call, or what is asked.
    call: String,
    real: String,
    simulated: String,
}

impl Case {
    /// The reason why the answers differ, where it is written down.
    fn reason(&self) -> Option<&'static str> {
        let written = DIFFERENCES.iter().find(|(story, call, _)| {
            *story == self.story && *call == self.call.trim_end_matches(char::is_whitespace)
        });
        written.map(|(.., reason)| *reason)
    }

    fn is_same(&self) -> bool {
        self.real == self.simulated
    }

    fn row(&self) -> String {
        let Self { story, call, .. } = self;
        match (self.is_same(), self.reason()) {
            (true, _) => format!("same    {story}: {call}"),
            (false, Some(reason)) => format!("differs {story}: {call} ({reason})"),
            (false, None) => format!("DIFFERS {story}: {call}"),
        }
    }

    /// What is wrong with this row of the table, if anything.
    fn fault(&self) -> Option<String> {
        let Self { story, call, .. } = self;
        match (self.is_same(), self.reason()) {
            (true, None) | (false, Some(_)) => None,
            (true, Some(_)) => Some(format!(
                "{story}: {call}\n  is the same now: strike it out in differences.rs"
            )),
            (false, None) => Some(format!(
                "{story}: {call}\n{}",
                differing(&self.real, &self.simulated)
            )),
        }
    }
}

/// The lines that are not in both, those of the real one first.
fn differing(real: &str, simulated: &str) -> String {
    let (real, simulated): (Vec<_>, Vec<_>) = (real.lines().collect(), simulated.lines().collect());
    let only = |of: &[&str], other: &[&str], mark: &str| {
        let lines = of.iter().filter(|line| !other.contains(line));
        lines
            .take(SHOWN)
            .map(|line| format!("  {mark} {line}\n"))
            .collect::<String>()
    };
    let lines = only(&real, &simulated, "real     ") + &only(&simulated, &real, "simulated");
    if lines.is_empty() {
        format!("  in another order:\n  real {real:#?}\n  simulated {simulated:#?}\n")
    } else {
        lines
    }
}

/// Prints the table and fails where it has a wrong row.
fn judge(cases: &[Case]) {
    let (mut rows, mut faults) = (Vec::new(), Vec::new());
    for case in cases {
        rows.push(case.row());
        faults.extend(case.fault());
    }
    let stories: BTreeSet<_> = cases.iter().map(|case| case.story).collect();
    for (story, call, _) in DIFFERENCES {
        let is_there = cases
            .iter()
            .any(|case| case.story == *story && case.call == *call);
        if stories.contains(story) && !is_there {
            faults.push(format!("{story}: {call}\n  is written down, but no case"));
        }
    }
    let same = cases.iter().filter(|case| case.is_same()).count();
    let rows = rows.join("\n");
    println!("{rows}\n{same} of {} cases the same", cases.len());
    assert!(
        faults.is_empty(),
        "{} of {} cases:\n{}",
        faults.len(),
        cases.len(),
        faults.join("\n")
    );
}

#[test]
fn a_difference_is_a_fault_unless_it_is_there_and_written_down() {
    let case = |call: &str, simulated: &str| Case {
        story: "discovery",
        call: call.to_owned(),
        real: "a".to_owned(),
        simulated: simulated.to_owned(),
    };
    assert!(case("kubectl version", "b").fault().is_none());
    assert!(case("kubectl version", "a").fault().is_some(), "it is gone");
    assert!(case("kubectl api-resources", "a").fault().is_none());
    let unknown = case("kubectl api-resources", "b").fault();
    assert!(unknown.is_some_and(|fault| fault.contains("simulated b")));
}

#[test]
fn what_is_written_down_belongs_to_a_story() {
    let known: Vec<_> = stories::names().chain(requests::names()).collect();
    for (story, call, _) in DIFFERENCES {
        assert!(known.contains(story), "{story}: {call}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kubectl_is_answered_alike_by_both() {
    judge(&stories::all().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_are_answered_alike_by_both() {
    let mut cases = requests::all().await;
    cases.extend(watches::all().await);
    judge(&cases);
}
