//! `metadata.managedFields`: who claims which fields.

use serde_json::{Value, json};

use super::compare::compare;
use super::set::Fields;
use crate::sim::schema::Schema;

/// The most entries of updates that an object keeps (`internal/capmanagers.go`).
const MOST_UPDATES: usize = 10;

/// Metadata that nobody owns (`internal/stripmeta.go`); the same for all kinds.
const OWNERLESS: &[&[&str]] = &[
    &["apiVersion"],
    &["kind"],
    &["metadata", "name"],
    &["metadata", "namespace"],
    &["metadata", "creationTimestamp"],
    &["metadata", "selfLink"],
    &["metadata", "uid"],
    &["metadata", "clusterName"],
    &["metadata", "generation"],
    &["metadata", "managedFields"],
    &["metadata", "resourceVersion"],
];

/// How fields came to be claimed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Operation {
    /// By server-side apply.
    Apply,
    /// By any other write.
    Update,
}

impl Operation {
    const fn word(self) -> &'static str {
        match self {
            Self::Apply => "Apply",
            Self::Update => "Update",
        }
    }
}

/// One entry: the fields that one manager claims in one way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim {
    /// The field manager.
    pub manager: String,
    /// How it claims.
    pub operation: Operation,
    /// The sub-resource that it wrote through; empty for the object itself.
    pub subresource: String,
    /// The version of the API that it wrote in.
    pub api_version: String,
    /// When it last changed something, as RFC 3339; empty where it only came to own something.
    pub time: String,
    /// What it claims.
    pub fields: Fields,
}

impl Claim {
    /// Says whether another write belongs to the same entry.
    #[must_use]
    pub fn is_of(&self, other: &Self) -> bool {
        // Appliers are one entry whatever version they apply in.
        self.manager == other.manager
            && self.operation == other.operation
            && self.subresource == other.subresource
            && (self.operation == Operation::Apply || self.api_version == other.api_version)
    }

    /// Returns the manager as conflicts name it (`internal/conflict.go`).
    #[must_use]
    pub fn printed(&self) -> String {
        let mut text = format!("{:?}", self.manager);
        if !self.subresource.is_empty() {
            text += &format!(" with subresource {:?}", self.subresource);
        }
        match self.operation {
            Operation::Apply => text,
            Operation::Update => format!("{text} using {}", self.api_version),
        }
    }
}

/// All entries of one object.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims(Vec<Claim>);

impl Claims {
    /// Reads the entries of an object.
    #[must_use]
    pub fn of(object: &Value) -> Self {
        let entries = object.pointer("/metadata/managedFields");
        let read = |entry: &Value| {
            let text = |key: &str| entry.get(key)?.as_str();
            let operation = match text("operation")? {
                "Apply" => Operation::Apply,
                _ => Operation::Update,
            };
            Some(Claim {
                manager: text("manager")?.to_owned(),
                operation,
                subresource: text("subresource").unwrap_or_default().to_owned(),
                api_version: text("apiVersion").unwrap_or_default().to_owned(),
                time: text("time").unwrap_or_default().to_owned(),
                fields: Fields::decode(entry.get("fieldsV1")?),
            })
        };
        let entries = entries.and_then(Value::as_array).into_iter().flatten();
        Self(entries.filter_map(read).collect())
    }

    /// Says whether nobody claims anything.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Returns the entries.
    #[must_use]
    pub fn all(&self) -> &[Claim] {
        &self.0
    }

    /// Returns the entry that `claim` belongs to.
    #[must_use]
    pub fn find(&self, claim: &Claim) -> Option<&Claim> {
        self.0.iter().find(|entry| entry.is_of(claim))
    }

    /// Takes away what `lost` has from all entries but that of `except`.
    pub fn lose(&mut self, lost: &Fields, except: Option<&Claim>) {
        for entry in &mut self.0 {
            if except.is_none_or(|except| !entry.is_of(except)) {
                entry.fields = entry.fields.difference(lost);
            }
        }
        self.0.retain(|entry| !entry.fields.is_empty());
    }

    /// Puts an entry in the place of the one that it belongs to; an empty one goes.
    pub fn put(&mut self, claim: Claim) {
        self.0.retain(|entry| !entry.is_of(&claim));
        if !claim.fields.is_empty() {
            self.0.push(claim);
        }
    }

    /// Records what an update changed: it takes those fields from everybody else, and drops from
    /// all what is gone.
    pub fn record(&mut self, mut claim: Claim, schema: &Schema, was: &Value, now: &Value) {
        let comparison = compare(schema, was, now);
        let mut written = comparison.written();
        strip(&mut written);
        // What the actor itself claims by updates stays its own; only others lose it.
        let mut lost = written.clone();
        lost = lost.union(&comparison.removed);
        let own = self.find(&claim).map(|entry| entry.fields.clone());
        self.lose(&lost, None);
        if written.is_empty() {
            return;
        }
        if let Some(own) = own {
            written = written.union(&own.difference(&comparison.removed));
        }
        claim.fields = written;
        self.put(claim);
        self.cap();
    }

    /// Gives what a manager applied the times that it had before, none where it is new.
    pub fn keep_times(&mut self, was: &Self, manager: &str) {
        let own = self
            .0
            .iter_mut()
            .filter(|entry| entry.manager == manager && entry.operation == Operation::Apply);
        for entry in own {
            let before = was.find(entry).map(|before| before.time.clone());
            entry.time = before.unwrap_or_default();
        }
    }

    /// Folds the oldest updates into one where there are too many.
    fn cap(&mut self) {
        let is_update = |entry: &Claim| entry.operation == Operation::Update;
        let mut updates: Vec<Claim> = self.0.iter().filter(|e| is_update(e)).cloned().collect();
        if updates.len() <= MOST_UPDATES {
            return;
        }
        updates.sort_by(|one, other| one.time.cmp(&other.time));
        let surplus = updates.len() - MOST_UPDATES + 1;
        let mut bucket = updates[surplus - 1].clone();
        "ancient-changes".clone_into(&mut bucket.manager);
        for old in &updates[..surplus] {
            bucket.fields = bucket.fields.union(&old.fields);
            self.0.retain(|entry| entry != old);
        }
        self.0.push(bucket);
    }

    /// Writes the entries into an object; none leaves no key.
    pub fn write(&self, object: &mut Value) {
        let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
            return;
        };
        if self.0.is_empty() {
            metadata.remove("managedFields");
            return;
        }
        let mut claims: Vec<&Claim> = self.0.iter().collect();
        // Applies first, then by time and manager (`internal/managedfields.go`).
        claims.sort_by(|one, other| {
            (
                one.operation,
                &one.time,
                &one.manager,
                &one.api_version,
                &one.subresource,
            )
                .cmp(&(
                    other.operation,
                    &other.time,
                    &other.manager,
                    &other.api_version,
                    &other.subresource,
                ))
        });
        metadata.insert(
            "managedFields".to_owned(),
            claims.into_iter().map(encode).collect(),
        );
    }
}

fn encode(claim: &Claim) -> Value {
    let mut entry = json!({
        "manager": claim.manager,
        "operation": claim.operation.word(),
        "apiVersion": claim.api_version,
        "fieldsType": "FieldsV1",
        "fieldsV1": claim.fields.encode(),
    });
    if !claim.time.is_empty() {
        entry["time"] = json!(claim.time);
    }
    if !claim.subresource.is_empty() {
        entry["subresource"] = json!(claim.subresource);
    }
    entry
}

/// Takes away what nobody owns.
pub(super) fn strip(fields: &mut Fields) {
    let mut ownerless = Fields::default();
    ownerless.insert_at(&["metadata"]);
    for path in OWNERLESS {
        ownerless.insert_at(path);
        fields.cut(path);
    }
    *fields = fields.difference(&ownerless);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(manager: &str, second: u32) -> Claim {
        Claim {
            manager: manager.to_owned(),
            operation: Operation::Update,
            subresource: String::new(),
            api_version: "v1".to_owned(),
            time: format!("2026-01-01T00:00:{second:02}Z"),
            fields: Fields::default(),
        }
    }

    fn schema() -> std::sync::Arc<Schema> {
        Schema::of_definition("io.k8s.api.core.v1.ConfigMap")
    }

    #[test]
    fn an_update_takes_the_fields_that_it_changes() {
        let mut claims = Claims::default();
        let first = json!({"metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}});
        claims.record(claim("alice", 0), &schema(), &json!({}), &first);
        let second = json!({"metadata": {"name": "a"}, "data": {"x": "2", "y": "1"}});
        claims.record(claim("bob", 1), &schema(), &first, &second);
        let owned = |manager: &str| {
            let found = claims.find(&claim(manager, 0)).expect("an entry");
            found.fields.paths()
        };
        assert_eq!(owned("alice"), [".data", ".data.y"]);
        assert_eq!(owned("bob"), [".data.x"]);
    }

    #[test]
    fn what_is_gone_is_owned_by_nobody() {
        let mut claims = Claims::default();
        let first = json!({"data": {"x": "1", "y": "1"}});
        claims.record(claim("alice", 0), &schema(), &json!({}), &first);
        claims.record(
            claim("bob", 1),
            &schema(),
            &first,
            &json!({"data": {"x": "1"}}),
        );
        assert_eq!(claims.all().len(), 1);
        assert_eq!(claims.all()[0].fields.paths(), [".data", ".data.x"]);
    }

    #[test]
    fn the_eleventh_update_folds_the_oldest_two() {
        let mut claims = Claims::default();
        let mut was = json!({"data": {}});
        for second in 0..11 {
            let mut now = was.clone();
            now["data"][format!("key-{second}")] = json!("x");
            claims.record(claim(&format!("m{second}"), second), &schema(), &was, &now);
            was = now;
        }
        assert_eq!(claims.all().len(), 10);
        let old = claims.find(&claim("ancient-changes", 0)).expect("folded");
        assert_eq!(old.fields.paths(), [".data.key-0", ".data.key-1"]);
    }
}
