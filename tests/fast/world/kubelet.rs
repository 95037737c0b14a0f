//! Pods, and a stand-in for scheduler and kubelet.

use tidegate::health;

use super::{Mould, World, at};

/// How long a pod that is deleted stays.
const GRACE: i64 = 2;
const NEVER: i64 = i64::MAX;

/// What the pods of an image do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Behaviour {
    /// Ready after so many seconds.
    Good(i64),
    /// Never Ready.
    Never,
    /// Ends again and again.
    Crash,
    /// Ready and not, in turns of so many seconds.
    Flap(i64),
    /// The registry refuses the image.
    NoImage,
    /// No node takes it.
    NoRoom,
}

/// One pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) id: u32,
    pub(crate) mould: Mould,
    pub(crate) created: i64,
    pub(crate) scheduled: Option<i64>,
    pub(crate) unschedulable: Option<i64>,
    pub(crate) ready: Option<i64>,
    pub(crate) unready: i64,
    pub(crate) restarts: u32,
    pub(crate) waiting: Option<&'static str>,
    pub(crate) gone: bool,
    /// When its deletion ends.
    pub(crate) deleted: Option<i64>,
    /// When the kubelet looks at it again.
    pub(crate) next: i64,
}

impl Pod {
    pub(crate) fn new(id: u32, mould: Mould, now: i64) -> Self {
        Self {
            id,
            mould,
            created: now,
            scheduled: None,
            unschedulable: None,
            ready: None,
            unready: now,
            restarts: 0,
            waiting: None,
            gone: false,
            deleted: None,
            next: now,
        }
    }

    pub(crate) fn is_active(&self) -> bool {
        self.deleted.is_none() && !self.gone
    }

    /// Its deletion begins.
    pub(crate) fn end(&mut self, now: i64) {
        self.deleted = Some(now + GRACE);
        self.next = now + GRACE;
    }

    pub(crate) fn uid(&self) -> String {
        format!("u{}", self.id)
    }

    pub(crate) fn seen(&self) -> health::Pod {
        let waiting = self.waiting.map(|reason| {
            let message = "manifest unknown".to_owned();
            ("web".to_owned(), reason.to_owned(), message)
        });
        health::Pod {
            name: format!("web-{}", self.id),
            uid: self.uid(),
            created: at(self.created),
            is_terminating: self.deleted.is_some(),
            ready_since: self.ready.map(at),
            unready_since: self.ready.is_none().then(|| at(self.unready)),
            scheduled_since: self.scheduled.map(at),
            unschedulable: self
                .unschedulable
                .map(|since| (at(since), "0/3".to_owned())),
            restarts: self.restarts,
            waiting: waiting.into_iter().collect(),
            gone: self.gone.then(|| "Evicted".to_owned()),
        }
    }

    /// One look at a pod whose time has come; says whether it lost readiness.
    fn turn(&mut self, behaviour: Behaviour, now: i64) -> bool {
        let was_ready = self.ready.is_some();
        if self.scheduled.is_none() {
            if behaviour == Behaviour::NoRoom {
                self.unschedulable.get_or_insert(now);
                self.next = NEVER;
                return false;
            }
            (self.scheduled, self.unschedulable) = (Some(now), None);
            self.next = match behaviour {
                Behaviour::Good(delay) | Behaviour::Flap(delay) => now + delay,
                Behaviour::NoImage | Behaviour::Crash => now + 1,
                Behaviour::Never | Behaviour::NoRoom => NEVER,
            };
            return false;
        }
        self.next = NEVER;
        match behaviour {
            Behaviour::Good(_) => {
                self.ready.get_or_insert(now);
                self.waiting = None;
            }
            Behaviour::Never | Behaviour::NoRoom => {}
            Behaviour::NoImage => self.waiting = Some("ImagePullBackOff"),
            Behaviour::Crash => {
                self.ready = None;
                self.restarts += 1;
                self.waiting = (self.restarts > 1).then_some("CrashLoopBackOff");
                // The back-off grows; a third time is enough for every judgement.
                self.next = if self.restarts < 3 { now + 5 } else { NEVER };
            }
            Behaviour::Flap(turn) => {
                self.ready = if was_ready { None } else { Some(now) };
                self.next = now + turn;
            }
        }
        let lost = was_ready && self.ready.is_none();
        if lost {
            self.unready = now;
        }
        lost
    }
}

impl World {
    /// Every pod whose time has come moves on.
    pub(crate) fn kubelet(&mut self) {
        let (now, behaviours) = (self.now, &self.behaviours);
        let mut lost = 0;
        let mut moved = false;
        for set in &mut self.sets {
            let before = set.pods.len();
            set.pods
                .retain(|pod| pod.deleted.is_none_or(|end| end > now));
            moved |= set.pods.len() != before;
            for pod in set.pods.iter_mut().filter(|pod| pod.next <= now) {
                if pod.is_active() {
                    let behaviour = behaviours[pod.mould.image as usize];
                    lost += u32::from(pod.turn(behaviour, now));
                } else {
                    pod.next = pod.deleted.unwrap_or(NEVER);
                }
                moved = true;
            }
        }
        self.lost += lost;
        self.agent.is_due |= moved;
    }

    /// When the next pod moves, or becomes available, or its set counts anew.
    pub(crate) fn next_turn(&self) -> Option<i64> {
        let pods = self
            .sets
            .iter()
            .flat_map(|set| set.pods.iter().map(move |pod| (set, pod)));
        pods.flat_map(|(set, pod)| {
            let available = pod.ready.map(|ready| ready + set.min_ready);
            [Some(pod.next), available]
        })
        .flatten()
        .filter(|next| *next > self.now && *next < NEVER / 2 && *next < self.now + 1_000_000)
        .min()
    }

    /// From now on every pod becomes Ready.
    pub(crate) fn heal(&mut self) {
        for behaviour in &mut self.behaviours {
            *behaviour = Behaviour::Good(1);
        }
        self.quota = None;
        let now = self.now;
        let pods = self.sets.iter_mut().flat_map(|set| &mut set.pods);
        for pod in pods.filter(|pod| pod.is_active() && pod.ready.is_none()) {
            pod.next = now + 1;
        }
    }
}
