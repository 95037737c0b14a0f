//! Random histories: what may happen to a rollout, in any order.

use std::time::Duration;

use tidegate::object::{Amount, Strategy};
use tidegate::policy::{Approval, Batches, GoingBack, Mode, OnFailure, Order, Policy};
use tidegate::rollout::{Phase, Stance};

use super::dice::Dice;
use super::{Behaviour, Fault, Manifest, Story, Way, World};

fn amount(dice: &mut Dice) -> Amount {
    if dice.chance(50) {
        Amount::Count(dice.between(1, 5))
    } else {
        Amount::Percent(dice.pick(&[1, 10, 20, 25, 33, 50, 100]))
    }
}

fn strategy(dice: &mut Dice) -> Strategy {
    if dice.chance(5) {
        return Strategy::Recreate;
    }
    let (surge, unavailable) = match dice.below(4) {
        0 => (Amount::Percent(25), Amount::Percent(25)),
        1 => (Amount::Count(0), amount(dice)),
        2 => (amount(dice), Amount::Count(0)),
        _ => (amount(dice), amount(dice)),
    };
    Strategy::RollingUpdate {
        max_surge: surge,
        max_unavailable: unavailable,
    }
}

fn policy(dice: &mut Dice) -> Policy {
    let batches = match dice.below(4) {
        0 => Batches::Own,
        1 => Batches::Size(amount(dice)),
        _ => Batches::steps(dice.pick(&[
            vec![Amount::Count(1), Amount::Percent(50), Amount::Percent(100)],
            vec![Amount::Percent(10), Amount::Percent(30)],
            vec![Amount::Percent(100)],
            (1..10).map(Amount::Count).collect(),
        ])),
    };
    let order = dice.pick(&[None, None, Some(Order::SurgeFirst), Some(Order::StopFirst)]);
    let seconds = |dice: &mut Dice| Duration::from_secs(dice.pick(&[0, 0, 1, 4, 15]));
    Policy {
        strategy: if dice.chance(3) {
            Mode::Native
        } else {
            Mode::Rolling
        },
        batches,
        order,
        max_surge: dice.chance(40).then(|| amount(dice)),
        soak: seconds(dice),
        monitor: seconds(dice),
        on_failure: dice.pick(&[OnFailure::Pause, OnFailure::Rollback]),
        healthy_deadline: dice.chance(20).then(|| Duration::from_secs(30)),
        progress_deadline: dice.chance(20).then(|| Duration::from_secs(60)),
        rollback: GoingBack {
            max_surge: amount(dice),
            order: dice.pick(&[Order::SurgeFirst, Order::SurgeFirst, Order::StopFirst]),
        },
        ..Policy::default()
    }
}

/// Thrown apart, so that the other throws of a history are what they are without.
fn approval(chance: u64) -> Approval {
    let mut dice = Dice::new(!chance);
    dice.pick(&[
        Approval::None,
        Approval::None,
        Approval::None,
        Approval::Before,
        Approval::EveryBatch,
        Approval::BeforeFull,
    ])
}

fn behaviour(dice: &mut Dice) -> Behaviour {
    match dice.below(20) {
        0 => Behaviour::Never,
        1 => Behaviour::Crash,
        2 => Behaviour::Flap(i64::from(dice.between(2, 20))),
        3 => Behaviour::NoImage,
        4 => Behaviour::NoRoom,
        5 => Behaviour::Good(i64::from(dice.between(20, 120))),
        _ => Behaviour::Good(i64::from(dice.between(0, 6))),
    }
}

impl World {
    /// The world of a history, with a workload at rest and a commit to roll.
    pub(crate) fn of(story: &Story) -> Self {
        let mut dice = Dice::new(story.workload);
        let replicas = match dice.below(40) {
            0 => 0,
            1 => 1,
            2 => dice.between(101, 150),
            3..8 => dice.between(13, 30),
            _ => dice.between(2, 12),
        };
        let manifest = Manifest {
            image: 0,
            replicas: dice.chance(30).then_some(replicas),
            min_ready: dice.pick(&[0, 0, 0, 2, 5]),
            deadline: dice.pick(&[600, 600, 100, 2_147_483_647]),
            strategy: strategy(&mut dice),
            paused: false,
            policy: Policy {
                approval: approval(story.workload),
                ..policy(&mut dice)
            },
            config: 0,
        };
        let is_new = dice.chance(4);
        let mut world = if is_new {
            Self::empty(manifest)
        } else {
            Self::at_rest(manifest, replicas)
        };
        for image in 1..world.behaviours.len() {
            world.behaviours[image] = behaviour(&mut dice);
        }
        if !is_new {
            world.commit(|manifest| manifest.image = 1);
        }
        world
    }

    /// Lives through a history to the end; returns the number of events, or the law broken.
    pub(crate) fn live_through(&mut self, story: &Story) -> Result<u64, String> {
        for chance in &story.events {
            self.dice = Dice::new(*chance);
            self.event();
            self.check();
            self.verdict()?;
        }
        self.dice = Dice::new(story.end);
        self.end()?;
        Ok(story.events.len() as u64)
    }

    fn verdict(&mut self) -> Result<(), String> {
        self.broken.take().map_or(Ok(()), Err)
    }

    fn event(&mut self) {
        match self.dice.below(100) {
            0..45 => self.round(),
            45..58 => self.look(),
            58..68 => self.sync_deployment(),
            68..78 => {
                let set = self.dice.below(self.sets.len() as u32) as usize;
                self.sync_set(set);
            }
            78..84 => self.kubelet(),
            84..90 => self.now += i64::from(self.dice.between(1, 8)),
            90 => self.now += i64::from(self.dice.between(20, 200)),
            91..93 => {
                let replicas = self.live.as_ref().map_or(0, |live| live.replicas);
                let to = self
                    .dice
                    .pick(&[6, 14, replicas + 1, replicas / 2, replicas * 2]);
                let to = if self.dice.chance(4) { 0 } else { to.min(220) };
                self.scale(to);
            }
            93..95 => self.change_git(),
            95..97 => self.meddle(),
            97 => {
                let nth = self.dice.below(30) as usize;
                self.evict(nth);
            }
            98 if self.dice.chance(50) => self.switch(),
            98 => self.let_something(),
            _ => self.lose(),
        }
    }

    /// Everyone does one thing, in an order by chance.
    fn round(&mut self) {
        let turn = self.dice.below(4);
        for actor in 0..4 {
            match (turn + actor) % 4 {
                0 => self.kubelet(),
                1 => {
                    for set in 0..self.sets.len() {
                        self.sync_set(set);
                        self.check();
                    }
                }
                2 => self.sync_deployment(),
                _ => self.look(),
            }
            self.check();
        }
        self.now += i64::from(self.dice.below(4));
    }

    fn look(&mut self) {
        let fault = match self.dice.below(40) {
            0 => Fault::BeforeStore,
            1 => Fault::BeforeWrite,
            2 => Fault::AfterWrite,
            3 | 4 => Fault::Stale,
            _ => Fault::None,
        };
        if fault != Fault::None || self.agent.is_awake(self.now) || self.dice.chance(20) {
            self.act(fault);
        }
    }

    fn change_git(&mut self) {
        match self.dice.below(12) {
            0..3 => {
                let image = self.dice.between(0, 9);
                self.commit(|manifest| manifest.image = image);
            }
            3 | 4 => {
                let good = self.git.good.last().cloned();
                self.push(good.unwrap_or_else(|| self.git.goal_manifest.clone()));
            }
            5 => {
                self.abort();
            }
            6 => {
                let policy = policy(&mut self.dice);
                self.commit(|manifest| {
                    manifest.policy = Policy {
                        approval: manifest.policy.approval,
                        ..policy
                    };
                });
            }
            7 => {
                let image = self.git.goal_manifest.image as usize;
                self.behaviours[image] = Behaviour::Good(1);
                self.commit(|manifest| manifest.config += 1);
            }
            8 => {
                let strategy = strategy(&mut self.dice);
                self.commit(|manifest| manifest.strategy = strategy);
            }
            9 => {
                let replicas = self.dice.between(0, 14);
                let replicas = self.dice.chance(60).then_some(replicas);
                self.commit(|manifest| manifest.replicas = replicas);
            }
            10 => self.commit(|manifest| manifest.paused = !manifest.paused),
            _ => self.retry(),
        }
    }

    fn meddle(&mut self) {
        match self.dice.below(8) {
            0 => {
                let image = self.dice.between(0, 12);
                self.set_image(image);
            }
            1 => self.set_env(),
            2 | 3 => self.restart(),
            4 => self.undo(),
            5 => self.thaw(),
            6 => {
                let (surge, unavailable) = (self.dice.below(5), self.dice.below(6));
                self.edit_levers(surge, unavailable.max(u32::from(surge == 0)));
            }
            _ => self.edit("kubectl-patch", |live| live.paused = !live.paused),
        }
    }

    fn switch(&mut self) {
        self.git.stance = match self.git.stance {
            Stance::Go => Stance::Hold,
            Stance::Hold => Stance::Go,
        };
        self.agent.is_due = true;
        self.tell(|world| format!("stance {:?}", world.git.stance));
    }

    /// A person approves or promotes the next batch, or a window opens or closes.
    fn let_something(&mut self) {
        let next = self.agent.memory.as_ref().map_or(1, |kept| {
            let rolls = !kept.is_over() && kept.write.template == self.git.goal.template;
            if rolls { kept.batch + 1 } else { 1 }
        });
        let opens = self.now + i64::from(self.dice.between(5, 300));
        match self.dice.below(6) {
            0 => self.let_do(|leave| leave.promoted = next),
            1 => self.let_do(|leave| leave.promoted = u32::MAX),
            2 => self.let_do(|leave| leave.closed_until = Some(super::at(opens))),
            3 => self.let_do(|leave| leave.closed_until = None),
            _ => self.let_do(|leave| leave.approved = next),
        }
    }

    fn lose(&mut self) {
        if self.dice.chance(80) {
            let pods: usize = self.sets.iter().map(|set| set.pods.len()).sum();
            let more = self.dice.below(4) as usize;
            self.quota = self.quota.is_none().then_some(pods + more);
            self.tell(|world| format!("quota {:?}", world.quota));
        } else {
            (self.agent.stored, self.agent.memory) = (None, None);
            self.agent.is_due = true;
            self.mark.is_forgotten = true;
            // Whoever does not know of a way back takes the pace of Git.
            self.way = Way::Unknown;
            self.tell(|_| "the ledger is lost".to_owned());
        }
    }

    /// Nobody meddles any more: what is under way must end.
    fn end(&mut self) -> Result<(), String> {
        self.git.stance = Stance::Go;
        self.open_up();
        self.quota = None;
        if self.git.goal_manifest.paused {
            self.commit(|manifest| manifest.paused = false);
        }
        // Either every pod becomes Ready now, or the new ones never do and all goes back.
        let good = self.git.good.last().filter(|good| !good.paused);
        let good = good.map(|good| good.image);
        let is_going_back = self.dice.chance(40) && good.is_some() && self.abort();
        if is_going_back {
            for image in 0..self.behaviours.len() {
                if Some(image as u32) == good {
                    self.behaviours[image] = Behaviour::Good(1);
                }
            }
            self.awaken(good);
        } else {
            self.heal();
            self.retry();
        }
        self.agent.is_due = true;
        self.tell(|_| format!("the end begins, going back: {is_going_back}"));
        self.run_out()?;
        if self
            .agent
            .memory
            .as_ref()
            .is_some_and(|kept| kept.phase == Phase::Failed)
        {
            self.heal();
            self.retry();
            self.run_out()?;
        }
        self.judge_end()
    }

    fn awaken(&mut self, image: Option<u32>) {
        let next = self.now + 1;
        let pods = self.sets.iter_mut().flat_map(|set| &mut set.pods);
        for pod in pods.filter(|pod| Some(pod.mould.image) == image && pod.ready.is_none()) {
            pod.next = pod.next.min(next);
        }
    }

    /// Time passes from event to event, and the agent looks only when something happened or when
    /// it said so, until nothing will ever happen.
    pub(crate) fn run_out(&mut self) -> Result<(), String> {
        for _ in 0..3000 {
            self.settle();
            self.verdict()?;
            if self.agent.is_awake(self.now) {
                self.act(Fault::None);
                self.check();
                self.verdict()?;
                continue;
            }
            let wake = self.agent.wake.into_iter();
            let Some(next) = wake.chain(self.next_turn()).min() else {
                return Ok(());
            };
            self.now = next.max(self.now + 1);
        }
        // Pods that flap for ever never end by themselves.
        let flaps = |behaviour: &Behaviour| matches!(behaviour, Behaviour::Flap(_));
        if self.behaviours.iter().any(flaps) {
            return Ok(());
        }
        Err("liveness: it does not come to an end".to_owned())
    }

    /// Liveness: the workload is as Git says and nothing of ours is left on it.
    fn judge_end(&mut self) -> Result<(), String> {
        let Some(live) = self.live.clone() else {
            return Err("liveness: it was never created".to_owned());
        };
        let goal = &self.git.goal;
        let is_over = self.agent.memory.as_ref().is_none_or(|kept| kept.is_over());
        let (new, old) = self.new_old();
        let as_in_git = live.mould.template() == goal.template
            && live.min_ready == goal.min_ready_seconds
            && live.strategy == goal.strategy;
        let image = live.mould.image;
        let complete = self.with_image(image) == live.replicas && old + new == live.replicas;
        // A set that has the right size by chance keeps the annotation of an earlier one, and under
        // `Recreate` two sets do: the controller takes it for a scaling event for ever.
        let mut sets = self.sets.iter().filter(|set| set.size.replicas > 0);
        let stuck = sets.any(|set| set.size.desired != Some(live.replicas));
        if stuck || is_over && as_in_git && complete {
            return Ok(());
        }
        let phase = self.agent.memory.as_ref().map(|kept| kept.phase);
        self.tell(|world| format!("{:?} {:?}", world.live, world.sets));
        Err(format!(
            "liveness: it ends with {phase:?}, {new} new and {old} old pods of {}, as in Git: {as_in_git}",
            live.replicas
        ))
    }
}
