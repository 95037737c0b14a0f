//! What was measured on the real control plane, asked of the world of the laws: so that the world
//! itself can be trusted. Image 0 is A, 1 is B, 2 is C.

use tidegate::object::{Amount, FREEZE_DEADLINE, FREEZE_MIN_READY, Strategy};

use super::world::{Behaviour, Manifest, World};

fn amount(text: &str) -> Amount {
    text.parse().expect("an amount")
}

fn levers(surge: &str, unavailable: &str) -> Strategy {
    Strategy::RollingUpdate {
        max_surge: amount(surge),
        max_unavailable: amount(unavailable),
    }
}

/// R=10 of A at rest.
fn ten() -> World {
    World::at_rest(Manifest::ten("25%", "25%"), 10)
}

impl World {
    /// One write of template and levers with the freeze; then all settles. Returns new, old and
    /// the fewest Ready pods on the way.
    fn frozen(&mut self, image: u32, surge: &str, unavailable: &str) -> (u32, u32, u32) {
        self.edit("test", |live| {
            live.mould.image = image;
            (live.min_ready, live.deadline) = (FREEZE_MIN_READY, FREEZE_DEADLINE);
            live.strategy = levers(surge, unavailable);
        });
        self.fewest()
    }

    /// The same without the freeze.
    fn native(&mut self, image: u32, surge: &str, unavailable: &str) -> (u32, u32, u32) {
        self.edit("test", |live| {
            live.mould.image = image;
            (live.min_ready, live.deadline) = (0, 600);
            live.strategy = levers(surge, unavailable);
        });
        self.fewest()
    }

    fn scaled(&mut self, replicas: u32) -> (u32, u32, u32) {
        self.scale(replicas);
        self.fewest()
    }

    fn fewest(&mut self) -> (u32, u32, u32) {
        let mut fewest = self.ready();
        for _ in 0..30 {
            for _ in 0..4 {
                self.sync_deployment();
                for set in 0..self.sets.len() {
                    self.sync_set(set);
                }
                self.kubelet();
                fewest = fewest.min(self.ready());
            }
            self.now += 1;
        }
        let (new, old) = self.new_old();
        (new, old, fewest)
    }
}

#[test]
fn levers_hold_the_new_pods_at_s_plus_m_and_the_old_ones_at_r_less_m() {
    let mut world = ten();
    assert_eq!(world.frozen(1, "2", "0"), (2, 10, 10));
    assert_eq!(world.frozen(1, "3", "2"), (5, 8, 10));
    assert_eq!(world.frozen(1, "30%", "50%"), (8, 5, 10));
    let (new, old, _) = world.scaled(6);
    assert_eq!((new, old), (5, 3));
}

#[test]
fn with_counts_a_scale_down_runs_ahead_and_with_percents_it_keeps_the_share() {
    let mut counts = ten();
    assert_eq!(counts.frozen(1, "2", "4"), (6, 6, 6));
    assert_eq!(counts.scaled(5), (5, 1, 5));
    let mut percents = ten();
    assert_eq!(percents.frozen(1, "20%", "40%"), (6, 6, 6));
    assert_eq!(percents.scaled(5), (3, 3, 6));
}

#[test]
fn blue_green_is_all_surge() {
    assert_eq!(ten().frozen(1, "10", "0"), (10, 10, 10));
}

#[test]
fn broken_new_pods_hold_and_the_way_back_costs_nothing_more() {
    let mut world = ten();
    world.behaviours[1] = Behaviour::Never;
    assert_eq!(world.frozen(1, "0", "3"), (3, 7, 7));
    let (new, old, fewest) = world.native(0, "3", "0");
    assert_eq!((new, old, fewest), (10, 0, 7));
}

#[test]
fn six_ready_new_pods_go_back_without_a_loss_unless_the_freeze_is_kept() {
    let mut world = ten();
    world.frozen(1, "6", "0");
    assert_eq!(world.native(0, "6", "0"), (10, 0, 10));
    let mut kept = ten();
    kept.frozen(1, "5", "0");
    kept.frozen(1, "0", "5");
    let (new, old, _) = kept.frozen(0, "0", "5");
    assert_eq!((new, old), (5, 5));
}

#[test]
fn a_third_template_needs_new_levers_in_the_same_write() {
    let half = || {
        let mut world = ten();
        world.frozen(1, "2", "0");
        world.frozen(1, "4", "2");
        let (new, old, _) = world.frozen(1, "2", "4");
        assert_eq!((new, old), (6, 6));
        world
    };
    let mut world = half();
    assert_eq!(world.frozen(2, "2", "0"), (2, 10, 10));
    assert_eq!((world.with_image(0), world.with_image(1)), (6, 4));
    let mut alone = half();
    alone.edit("test", |live| live.mould.image = 2);
    assert_eq!(alone.fewest(), (6, 6, 6));
    assert_eq!((alone.with_image(0), alone.with_image(1)), (6, 0));
}

#[test]
fn one_extra_pod_opens_a_batch_of_five_in_slices() {
    let mut world = ten();
    for healthy in 0..4 {
        let unavailable = healthy.to_string();
        assert_eq!(world.frozen(1, "1", &unavailable).2, 10);
    }
    assert_eq!(world.frozen(1, "1", "4"), (5, 6, 10));
}

#[test]
fn a_lower_unavailable_adds_new_pods() {
    let mut world = ten();
    world.frozen(1, "2", "0");
    world.frozen(1, "4", "2");
    world.frozen(1, "2", "4");
    let mut kept = ten();
    kept.frozen(1, "2", "0");
    kept.frozen(1, "4", "2");
    let (new, old, _) = kept.frozen(1, "2", "4");
    assert_eq!((new, old), (6, 6));
    let (new, _, _) = world.frozen(1, "3", "3");
    assert_eq!(new, 7);
}

#[test]
fn a_foreign_image_takes_the_place_of_the_new_pods() {
    let mut world = ten();
    world.frozen(1, "2", "0");
    world.frozen(1, "2", "3");
    assert_eq!(world.new_old(), (5, 7));
    world.set_image(3);
    assert_eq!(world.fewest(), (5, 7, 7));
    assert_eq!(world.frozen(1, "2", "0").2, 10);
    let images = [1, 3, 0].map(|image| world.with_image(image));
    assert_eq!(images, [2, 3, 7]);
}

#[test]
fn without_the_freeze_all_pods_become_new_at_the_native_pace() {
    let mut world = ten();
    world.frozen(1, "2", "0");
    let (new, old, fewest) = world.native(1, "2", "2");
    assert_eq!((new, old), (10, 0));
    assert!(fewest >= 8, "{fewest}");
}

#[test]
fn at_200_replicas_a_scale_down_adds_no_new_pod() {
    let mut world = World::at_rest(Manifest::ten("25%", "25%"), 200);
    let (new, old, _) = world.frozen(1, "10", "50%");
    assert_eq!((new, old), (110, 100));
    let (new, old, _) = world.scaled(100);
    assert_eq!((new, old), (60, 50));
}

#[test]
fn the_levers_given_back_end_the_rollout() {
    let mut world = ten();
    world.frozen(1, "10", "0");
    assert_eq!(world.native(1, "25%", "25%"), (10, 0, 10));
    let live = world.live.as_ref().expect("it is there");
    assert_eq!((live.counts.updated, live.counts.available), (10, 10));
}

#[test]
fn recreate_lets_all_old_pods_go_before_the_first_new_one() {
    let mut world = ten();
    world.edit("test", |live| {
        live.mould.image = 1;
        live.strategy = Strategy::Recreate;
    });
    assert_eq!(world.fewest(), (10, 0, 0));
}

#[test]
fn while_paused_only_scaling_is_done() {
    let mut world = ten();
    world.frozen(1, "20%", "20%");
    world.edit("test", |live| {
        live.paused = true;
        live.mould.image = 2;
    });
    assert_eq!(world.fewest().0, 0);
    world.scaled(5);
    assert_eq!((world.with_image(0), world.with_image(1)), (4, 2));
}
