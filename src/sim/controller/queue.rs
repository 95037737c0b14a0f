//! What is to be looked at: each thing once at a time, in the order in which it came, some things
//! later (`client-go/util/workqueue`).

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::Task;
use super::desk::Outcome;
use crate::sim::time::later;

/// The wait after the first refusal of a sync; twice as long after each more.
const FIRST_BACK_OFF: Duration = Duration::from_millis(5);
/// The longest wait.
const LONGEST_BACK_OFF: Duration = Duration::from_secs(1000);

/// The tasks of all controllers.
#[derive(Debug, Default)]
pub(super) struct Queue {
    order: VecDeque<Task>,
    waiting: BTreeSet<Task>,
    timers: BTreeSet<(Timestamp, Task)>,
    /// The one timer of a task.
    due: BTreeMap<Task, Timestamp>,
    refusals: BTreeMap<Task, u32>,
}

impl Queue {
    pub(super) fn add(&mut self, task: Task) {
        if self.waiting.insert(task.clone()) {
            self.order.push_back(task);
        }
    }

    /// Adds what is due at `now`.
    pub(super) fn wake(&mut self, now: Timestamp) {
        while let Some((due, _)) = self.timers.first()
            && *due <= now
            && let Some((_, task)) = self.timers.pop_first()
        {
            self.due.remove(&task);
            self.add(task);
        }
    }

    pub(super) fn next(&mut self) -> Option<Task> {
        let task = self.order.pop_front()?;
        self.waiting.remove(&task);
        Some(task)
    }

    /// Returns when the next timer ends.
    pub(super) fn due(&self) -> Option<Timestamp> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// Notes how a sync ended, and with it when the task comes again by itself; one that was refused
    /// comes again later each time.
    pub(super) fn done(&mut self, task: Task, outcome: &Outcome, now: Timestamp) {
        let due = match *outcome {
            Ok(due) => {
                self.refusals.remove(&task);
                due
            }
            Err(_) => {
                let refusals = self.refusals.entry(task.clone()).or_default();
                let wait = FIRST_BACK_OFF * 2_u32.saturating_pow((*refusals).min(20));
                *refusals += 1;
                Some(later(now, wait.min(LONGEST_BACK_OFF)))
            }
        };
        if let Some(before) = self.due.remove(&task) {
            self.timers.remove(&(before, task.clone()));
        }
        if let Some(due) = due {
            self.due.insert(task.clone(), due);
            self.timers.insert((due, task));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sim::controller::desk::Key;
    use crate::sim::kind::Kind;
    use crate::sim::refusal::Refusal;

    fn task(name: &str) -> Task {
        Task::Sync(Key {
            kind: Kind::JOB,
            namespace: "shop".to_owned(),
            name: name.to_owned(),
        })
    }

    fn at(milliseconds: i64) -> Timestamp {
        Timestamp::from_millisecond(milliseconds).unwrap()
    }

    #[test]
    fn a_task_waits_once_however_often_it_is_added() {
        let mut queue = Queue::default();
        for name in ["a", "b", "a"] {
            queue.add(task(name));
        }
        let order: Vec<Task> = std::iter::from_fn(|| queue.next()).collect();
        assert_eq!(order, [task("a"), task("b")]);
    }

    #[test]
    fn a_timer_comes_when_it_is_due() {
        let mut queue = Queue::default();
        queue.done(task("a"), &Ok(Some(at(50))), at(0));
        assert_eq!(queue.due(), Some(at(50)));
        queue.wake(at(49));
        assert_eq!(queue.next(), None);
        queue.wake(at(50));
        assert_eq!((queue.next(), queue.due()), (Some(task("a")), None));
    }

    #[test]
    fn what_is_refused_comes_again_later_each_time_until_it_succeeds() {
        let mut queue = Queue::default();
        let refusal = || Err(Refusal::no_such_path());
        for due in [5, 15, 35] {
            let now = queue.due().unwrap_or(at(0));
            queue.wake(now);
            queue.next();
            queue.done(task("a"), &refusal(), now);
            assert_eq!(queue.due(), Some(at(due)));
        }
        queue.wake(at(35));
        queue.done(task("a"), &Ok(None), at(35));
        queue.done(task("a"), &refusal(), at(40));
        assert_eq!(queue.due(), Some(at(45)));
    }
}
