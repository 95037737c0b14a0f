//! Faults on request: what a test makes the API server do wrong.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// All objects of a kind.
    List,
    /// All changes of a kind.
    Watch,
    /// A new object, or a review.
    Create,
    /// A new state of an object.
    Update,
    /// A change of an object; server-side apply too.
    Patch,
    /// The end of an object.
    Delete,
    /// The end of many.
    DeleteCollection,
}

impl Verb {
    /// Says whether it changes something.
    #[must_use]
    pub const fn writes(self) -> bool {
        match self {
            Self::Get | Self::List | Self::Watch => false,
            Self::Create | Self::Update | Self::Patch | Self::Delete | Self::DeleteCollection => {
                true
            }
        }
    }
}

/// One request, as far as faults choose by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// What it asks for.
    pub verb: Verb,
    /// The resource and sub-resource, as `deployments` or `pods/status`.
    pub resource: String,
    /// The namespace; empty for none or all.
    pub namespace: String,
    /// The object; empty for a list or a name to be made.
    pub name: String,
    /// The field manager, else the first word of `User-Agent`.
    pub manager: String,
    /// Whether it is only tried.
    pub is_dry_run: bool,
}

/// What goes wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is answered later, by the clock of the machine.
    Delay(Duration),
    /// It fails with this status and has no effect.
    ErrorBefore(u16),
    /// It has its effect and fails with this status.
    ErrorAfter(u16),
    /// The connection breaks and it has no effect.
    ResetBefore,
    /// It has its effect and the connection breaks: the answer is lost.
    ResetAfter,
    /// 409 without effect, as if another writer had been faster.
    Conflict,
    /// 429 without effect, with these seconds in `Retry-After`.
    TooManyRequests(u32),
    /// 410: a watch or a list that goes on is too old.
    Expired,
    /// A read shows the state that many changes ago.
    Stale(u64),
}

/// Which requests a fault befalls. What is `None` fits all.
#[derive(Clone, Debug)]
pub struct Rule {
    /// The verb.
    pub verb: Option<Verb>,
    /// The resource and sub-resource, as `deployments` or `pods/status`.
    pub resource: Option<String>,
    /// The object.
    pub name: Option<String>,
    /// The field manager.
    pub manager: Option<String>,
    /// How many fitting requests go well before.
    pub after: u32,
    /// How many it befalls then; `None` for all.
    pub times: Option<u32>,
    /// What goes wrong.
    pub fault: Fault,
}

impl Rule {
    /// Returns the rule that befalls every request.
    #[must_use]
    pub const fn always(fault: Fault) -> Self {
        Self {
            verb: None,
            resource: None,
            name: None,
            manager: None,
            after: 0,
            times: None,
            fault,
        }
    }

    /// Returns the rule that befalls the next `times` requests with that verb for that resource.
    #[must_use]
    pub fn next(times: u32, verb: Verb, resource: &str, fault: Fault) -> Self {
        Self {
            verb: Some(verb),
            resource: Some(resource.to_owned()),
            times: Some(times),
            ..Self::always(fault)
        }
    }

    fn fits(&self, request: &Request) -> bool {
        let fits = |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|w| w == is);
        self.verb.is_none_or(|verb| verb == request.verb)
            && fits(&self.resource, &request.resource)
            && fits(&self.name, &request.name)
            && fits(&self.manager, &request.manager)
    }

    /// Counts a fitting request and says whether the fault befalls it.
    fn strike(&mut self) -> bool {
        if self.after > 0 {
            self.after -= 1;
            return false;
        }
        match &mut self.times {
            None => true,
            Some(0) => false,
            Some(times) => {
                *times -= 1;
                true
            }
        }
    }
}

/// What a test decides about one write.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It goes its way.
    Done,
    /// It has no effect and the connection breaks.
    LostBefore,
    /// It has its effect and the connection breaks.
    LostAfter,
}

/// Requests of one sort: the verb, the resource and sub-resource, whether it was only tried.
pub type Sort = (Verb, String, bool);

/// Is asked about every write that is not a dry run: which write it is, from 1, and what it is.
type Arbiter = Box<dyn FnMut(u64, &Request) -> Fate + Send>;

/// The faults of one API server. Cheap to clone; clones share them.
#[derive(Clone, Default)]
pub struct Faults(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    rules: Vec<Rule>,
    calls: BTreeMap<Sort, u64>,
    writes: u64,
    arbiter: Option<Arbiter>,
}

impl Faults {
    /// Adds a rule. Of several that fit, all befall a request.
    pub fn add(&self, rule: Rule) {
        self.state().rules.push(rule);
    }

    /// Drops all rules and the arbiter.
    pub fn clear(&self) {
        let mut state = self.state();
        state.rules.clear();
        state.arbiter = None;
    }

    /// Asks `arbiter` about every write from now on, counted from 1 again.
    pub fn on_write(&self, arbiter: impl FnMut(u64, &Request) -> Fate + Send + 'static) {
        let mut state = self.state();
        state.writes = 0;
        state.arbiter = Some(Box::new(arbiter));
    }

    /// Returns how many writes there were, dry runs apart.
    #[must_use]
    pub fn writes(&self) -> u64 {
        self.state().writes
    }

    /// Returns how many requests of each sort there were since the beginning.
    #[must_use]
    pub fn calls(&self) -> BTreeMap<Sort, u64> {
        self.state().calls.clone()
    }

    /// Returns what befalls a request.
    pub(super) fn befall(&self, request: &Request) -> Vec<Fault> {
        let mut state = self.state();
        let sort = (request.verb, request.resource.clone(), request.is_dry_run);
        *state.calls.entry(sort).or_default() += 1;
        let mut faults: Vec<Fault> = state
            .rules
            .iter_mut()
            .filter(|rule| rule.fits(request))
            .filter_map(|rule| rule.strike().then(|| rule.fault.clone()))
            .collect();
        if request.verb.writes() && !request.is_dry_run {
            state.writes += 1;
            let number = state.writes;
            let fate = state.arbiter.as_mut().map(|ask| ask(number, request));
            match fate {
                None | Some(Fate::Done) => {}
                Some(Fate::LostBefore) => faults.push(Fault::ResetBefore),
                Some(Fate::LostAfter) => faults.push(Fault::ResetAfter),
            }
        }
        faults
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(verb: Verb, resource: &str) -> Request {
        Request {
            verb,
            resource: resource.to_owned(),
            namespace: "shop".to_owned(),
            name: "web".to_owned(),
            manager: "tidegate".to_owned(),
            is_dry_run: false,
        }
    }

    #[test]
    fn a_rule_strikes_the_requests_that_it_names() {
        let faults = Faults::default();
        let rule = Rule::next(1, Verb::Patch, "deployments", Fault::Conflict);
        faults.add(Rule { after: 1, ..rule });
        let patch = request(Verb::Patch, "deployments");
        assert_eq!(faults.befall(&request(Verb::Get, "deployments")), []);
        assert_eq!(faults.befall(&patch), []);
        assert_eq!(faults.befall(&patch), [Fault::Conflict]);
        assert_eq!(faults.befall(&patch), []);
    }

    #[test]
    fn the_arbiter_decides_about_the_kth_write() {
        let faults = Faults::default();
        faults.on_write(|number, _| match number {
            2 => Fate::LostAfter,
            _ => Fate::Done,
        });
        let write = request(Verb::Create, "configmaps");
        let tried = Request {
            is_dry_run: true,
            ..write.clone()
        };
        assert_eq!(faults.befall(&write), []);
        assert_eq!(faults.befall(&tried), []);
        assert_eq!(faults.befall(&request(Verb::List, "pods")), []);
        assert_eq!(faults.befall(&write), [Fault::ResetAfter]);
        assert_eq!(faults.writes(), 2);
        let maps = |is_tried| (Verb::Create, "configmaps".to_owned(), is_tried);
        let pods = (Verb::List, "pods".to_owned(), false);
        let calls = BTreeMap::from([(pods, 1), (maps(false), 2), (maps(true), 1)]);
        assert_eq!(faults.calls(), calls);
    }
}
