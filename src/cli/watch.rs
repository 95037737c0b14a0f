//! `tidegate watch`: the batches of a rollout while they go.

use std::time::Duration;

use crate::object::read_duration;

use super::Exit;
use super::failure::Failure;
use super::live::{End, follow};
use super::reach::Target;
use super::show::{Show, Voice};

/// What is watched.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// How long at most; by default until the end.
    #[arg(long, value_name = "DURATION", value_parser = read_duration)]
    timeout: Option<Duration>,
    #[command(flatten)]
    show: Show,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    let found = asked.target.find().await?;
    follow(found, End::Fate, asked.timeout, asked.show, voice).await
}
