//! What `tidegate validate` has found, in the forms that people and CI systems read.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Value, json};

use crate::revision::{Fault, Place};

use super::table::plain;

/// The form of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// One line each: `path:line:column: message`.
    Text,
    /// One JSON document.
    Json,
    /// Annotations of GitHub's workflows.
    Github,
    /// SARIF 2.1.0, for code scanning.
    Sarif,
    /// JUnit's XML, for test reports.
    Junit,
}

/// All that was found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) faults: Vec<Fault>,
    pub(super) notes: Vec<String>,
    pub(super) files: usize,
    pub(super) objects: usize,
    /// The version of Kubernetes whose types were checked; `None` where none were.
    pub(super) types: Option<&'static str>,
}

impl Findings {
    /// Puts them in the order of their places; the same said twice is said once.
    pub(super) fn sort(&mut self) {
        self.faults.sort();
        self.faults.dedup();
        self.notes.sort();
        self.notes.dedup();
    }
}

impl Format {
    pub(super) fn write(self, found: &Findings) -> String {
        match self {
            Self::Text => text(found),
            Self::Json => lines(&json_of(found)),
            Self::Github => github(found),
            Self::Sarif => lines(&sarif(found)),
            Self::Junit => junit(found),
        }
    }
}

fn text(found: &Findings) -> String {
    let mut text = String::new();
    for fault in &found.faults {
        let _ = writeln!(text, "{}", plain(&fault.to_string()));
    }
    for note in &found.notes {
        let _ = writeln!(text, "note: {}", plain(note));
    }
    let count = |count: usize, word: &str| match count {
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    let files = count(found.files, "file");
    let _ = match found.faults.len() {
        0 => writeln!(
            text,
            "{} in {files}: no fault found; {}",
            count(found.objects, "object"),
            match found.types {
                Some(version) => format!(
                    "fields and types are those of Kubernetes {version}, values are judged by the \
                     cluster alone"
                ),
                None => "fields and types were not checked".to_owned(),
            }
        ),
        faults => writeln!(text, "{} in {files}", count(faults, "error")),
    };
    text
}

fn json_of(found: &Findings) -> Value {
    let fault = |fault: &Fault| {
        let Place { path, position } = &fault.place;
        json!({
            "path": path, "line": position.line, "column": position.column,
            "message": fault.message,
        })
    };
    json!({
        "files": found.files, "objects": found.objects, "notes": found.notes,
        "errors": found.faults.iter().map(fault).collect::<Vec<_>>(),
    })
}

/// `::error file=…,line=…,col=…::…`; the escapes are those of the runner's `toolkit`.
fn github(found: &Findings) -> String {
    let message = |text: &str| {
        text.replace('%', "%25")
            .replace('\r', "%0D")
            .replace('\n', "%0A")
    };
    let property = |text: &str| message(text).replace(':', "%3A").replace(',', "%2C");
    let mut text = String::new();
    for fault in &found.faults {
        let Place { path, position } = &fault.place;
        let place = if position.line > 0 {
            format!(",line={},col={}", position.line, position.column)
        } else {
            String::new()
        };
        let (path, words) = (property(path), message(&fault.message));
        let _ = writeln!(text, "::error file={path}{place}::{words}");
    }
    for note in &found.notes {
        let _ = writeln!(text, "::notice::{}", message(note));
    }
    text
}

fn sarif(found: &Findings) -> Value {
    let result = |fault: &Fault| {
        let Place { path, position } = &fault.place;
        let mut place = json!({"artifactLocation": {"uri": path}});
        if position.line > 0 {
            place["region"] = json!({"startLine": position.line, "startColumn": position.column});
        }
        json!({
            "ruleId": "refused", "level": "error", "message": {"text": fault.message},
            "locations": [{"physicalLocation": place}],
        })
    };
    let driver = json!({
        "name": "tidegate", "version": env!("CARGO_PKG_VERSION"),
        "rules": [{
            "id": "refused",
            "shortDescription": {"text": "tidegate would refuse the commit"},
        }],
    });
    json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0",
        "runs": [{
            "tool": {"driver": driver},
            "results": found.faults.iter().map(result).collect::<Vec<_>>(),
        }],
    })
}

/// One case a file that is at fault; one that passes where none is.
fn junit(found: &Findings) -> String {
    let mut files: BTreeMap<&str, Vec<&Fault>> = BTreeMap::new();
    for fault in &found.faults {
        files.entry(&fault.place.path).or_default().push(fault);
    }
    let mut cases = String::new();
    for (path, faults) in &files {
        let path = xml(path);
        let _ = writeln!(cases, "  <testcase classname=\"validate\" name=\"{path}\">");
        for fault in faults {
            let (whole, message) = (xml(&fault.to_string()), xml(&fault.message));
            let _ = writeln!(
                cases,
                "    <failure message=\"{message}\">{whole}</failure>"
            );
        }
        cases.push_str("  </testcase>\n");
    }
    if files.is_empty() {
        cases.push_str("  <testcase classname=\"validate\" name=\"all files\"/>\n");
    }
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
         <testsuite name=\"tidegate validate\" tests=\"{}\" failures=\"{}\">\n{cases}</testsuite>\n",
        files.len().max(1),
        files.len()
    )
}

/// Escapes a text for XML 1.0; control characters, which it cannot hold, become spaces.
fn xml(text: &str) -> String {
    plain(text)
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

fn lines(value: &Value) -> String {
    format!("{value:#}\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::revision::Position;

    fn found() -> Findings {
        let at = |line, column| Position { line, column };
        Findings {
            faults: vec![
                Fault::new("a,b.yaml", at(3, 9), "no \"<50%>\": write\nit"),
                Fault::new("c", Position::default(), "empty"),
            ],
            notes: vec!["n".to_owned()],
            files: 2,
            objects: 0,
            types: None,
        }
    }

    #[test]
    fn text_has_one_line_a_fault_and_ends_with_the_count() {
        assert_eq!(
            Format::Text.write(&found()),
            "a,b.yaml:3:9: no \"<50%>\": write it\nc: empty\nnote: n\n2 errors in 2 files\n"
        );
        let none = Findings {
            files: 1,
            objects: 3,
            types: Some("1.33"),
            ..Findings::default()
        };
        assert_eq!(
            Format::Text.write(&none),
            "3 objects in 1 file: no fault found; fields and types are those of Kubernetes 1.33, \
             values are judged by the cluster alone\n"
        );
    }

    #[test]
    fn github_annotations_cannot_be_broken_out_of() {
        assert_eq!(
            Format::Github.write(&found()),
            "::error file=a%2Cb.yaml,line=3,col=9::no \"<50%25>\": write%0Ait\n\
             ::error file=c::empty\n::notice::n\n"
        );
    }

    #[test]
    fn junit_counts_files_and_escapes_what_was_written() {
        assert_eq!(
            Format::Junit.write(&found()),
            "\
<?xml version=\"1.0\" encoding=\"UTF-8\"?>
<testsuite name=\"tidegate validate\" tests=\"2\" failures=\"2\">
  <testcase classname=\"validate\" name=\"a,b.yaml\">
    <failure message=\"no &quot;&lt;50%&gt;&quot;: write it\">a,b.yaml:3:9: no &quot;&lt;50%&gt;&quot;: write it</failure>
  </testcase>
  <testcase classname=\"validate\" name=\"c\">
    <failure message=\"empty\">c: empty</failure>
  </testcase>
</testsuite>
"
        );
    }

    #[test]
    fn json_and_sarif_have_place_and_message() {
        let json: Value = serde_json::from_str(&Format::Json.write(&found())).unwrap();
        assert_eq!(json["errors"][0]["line"], 3);
        assert_eq!(json["errors"][1]["path"], "c");
        let sarif: Value = serde_json::from_str(&Format::Sarif.write(&found())).unwrap();
        let results = &sarif["runs"][0]["results"];
        let place = &results[0]["locations"][0]["physicalLocation"];
        assert_eq!(place["region"]["startColumn"], 9);
        let no_lines = &results[1]["locations"][0]["physicalLocation"]["region"];
        assert!(no_lines.is_null());
    }
}
