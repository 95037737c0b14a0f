//! What is deleted, last of all, and what stays.

use serde_json::Value;

use crate::object::{Digest, ObjectId};

use super::{Entry, Inventory, Set, State};

/// Kinds that are never deleted: what hangs on them cannot be brought back.
const PROTECTED: [(&str, &str); 4] = [
    ("", "Namespace"),
    ("apiextensions.k8s.io", "CustomResourceDefinition"),
    ("", "PersistentVolume"),
    ("", "PersistentVolumeClaim"),
];

/// How much may be deleted without a person.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// That many objects.
    pub max_objects: u32,
    /// Or that percent of the inventory, if it is more.
    pub max_percent: u32,
}

/// What a commit deletes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prune {
    /// Objects to delete, in this order.
    pub deletes: Vec<ObjectId>,
    /// Objects that stay although the commit does not have them, and why.
    pub kept: Vec<(ObjectId, &'static str)>,
    /// Digest of the set of deletes: an approval is bound to it.
    pub digest: Digest,
    /// Why a person has to approve; `None` where it is within the budget.
    pub over_budget: Option<String>,
}

/// Compares the inventory with what is wanted. `is_protected` tells further kinds.
#[must_use]
pub fn prune(
    inventory: &Inventory,
    set: &Set,
    budget: Budget,
    is_protected: &dyn Fn(&ObjectId) -> bool,
) -> Prune {
    let mut deletes = Vec::new();
    let mut kept = Vec::new();
    for (id, entry) in inventory.iter().filter(|(id, _)| !set.contains_key(*id)) {
        match reason_to_keep(id, entry, is_protected) {
            Some(why) => kept.push((id.clone(), why)),
            None => deletes.push(id.clone()),
        }
    }
    deletes.sort_by_key(|id| std::cmp::Reverse((crate::manifest::stage(id), id.clone())));
    let keys = deletes.iter().map(|id| Value::String(id.key())).collect();
    let over_budget = over_budget(deletes.len(), inventory, budget);
    Prune {
        digest: Digest::of(&Value::Array(keys)),
        deletes,
        kept,
        over_budget,
    }
}

fn reason_to_keep(
    id: &ObjectId,
    entry: &Entry,
    is_protected: &dyn Fn(&ObjectId) -> bool,
) -> Option<&'static str> {
    if PROTECTED.contains(&(id.group.as_str(), id.kind.as_str())) || is_protected(id) {
        Some("its kind is protected")
    } else if entry.is_kept {
        Some("it is marked tidegate.dev/prune: Disabled")
    } else if entry.is_adopted {
        Some("it was there before and no commit has changed it since")
    } else {
        None
    }
}

fn over_budget(deletes: usize, inventory: &Inventory, budget: Budget) -> Option<String> {
    let written = inventory
        .values()
        .filter(|entry| entry.state != State::Intended)
        .count();
    let share = written * budget.max_percent as usize / 100;
    let allowed = share.max(budget.max_objects as usize);
    if deletes == 0 || (deletes <= allowed && deletes < written) {
        return None;
    }
    Some(format!(
        "{deletes} of {written} objects would be deleted; without a person at most {allowed} may be, \
         and never all"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(ids: &[&str]) -> Inventory {
        let commit = "a".repeat(40).parse().unwrap();
        ids.iter()
            .map(|id| {
                let mut entry = Entry::intended("v1", &commit, "x.yaml");
                entry.state = State::Applied;
                (id.parse().unwrap(), entry)
            })
            .collect()
    }

    const BUDGET: Budget = Budget {
        max_objects: 3,
        max_percent: 20,
    };

    fn pruned(inventory: &Inventory) -> Prune {
        prune(inventory, &Set::new(), BUDGET, &|_| false)
    }

    #[test]
    fn protected_adopted_and_marked_objects_stay() {
        let mut inventory = inventory(&[
            "/Namespace//shop",
            "/ConfigMap/shop/adopted",
            "/ConfigMap/shop/marked",
            "/ConfigMap/shop/gone",
        ]);
        inventory
            .get_mut(&"/ConfigMap/shop/adopted".parse().unwrap())
            .unwrap()
            .is_adopted = true;
        inventory
            .get_mut(&"/ConfigMap/shop/marked".parse().unwrap())
            .unwrap()
            .is_kept = true;
        let prune = pruned(&inventory);
        assert_eq!(prune.deletes, ["/ConfigMap/shop/gone".parse().unwrap()]);
        assert_eq!(prune.kept.len(), 3);
        assert_eq!(prune.over_budget, None);
    }

    #[test]
    fn more_than_the_budget_or_everything_waits_for_a_person() {
        let ids: Vec<String> = (0..3).map(|n| format!("/ConfigMap/shop/c{n}")).collect();
        let all: Vec<&str> = ids.iter().map(String::as_str).collect();
        assert!(pruned(&inventory(&all)).over_budget.is_some(), "never all");
        let ids: Vec<String> = (0..20).map(|n| format!("/ConfigMap/shop/c{n}")).collect();
        let mut many = inventory(&ids.iter().map(String::as_str).collect::<Vec<_>>());
        for (index, entry) in many.values_mut().enumerate() {
            entry.is_kept = index >= 4;
        }
        assert_eq!(pruned(&many).over_budget, None, "20 % of 20 is 4");
        many.values_mut().nth(10).unwrap().is_kept = false;
        assert!(pruned(&many).over_budget.is_some(), "five are over");
    }

    #[test]
    fn deletes_go_in_reverse_order_of_stages() {
        let inventory = inventory(&[
            "/ConfigMap/shop/a",
            "apps/Deployment/shop/web",
            "/Service/shop/s",
            "/Secret/shop/x",
            "/ConfigMap/shop/b",
        ]);
        let deletes = pruned(&inventory).deletes;
        assert_eq!(deletes[0].kind, "Deployment");
    }
}
