//! What the DaemonSet controller does with its pods in one sync: `podsShouldBeOnNode` and
//! `rollingUpdate` in `pkg/controller/daemon` of Kubernetes 1.36.2.

/// How pods of another template are replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Update {
    /// `OnDelete`: pods are replaced when someone deletes them.
    OnDelete,
    /// `RollingUpdate` with so many pods, resolved for the nodes that should run one.
    Rolling {
        /// `maxSurge`.
        surge: usize,
        /// `maxUnavailable`.
        unavailable: usize,
    },
}

/// How a pod is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// It is not Ready.
    Unready,
    /// It is Ready, and was for less than minReadySeconds.
    Ready,
    /// It is available.
    Available,
    /// It has failed or succeeded.
    Ended,
}

/// One pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Member<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether it was made from the current template.
    pub is_new: bool,
    /// How it is.
    pub state: State,
    /// It is being deleted.
    pub is_terminating: bool,
    /// When it was made, in seconds.
    pub created: i64,
}

/// One node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node<'a> {
    /// Its name.
    pub name: &'a str,
    /// Whether a pod should start on it.
    pub should_run: bool,
    /// Whether a pod that runs on it may stay.
    pub may_stay: bool,
    /// The pods of the DaemonSet on it.
    pub pods: Vec<Member<'a>>,
}

/// One write of the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change<'a> {
    /// A pod of the current template is made for this node.
    Create(&'a str),
    /// This pod is deleted.
    Delete(&'a str),
}

/// Decides what one sync writes. As the controller waits until it sees what it has written, an
/// update goes on only where nothing has to be set right first.
#[must_use]
pub fn sync<'a>(update: Update, nodes: &[Node<'a>]) -> Vec<Change<'a>> {
    let surges = matches!(update, Update::Rolling { surge: 1.., .. });
    let righted: Vec<Change<'a>> = nodes.iter().flat_map(|node| right(node, surges)).collect();
    match update {
        _ if !righted.is_empty() => righted,
        Update::OnDelete => Vec::new(),
        Update::Rolling {
            surge: 0,
            unavailable,
        } => replace(nodes, unavailable),
        Update::Rolling { surge, .. } => surge_ahead(nodes, surge),
    }
}

/// What is wrong on a node: no pod, too many, or one that ended.
fn right<'a>(node: &Node<'a>, surges: bool) -> Vec<Change<'a>> {
    if node.should_run && node.pods.is_empty() {
        return vec![Change::Create(node.name)];
    }
    let mut present: Vec<Member<'a>> = node.pods.clone();
    present.retain(|pod| !pod.is_terminating);
    if !node.may_stay {
        return present.iter().map(|pod| Change::Delete(pod.name)).collect();
    }
    let (ended, mut running): (Vec<Member<'a>>, Vec<Member<'a>>) =
        present.iter().partition(|pod| pod.state == State::Ended);
    let mut changes: Vec<Change<'a>> = ended.iter().map(|pod| Change::Delete(pod.name)).collect();
    running.sort_by_key(|pod| (pod.created, pod.name));
    if !surges {
        let excess = running.iter().skip(1);
        changes.extend(excess.map(|pod| Change::Delete(pod.name)));
    } else if running.is_empty() && node.should_run {
        changes.push(Change::Create(node.name));
    } else {
        changes.extend(beyond_a_pair(&running).into_iter().map(Change::Delete));
    }
    changes
}

/// Pods beyond one new and one old one, and the old one where it is not needed any more.
fn beyond_a_pair<'a>(running: &[Member<'a>]) -> Vec<&'a str> {
    let mut oldest: [Option<Member<'a>>; 2] = [None, None];
    let mut beyond = Vec::new();
    for pod in running {
        match &mut oldest[usize::from(pod.is_new)] {
            Some(_) => beyond.push(pod.name),
            place => *place = Some(*pod),
        }
    }
    if let [Some(old), Some(new)] = oldest
        && (old.state == State::Unready || new.state == State::Available)
    {
        beyond.push(old.name);
    }
    beyond
}

/// The pods of a node that count in an update.
enum Pair<'a> {
    /// Not exactly one of a template: none, or too many.
    Unsettled,
    /// Only a new one.
    New(Member<'a>),
    /// Only an old one.
    Old(Member<'a>),
    /// One of each.
    Both(Member<'a>, Member<'a>),
}

/// `findUpdatedPodsOnNode`.
fn pair<'a>(node: &Node<'a>) -> Pair<'a> {
    let present = node.pods.iter().filter(|pod| !pod.is_terminating);
    let (new, old): (Vec<Member<'a>>, Vec<Member<'a>>) = present.partition(|pod| pod.is_new);
    match (new.as_slice(), old.as_slice()) {
        ([new], []) => Pair::New(*new),
        ([], [old]) => Pair::Old(*old),
        ([new], [old]) => Pair::Both(*new, *old),
        _ => Pair::Unsettled,
    }
}

/// Deletes old pods within what may be unavailable; those that are unavailable already always go.
fn replace<'a>(nodes: &[Node<'a>], unavailable: usize) -> Vec<Change<'a>> {
    let counted = nodes
        .iter()
        .filter(|node| node.should_run || !node.pods.is_empty());
    let mut missing = 0;
    let mut broken = Vec::new();
    let mut candidates = Vec::new();
    for node in counted {
        match pair(node) {
            Pair::Unsettled | Pair::Both(..) => missing += 1,
            Pair::New(new) => missing += usize::from(new.state != State::Available),
            Pair::Old(old) if old.state != State::Available => {
                broken.push(old.name);
                missing += 1;
            }
            Pair::Old(old) => candidates.push(old.name),
        }
    }
    candidates.truncate(unavailable.saturating_sub(missing));
    let all = broken.into_iter().chain(candidates);
    all.map(Change::Delete).collect()
}

/// Creates new pods beside old ones within the surge, and beside every old one that is unavailable;
/// an old one goes when the new one is available.
fn surge_ahead<'a>(nodes: &[Node<'a>], surge: usize) -> Vec<Change<'a>> {
    let mut surged = 0;
    let mut changes = Vec::new();
    let mut candidates = Vec::new();
    let mut retired = Vec::new();
    let mut available = 0;
    let wanted = nodes.iter().filter(|node| node.should_run).count();
    for node in nodes {
        let pair = pair(node);
        available += usize::from(match &pair {
            Pair::Unsettled => false,
            Pair::New(pod) | Pair::Old(pod) | Pair::Both(_, pod) => pod.state == State::Available,
        });
        match pair {
            Pair::Unsettled if node.pods.iter().any(|pod| !pod.is_terminating) => surged += 1,
            Pair::Unsettled | Pair::New(_) => {}
            Pair::Old(old) if !node.should_run && old.state == State::Available => {
                retired.push(old.name);
            }
            Pair::Old(old) if !node.should_run => changes.push(Change::Delete(old.name)),
            Pair::Old(old) if old.state != State::Available => {
                changes.push(Change::Create(node.name));
            }
            Pair::Old(_) => candidates.push(node.name),
            Pair::Both(new, old) if new.state == State::Available => {
                changes.push(Change::Delete(old.name));
            }
            Pair::Both(..) => surged += 1,
        }
    }
    retired.truncate(available.saturating_sub(wanted));
    candidates.truncate(surge.saturating_sub(surged));
    changes.extend(retired.into_iter().map(Change::Delete));
    changes.extend(candidates.into_iter().map(Change::Create));
    changes
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROLLING: Update = Update::Rolling {
        surge: 0,
        unavailable: 2,
    };
    const SURGING: Update = Update::Rolling {
        surge: 1,
        unavailable: 0,
    };

    fn pod(name: &str, is_new: bool, state: State) -> Member<'_> {
        Member {
            name,
            is_new,
            state,
            is_terminating: false,
            created: 0,
        }
    }

    fn old(name: &str) -> Member<'_> {
        pod(name, false, State::Available)
    }

    fn new(name: &str) -> Member<'_> {
        pod(name, true, State::Available)
    }

    fn node<'a>(name: &'a str, pods: &[Member<'a>]) -> Node<'a> {
        Node {
            name,
            should_run: true,
            may_stay: true,
            pods: pods.to_vec(),
        }
    }

    #[test]
    fn a_node_without_a_pod_gets_one_before_any_update() {
        let nodes = [node("n0", &[old("p0")]), node("n1", &[])];
        assert_eq!(sync(ROLLING, &nodes), [Change::Create("n1")]);
    }

    #[test]
    fn a_pod_that_is_going_keeps_its_node_unless_it_surges() {
        let going = Member {
            is_terminating: true,
            ..old("p0")
        };
        assert_eq!(sync(ROLLING, &[node("n0", &[going])]), []);
        let surged = sync(SURGING, &[node("n0", &[going])]);
        assert_eq!(surged, [Change::Create("n0")]);
    }

    #[test]
    fn an_update_takes_as_many_old_pods_as_may_be_unavailable() {
        let nodes = [
            node("n0", &[old("p0")]),
            node("n1", &[old("p1")]),
            node("n2", &[old("p2")]),
        ];
        let two = [Change::Delete("p0"), Change::Delete("p1")];
        assert_eq!(sync(ROLLING, &nodes), two);
        assert_eq!(sync(Update::OnDelete, &nodes), []);
    }

    #[test]
    fn old_pods_that_are_unavailable_go_whatever_the_limit_and_count_against_it() {
        let broken = |name| pod(name, false, State::Ready);
        let nodes = [
            node("n0", &[broken("p0")]),
            node("n1", &[broken("p1")]),
            node("n2", &[broken("p2")]),
            node("n3", &[old("p3")]),
        ];
        let all_broken = ["p0", "p1", "p2"].map(Change::Delete);
        assert_eq!(sync(ROLLING, &nodes), all_broken);
        let waiting = [
            node("n0", &[pod("p0", true, State::Unready)]),
            node("n1", &[pod("p1", true, State::Unready)]),
            node("n2", &[old("p2")]),
        ];
        assert_eq!(sync(ROLLING, &waiting), []);
    }

    #[test]
    fn a_surge_makes_new_pods_first_and_takes_the_old_ones_when_they_are_available() {
        let start = [node("n0", &[old("p0")]), node("n1", &[old("p1")])];
        assert_eq!(sync(SURGING, &start), [Change::Create("n0")]);
        let coming = pod("q0", true, State::Unready);
        let waiting = [node("n0", &[old("p0"), coming]), node("n1", &[old("p1")])];
        assert_eq!(sync(SURGING, &waiting), []);
        let come = [
            node("n0", &[old("p0"), new("q0")]),
            node("n1", &[old("p1")]),
        ];
        assert_eq!(sync(SURGING, &come), [Change::Delete("p0")]);
    }

    #[test]
    fn pods_that_ended_or_are_too_many_or_must_not_stay_are_deleted() {
        let ended = pod("p0", true, State::Ended);
        let younger = Member {
            created: 9,
            ..new("p1")
        };
        let leaving = Node {
            should_run: false,
            may_stay: false,
            ..node("n2", &[new("p3")])
        };
        let nodes = [
            node("n0", &[ended]),
            node("n1", &[younger, new("p2")]),
            leaving,
        ];
        let all = ["p0", "p1", "p3"].map(Change::Delete);
        assert_eq!(sync(ROLLING, &nodes), all);
    }
}
