//! What there is to see, or to do, below the picture.

use super::paper::{Mark, shown};
use super::play::{Play, Scene};
use crate::cli::failure::Failure;
use crate::status::{Picture, Reason};

/// Lines, each with a label.
pub(super) type Foot = Vec<(&'static str, String)>;

impl Play {
    /// Returns what there is to see, or to do.
    pub(super) fn foot(&self, picture: Option<&Picture>) -> Result<Foot, Failure> {
        let mut foot = Vec::new();
        if let Some(loss) = &self.loss {
            foot.push(("", loss.words()));
        }
        foot.extend(remedies(picture));
        match &self.scene {
            Scene::Opening => {
                foot.push((
                    "wait",
                    "the agent starts, and installs what Git says".to_owned(),
                ));
            }
            Scene::Step(index, ..) => foot.push(("look", self.steps[*index].0.tale.clone())),
            Scene::Rest if self.is_auto => return Ok(foot),
            Scene::Rest => {
                self.choices(&mut foot)?;
                foot.push(("q", "ends the demo".to_owned()));
                return Ok(foot);
            }
        }
        if self.keys.are_open() {
            foot.push((
                "q",
                "ends the demo; Enter does nothing until this is over".to_owned(),
            ));
        }
        Ok(foot)
    }

    /// What the user can do next.
    fn choices(&self, foot: &mut Foot) -> Result<(), Failure> {
        let places = &self.stage.places;
        let (repository, kubeconfig) = (shown(&places.repository), shown(&places.kubeconfig));
        let next = self.steps.iter().find(|(_, mark)| *mark == Mark::Ahead);
        let can_press = self.keys.are_open();
        let Some((step, _)) = next else {
            let words = "play on by hand, in another terminal: edit, commit, revert";
            foot.push(("", words.to_owned()));
            foot.push(("", format!("cd {repository}")));
            foot.push(("", format!("export KUBECONFIG={kubeconfig}")));
            return Ok(());
        };
        let title = step.title;
        if can_press {
            let words = format!("does the next: {title}; or by hand, elsewhere:");
            foot.push(("Enter", words));
        } else {
            foot.push(("next", format!("{title}, by hand in another terminal:")));
        }
        match step.in_repository(self.stage.tag()?.as_deref()) {
            Ok(step) => {
                foot.push(("", format!("cd {repository}")));
                foot.push(("", format!("export KUBECONFIG={kubeconfig}")));
                foot.extend(step.commands().into_iter().map(|command| ("", command)));
            }
            Err(why) => foot.push(("", why)),
        }
        Ok(())
    }
}

/// What a person has to do before anything goes on.
fn remedies(picture: Option<&Picture>) -> Foot {
    let waits =
        |picture: &&Picture| matches!(picture.state, Reason::AwaitingPromotion | Reason::Paused);
    let next = picture.filter(waits).map(|picture| picture.next.iter());
    let next = next.into_iter().flatten();
    next.map(|command| ("next", command.clone())).collect()
}
