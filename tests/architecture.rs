//! The walls of the house: rooms, floors and doors, and what may never be in a room.
//!
//! They read the source as text: comments and unit tests are left out, grouped imports are opened.
//! Each wall is a function from text to breaches, and has a test that shows a breach.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// One room: its floor, its name, and the rooms that it may name.
struct Room(u8, &'static str, &'static [&'static str]);

/// Every room that is or will be, by floors.
#[rustfmt::skip]
const ROOMS: &[Room] = &[
    Room(0, "object", &[]),
    Room(0, "revision", &["object"]),
    Room(0, "yaml", &["revision"]),
    Room(1, "policy", &["object", "revision", "yaml"]),
    Room(1, "manifest", &["object", "revision", "yaml", "policy"]),
    Room(1, "health", &["object"]),
    Room(2, "rollout", &["object", "revision", "policy", "health"]),
    Room(2, "rollback", &["object", "revision", "manifest", "policy"]),
    Room(3, "plan", &["object", "revision", "manifest", "policy", "health", "rollout", "rollback"]),
    Room(4, "config", &["object", "revision", "policy"]),
    Room(4, "ledger", &["object", "revision", "policy", "rollout", "rollback", "plan"]),
    Room(4, "status", &["object", "revision", "policy", "health", "rollout", "rollback", "plan", "ledger"]),
    Room(4, "metrics", &["object", "revision", "rollout", "plan"]),
    Room(5, "clock", &[]),
    Room(5, "git", &["object", "revision", "config", "clock"]),
    Room(5, "render", &["revision", "config", "clock"]),
    Room(5, "cluster", &["object", "revision", "manifest", "policy", "health", "rollout", "rollback", "plan",
                         "config", "ledger", "status", "metrics", "clock"]),
    Room(5, "trigger", &["object", "revision", "config", "clock"]),
    Room(5, "gate", &["object", "policy", "health", "rollout", "config", "clock"]),
    Room(5, "notice", &["object", "revision", "config", "status", "clock"]),
    Room(5, "sim", &["object", "clock"]),
    Room(6, "sync", &["object", "revision", "manifest", "policy", "health", "rollout", "rollback", "plan", "config",
                      "ledger", "status", "metrics", "clock", "git", "render", "cluster", "trigger", "gate", "notice"]),
    Room(7, "server", &["object", "revision", "config", "status", "metrics", "clock", "trigger"]),
    Room(8, "cli", &["object", "revision", "manifest", "policy", "health", "rollout", "rollback", "plan", "config",
                     "ledger", "status", "metrics", "clock", "git", "render", "cluster", "trigger", "gate", "notice",
                     "sim", "sync", "server"]),
];

/// Doors on one floor, each from a room to one that knows nothing of it: a place in a file names an
/// object, YAML gives places, a manifest brings the policy files of its folder, what people are
/// shown is a projection of the ledger.
const LANDINGS: &[(&str, &str)] = &[
    ("revision", "object"),
    ("yaml", "revision"),
    ("manifest", "policy"),
    ("status", "ledger"),
];

/// The lowest floor that reaches outside; those below are pure.
const EDGES: u8 = 5;

/// Crates that a pure room never names.
const OUTSIDE: &[&str] = &[
    "curl",
    "futures",
    "git2",
    "git2_curl",
    "kube",
    "notify",
    "rustix",
    "tokio",
    "tracing",
    "tracing_subscriber",
];

/// Parts of an edge that are as pure as the rooms below: what controllers decide, and what image
/// tags mean.
const PURE_PARTS: &[&str] = &["sim/arithmetic", "sim/kubelet/conduct.rs"];

/// Words that a pure room never says, wherever they stand in a path.
const IMPURE: &[&str] = &[
    "async",
    "await",
    "dbg",
    "eprint",
    "eprintln",
    "print",
    "println",
    "std::env",
    "std::fs",
    "std::net",
    "std::process",
    "std::thread",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "Instant",
    "SystemTime",
    "Timestamp::now",
    "Zoned::now",
    "Utc::now",
];

/// What has a home, and the rooms that are it.
const HOMES: &[(&str, &[&str])] = &[
    ("git2", &["git"]),
    ("git2_curl", &["git"]),
    ("curl", &["git", "gate", "notice"]),
    ("kube", &["cluster", "sim"]),
    ("notify", &["trigger"]),
    ("clap", &["cli"]),
    ("unicode_width", &["cli"]),
    ("tracing_subscriber", &["cli"]),
    ("anyhow", &[]),
    ("std::env::var", &["cli"]),
    ("std::env::var_os", &["cli"]),
    ("std::env::vars", &["cli"]),
];

/// Names of files and folders that say nothing.
const VAGUE: &[&str] = &[
    "common", "context", "core", "handler", "handlers", "helper", "helpers", "manager", "misc",
    "model", "models", "prelude", "shared", "traits", "types", "util", "utils",
];

/// Ends of type names that say nothing.
const VAGUE_ENDS: &[&str] = &["Manager", "Handler", "Context", "Helper", "Util", "Utils"];

const LONGEST: usize = 400;

/// One source file.
struct Source {
    /// Path below `src/`.
    path: PathBuf,
    text: String,
}

impl Source {
    /// The room that it belongs to: the first part of its path, or the file at the top itself.
    fn room(&self) -> String {
        let first = self
            .path
            .iter()
            .next()
            .expect("a path has a part")
            .to_string_lossy();
        first.trim_end_matches(".rs").to_owned()
    }

    /// How many `super`s lead from it to the root of its room.
    fn depth(&self) -> usize {
        let is_root = self.path.ends_with("mod.rs") || self.path.iter().count() == 1;
        self.path.iter().count() - 1 - usize::from(is_root && self.path.iter().count() > 1)
    }

    /// Its lines before the unit tests.
    fn product(&self) -> &str {
        self.text.split("#[cfg(test)]").next().unwrap_or_default()
    }

    /// Its product without comments.
    fn code(&self) -> String {
        let code = |line| match line {
            line if str::trim_start(line).starts_with("//") => "",
            line => line.split_once(" // ").map_or(line, |(code, _)| code),
        };
        self.product()
            .lines()
            .map(code)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every Rust file below `folder`, with its path from there.
fn sources(folder: &Path) -> Vec<Source> {
    let mut found = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(here) = folders.pop() {
        for entry in fs::read_dir(&here).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).expect("a readable file");
                let path = path.strip_prefix(folder).expect("a path below").to_owned();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// The files of all rooms; `lib.rs` and `main.rs` are none.
fn rooms() -> Vec<Source> {
    let is_room = |source: &Source| !matches!(source.room().as_str(), "lib" | "main");
    sources(&root().join("src"))
        .into_iter()
        .filter(is_room)
        .collect()
}

fn room(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.1 == name)
}

/// Every path and single word in `code`, groups opened: `a::{b, c::d}` gives `a::b`, `a::c::d`.
fn paths(code: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = code;
    while let Some(first) = rest.chars().next() {
        let is_word = |letter: char| letter.is_alphanumeric() || letter == '_';
        let length = match first {
            _ if rest.starts_with("::") => 2,
            _ if is_word(first) => rest.find(|letter| !is_word(letter)).unwrap_or(rest.len()),
            _ => first.len_utf8(),
        };
        if !first.is_whitespace() {
            tokens.push(&rest[..length]);
        }
        rest = &rest[length..];
    }
    let mut found = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    let mut path = String::new();
    for (at, token) in tokens.iter().enumerate() {
        let is_open = path.ends_with("::");
        match *token {
            "::" if !path.is_empty() => path.push_str("::"),
            "{" => groups.push(std::mem::take(&mut path)),
            "," | "}" | ";" => {
                if *token == "}" {
                    groups.pop();
                }
                path.clear();
            }
            word if word.starts_with(|first: char| first.is_alphabetic() || first == '_') => {
                if !is_open {
                    path = groups
                        .last()
                        .filter(|group| group.ends_with("::"))
                        .cloned()
                        .unwrap_or_default();
                }
                path.push_str(word);
                if tokens.get(at + 1) != Some(&"::") {
                    found.push(std::mem::take(&mut path));
                }
            }
            _ => path.clear(),
        }
    }
    found
}

/// Whether the segments of `word` stand side by side in `path`.
fn says(path: &str, word: &str) -> bool {
    format!("::{path}::").contains(&format!("::{word}::"))
}

/// Whether `path` leads into the crate or module `word`.
fn enters(path: &str, word: &str) -> bool {
    path.strip_prefix(word)
        .is_some_and(|rest| rest.starts_with("::"))
        || path == word && word.contains("::")
}

/// Doors that the table does not have, and `super`s that leave the room unseen.
fn doors(source: &Source) -> Vec<String> {
    let own = source.room();
    let allowed = room(&own).map(|room| room.2).unwrap_or_default();
    let mut breaches = Vec::new();
    for path in paths(&source.code()) {
        let supers = path.split("::").take_while(|part| *part == "super").count();
        if supers > source.depth() {
            breaches.push(format!("`{path}` leaves the room; name it from `crate`"));
        }
        let Some(inside) = path.strip_prefix("crate::") else {
            continue;
        };
        let door = inside.split("::").next().unwrap_or_default();
        if door != own && !allowed.contains(&door) {
            breaches.push(format!("`{own}` opens onto `{door}`"));
        }
    }
    breaches
}

/// What a pure room says that only an edge may.
fn impurities(source: &Source) -> Vec<String> {
    let paths = paths(&source.code());
    let is_impure = |path: &&String| {
        OUTSIDE.iter().any(|outside| enters(path, outside))
            || IMPURE.iter().any(|word| says(path, word))
    };
    paths
        .iter()
        .filter(is_impure)
        .map(|path| format!("a pure room says `{path}`"))
        .collect()
}

/// What is named away from its home.
fn strays(source: &Source) -> Vec<String> {
    let own = source.room();
    let paths = paths(&source.code());
    let homeless = HOMES
        .iter()
        .filter(|(_, homes)| !homes.contains(&own.as_str()));
    homeless
        .filter(|(what, _)| paths.iter().any(|path| enters(path, what)))
        .map(|(what, homes)| format!("`{what}` is named outside {homes:?}"))
        .collect()
}

/// Files, folders and types whose name says nothing.
fn vague_names(source: &Source) -> Vec<String> {
    let parts = source
        .path
        .iter()
        .map(|part| part.to_string_lossy().into_owned());
    let files = parts.filter(|part| {
        let part = part.trim_end_matches(".rs");
        VAGUE.contains(&part) || part.ends_with("_util") || part.ends_with("_utils")
    });
    let code = source.code();
    let words: Vec<&str> = code
        .split(|letter: char| !letter.is_alphanumeric())
        .collect();
    let types = words
        .windows(2)
        .filter(|pair| matches!(pair[0], "struct" | "enum" | "trait" | "type"))
        .map(|pair| pair[1])
        .filter(|name| VAGUE_ENDS.iter().any(|end| name.ends_with(end)));
    files
        .chain(types.map(ToOwned::to_owned))
        .map(|name| format!("`{name}` says nothing"))
        .collect()
}

/// A file that does not say what it is for, or a room that does not say what it never does.
fn silent_header(source: &Source) -> Vec<String> {
    let header: Vec<&str> = source
        .text
        .lines()
        .take_while(|line| line.starts_with("//!"))
        .collect();
    let is_room = source.path.ends_with("mod.rs") && source.path.iter().count() == 2
        || source.path.iter().count() == 1;
    if header.is_empty() {
        vec!["does not begin with `//!` and what it is for".to_owned()]
    } else if is_room && !header.iter().any(|line| line.starts_with("//! Never: ")) {
        vec!["its header does not say what the room never does (`//! Never: …`)".to_owned()]
    } else {
        Vec::new()
    }
}

/// Too many lines, or product hidden behind the tests, where the other walls do not look.
fn shape(source: &Source) -> Vec<String> {
    let mut breaches = Vec::new();
    let lines = source.product().lines().count();
    if lines > LONGEST {
        breaches.push(format!("has {lines} lines of product, more than {LONGEST}"));
    }
    if let Some((_, tail)) = source.text.split_once("#[cfg(test)]") {
        let tests = tail.trim_start();
        let body = tests
            .strip_prefix("pub(super) ")
            .unwrap_or(tests)
            .strip_prefix("mod tests {");
        let is_last = body
            .and_then(|body| body.split_once("\n}\n"))
            .is_some_and(|(_, behind)| behind.trim().is_empty());
        if !is_last {
            breaches.push("`#[cfg(test)] mod tests { … }` must be its one end".to_owned());
        }
    }
    breaches
}

/// What in `lib.rs` is no room, or not below the comment of its floor, or no floor in its order.
fn disorder(lib: &str) -> Vec<String> {
    let mut breaches = Vec::new();
    let mut here = None;
    for line in lib
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with("//!"))
    {
        if let Some(comment) = line.strip_prefix("// floor ") {
            let floor = comment
                .split(':')
                .next()
                .and_then(|number| number.parse::<u8>().ok());
            if floor <= here {
                breaches.push(format!("`{line}` is not above the floor before it"));
            }
            here = floor;
        } else if let Some(name) = line
            .strip_prefix("pub mod ")
            .and_then(|l| l.strip_suffix(';'))
        {
            match room(name) {
                Some(room) if here == Some(room.0) => {}
                Some(room) => breaches.push(format!("`{name}` belongs to floor {}", room.0)),
                None => breaches.push(format!("`{name}` is no room")),
            }
        } else {
            breaches.push(format!(
                "`{line}`: only rooms and their floors are declared here"
            ));
        }
    }
    breaches
}

/// Test files of a lane that its `main.rs` forgets.
fn forgotten(main: &str, files: &[Source]) -> Vec<String> {
    let names = files.iter().map(Source::room).filter(|name| name != "main");
    let declared = |name: &String| {
        main.lines().any(|line| line == format!("mod {name};"))
            || main.contains(&format!("{name}.rs"))
    };
    names
        .filter(|name| !declared(name))
        .map(|name| format!("`{name}` is never run"))
        .collect()
}

fn assert_whole(wall: impl Fn(&Source) -> Vec<String>, sources: &[Source]) {
    assert!(!sources.is_empty(), "there is nothing to look at");
    let breaches: Vec<String> = sources
        .iter()
        .flat_map(|source| {
            let path = source.path.display().to_string();
            wall(source)
                .into_iter()
                .map(move |breach| format!("src/{path}: {breach}"))
        })
        .collect();
    assert!(breaches.is_empty(), "\n{}", breaches.join("\n"));
}

#[test]
fn doors_lead_to_lower_floors_to_landings_and_to_the_clock() {
    for (at, Room(floor, name, doors)) in ROOMS.iter().enumerate() {
        for door in *doors {
            let below = room(door).expect("a door leads to a room").0;
            let is_clock = *door == "clock" && *floor == EDGES;
            let is_landing =
                LANDINGS.contains(&(name, door)) && ROOMS[..at].iter().any(|r| r.1 == *door);
            assert!(
                below < *floor || is_clock || is_landing,
                "`{door}` is not below `{name}`"
            );
        }
    }
}

#[test]
fn rooms_name_only_rooms_that_their_doors_lead_to() {
    assert_whole(doors, &rooms());
}

#[test]
fn pure_rooms_name_nothing_outside() {
    let is_pure = |source: &Source| {
        room(&source.room()).is_some_and(|room| room.0 < EDGES)
            || PURE_PARTS.iter().any(|part| source.path.starts_with(part))
    };
    let pure: Vec<Source> = rooms().into_iter().filter(is_pure).collect();
    assert_whole(impurities, &pure);
}

#[test]
fn what_has_a_home_is_named_there_only() {
    assert_whole(strays, &rooms());
}

#[test]
fn names_say_something() {
    assert_whole(vague_names, &sources(&root().join("src")));
}

#[test]
fn headers_say_what_a_file_is_for_and_what_a_room_never_does() {
    assert_whole(silent_header, &rooms());
}

#[test]
fn files_are_short_and_end_with_their_tests() {
    assert_whole(shape, &sources(&root().join("src")));
}

#[test]
fn the_library_declares_every_room_in_the_order_of_the_floors() {
    let lib = fs::read_to_string(root().join("src/lib.rs")).expect("src/lib.rs is readable");
    assert_eq!(disorder(&lib), Vec::<String>::new());
    for source in rooms() {
        let name = source.room();
        assert!(
            lib.contains(&format!("\npub mod {name};\n")),
            "`{name}` is not declared"
        );
    }
}

#[test]
fn the_program_names_only_the_command_line() {
    let main = fs::read_to_string(root().join("src/main.rs")).expect("src/main.rs is readable");
    for path in paths(&main)
        .iter()
        .filter(|path| path.starts_with("tidegate::"))
    {
        assert!(path.starts_with("tidegate::cli"), "main.rs names `{path}`");
    }
}

#[test]
fn no_test_file_is_forgotten() {
    for lane in ["fast", "real"] {
        let folder = root().join("tests").join(lane);
        let main = fs::read_to_string(folder.join("main.rs")).expect("a lane has a main.rs");
        assert_eq!(forgotten(&main, &sources(&folder)), Vec::<String>::new());
    }
}

mod walls_can_fall {
    use super::*;

    fn source(path: &str, text: &str) -> Source {
        Source {
            path: PathBuf::from(path),
            text: text.to_owned(),
        }
    }

    #[test]
    fn grouped_imports_are_opened() {
        let code = "use crate::{plan::{Change, Stage}, rollout}; fn x() { a::b(c) }";
        let expected = [
            "use",
            "crate::plan::Change",
            "crate::plan::Stage",
            "crate::rollout",
        ];
        assert_eq!(paths(code)[..4], expected);
        assert!(paths(code).contains(&"a::b".to_owned()));
    }

    #[test]
    fn a_door_upwards_sideways_or_unseen_is_a_breach() {
        for text in [
            "use crate::cluster::Client;",
            "use crate::{object::Object, sync};",
            "fn x() { crate::git::fetch() }",
            "use super::super::git;",
        ] {
            assert_eq!(doors(&source("health/pod.rs", text)).len(), 1, "{text}");
        }
        assert_eq!(doors(&source("health/mod.rs", "use super::git;")).len(), 1);
        assert_eq!(
            doors(&source("trigger/poll.rs", "use crate::git::Mirror;")).len(),
            1
        );
        assert_eq!(doors(&source("clock.rs", "use super::git;")).len(), 1);
        let fine = "use super::Pod; use crate::{health::Health, object::{Object, ObjectId}};\n\
                    // crate::git\n#[cfg(test)]\nmod tests { use crate::git; }";
        assert_eq!(doors(&source("health/pod.rs", fine)), Vec::<String>::new());
        assert!(doors(&source("rollout/lever/pod.rs", "use super::super::Lever;")).is_empty());
    }

    #[test]
    fn a_word_from_outside_in_a_pure_room_is_a_breach() {
        for text in [
            "async fn x() {}",
            "fn x() { y().await }",
            "use std::{fmt, fs};",
            "use tokio::time;",
            "fn x() { std::env::var(\"A\") }",
            "use kube::Client;",
            "fn x() { println!() }",
            "use std::time::{Duration, SystemTime};",
            "fn x() { jiff::Timestamp::now() }",
            "tracing::info!()",
        ] {
            assert!(
                !impurities(&source("plan/mod.rs", text)).is_empty(),
                "{text}"
            );
        }
        let fine = "use std::{fmt, time::Duration}; use jiff::Timestamp; // tokio::spawn\n\
                    fn x(now: Timestamp, notify: bool) {}";
        assert_eq!(
            impurities(&source("plan/mod.rs", fine)),
            Vec::<String>::new()
        );
    }

    #[test]
    fn a_crate_away_from_its_home_is_a_breach() {
        assert_eq!(
            strays(&source("sync/pass.rs", "use git2::Repository;")).len(),
            1
        );
        assert_eq!(
            strays(&source("cli/run.rs", "use kube::{Api, Client};")).len(),
            1
        );
        assert_eq!(
            strays(&source("git/auth.rs", "fn x() { std::env::var(\"A\") }")).len(),
            1
        );
        assert!(
            strays(&source(
                "git/auth.rs",
                "use git2::Cred; std::env::current_exe()"
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_name_that_says_nothing_is_a_breach() {
        for (path, text) in [
            ("plan/utils.rs", ""),
            ("common/mod.rs", ""),
            ("git/string_util.rs", ""),
            ("git/mod.rs", "pub struct MirrorManager;"),
        ] {
            assert_eq!(vague_names(&source(path, text)).len(), 1, "{path}");
        }
        assert!(vague_names(&source("git/mirror.rs", "pub struct Mirror;")).is_empty());
    }

    #[test]
    fn a_missing_header_is_a_breach() {
        assert_eq!(silent_header(&source("plan/stage.rs", "use x;")).len(), 1);
        assert_eq!(
            silent_header(&source("plan/mod.rs", "//! Plans.\n")).len(),
            1
        );
        assert_eq!(
            silent_header(&source("clock.rs", "//! Tells time.\n")).len(),
            1
        );
        assert!(
            silent_header(&source(
                "plan/mod.rs",
                "//! Plans.\n//!\n//! Never: writes."
            ))
            .is_empty()
        );
    }

    #[test]
    fn a_long_file_or_product_behind_the_tests_is_a_breach() {
        let tests = "#[cfg(test)]\nmod tests {\n    use x;\n}\n";
        assert_eq!(shape(&source("a.rs", &"x\n".repeat(401))).len(), 1);
        assert_eq!(
            shape(&source("a.rs", &format!("{tests}fn hidden() {{}}\n"))).len(),
            1
        );
        assert_eq!(
            shape(&source("a.rs", "#[cfg(test)]\nuse x;\nfn hidden() {}\n")).len(),
            1
        );
        assert_eq!(
            shape(&source("a.rs", &format!("{}{tests}", "x\n".repeat(400)))).len(),
            0
        );
    }

    #[test]
    fn disorder_in_the_library_is_a_breach() {
        for lib in [
            "// floor 5: edges\npub mod git;\n// floor 0: words\npub mod object;\n",
            "// floor 0: words\npub mod policy;\n",
            "// floor 0: words\npub mod utils;\n",
            "// floor 0: words\npub mod object;\npub use object::Object;\n",
        ] {
            assert_eq!(disorder(lib).len(), 1, "{lib}");
        }
        assert!(
            disorder("//! x\n\n// floor 0: words\npub mod object;\npub mod revision;\n").is_empty()
        );
    }

    #[test]
    fn a_forgotten_test_file_is_a_breach() {
        let files = [
            source("main.rs", ""),
            source("crash.rs", ""),
            source("drift.rs", ""),
        ];
        assert_eq!(forgotten("//! Lane.\nmod crash;\n", &files).len(), 1);
    }
}
