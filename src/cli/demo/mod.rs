//! `tidegate demo`: a repository, a simulated cluster, the agent, and what can be done with them. The
//! agent, the reading of the cluster and the live view are those of `run` and `watch`, over HTTP.

mod agent;
mod choices;
mod deed;
mod drift;
mod keys;
mod loss;
mod mishap;
mod paper;
mod play;
mod promise;
mod script;
mod shop;
mod stage;
mod witness;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

use super::Exit;
use super::failure::Failure;
use super::show::{Colour, Form, Show, Voice};
use super::table::quoted;

use self::keys::Keys;
use self::paper::Paper;
use self::play::{Ended, Play};
use self::script::{Scenario, script};
use self::stage::{Folder, Places, Speed, Stage, unwritten};

/// How the demo is played.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Plays everything by itself, and ends; 0 if all of it happened as told, else 1.
    #[arg(long)]
    auto: bool,
    /// What is played; by default a good commit, a broken one, and a revert.
    #[arg(long, value_enum, value_name = "NAME")]
    scenario: Option<Scenario>,
    /// Keeps repository and configuration in a directory that is empty or not there yet.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
    /// How many times as fast as usual pods start, batches are watched, and `--auto` goes on; 0.1
    /// to 20.
    #[arg(long, value_name = "TIMES", default_value = "1", value_parser = speed)]
    speed: Speed,
    /// When words are coloured; `NO_COLOR` in the environment means never.
    #[arg(long, value_enum, default_value = "auto")]
    color: Colour,
    /// Uses no signs beyond ASCII; names and subjects stay as they are.
    #[arg(long)]
    ascii: bool,
}

fn speed(text: &str) -> Result<Speed, String> {
    let read = text.parse::<f64>().ok();
    let read = read.filter(|times| (0.1..=20.0).contains(times));
    read.map(Speed)
        .ok_or_else(|| "not a number from 0.1 to 20".to_owned())
}

/// Plays the demo, and takes away all that it made. `level` says what the agent's log holds.
pub(super) async fn run(asked: Arguments, voice: Voice, level: &str) -> Result<Exit, Failure> {
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let mut hangup = signal(SignalKind::hangup()).map_err(Failure::Runtime)?;
    let show = Show {
        output: Form::Table,
        color: asked.color,
        ascii: asked.ascii,
    };
    let paper = Paper::new(show)?;
    let folder = Folder::make(asked.dir.as_deref())?;
    let mut play = None;
    let exit = tokio::select! {
        exit = perform(&asked, (folder.path(), level), paper, &mut play) => exit,
        _ = interrupt.recv() => Ok(Exit::Interrupted),
        _ = terminate.recv() => Ok(Exit::Terminated),
        _ = hangup.recv() => Ok(Exit::Terminated),
    };
    // It was not all played, so it does not end as if it were.
    let exit = match exit {
        Err(Failure::ReaderGone) => Ok(Exit::Difference),
        exit => exit,
    };
    let is_hurried = !matches!(exit, Ok(Exit::Done | Exit::Difference));
    if let Some(play) = play {
        play.end(is_hurried).await;
    }
    farewell(&folder, voice, &exit);
    folder.leave().await?;
    exit
}

/// Founds everything and plays. What is left in `play` is to be ended.
async fn perform(
    asked: &Arguments,
    (folder, level): (&Path, &str),
    mut paper: Paper,
    play: &mut Option<Play>,
) -> Result<Exit, Failure> {
    log(&Places::of(folder).log, level)?;
    let keys = Keys::open(!asked.auto);
    let steps = script(asked.scenario);
    paper.introduce(folder, &steps)?;
    let stage = Stage::found(folder, asked.speed, asked.scenario).await?;
    let play = play.insert(Play::new(
        stage,
        paper,
        keys,
        steps,
        (asked.speed, asked.auto),
    ));
    Ok(match play.run().await? {
        Ended::Well => Exit::Done,
        Ended::Badly => Exit::Difference,
    })
}

/// Says what is left, and how it goes on with a cluster that is none of ours.
fn farewell(folder: &Folder, voice: Voice, exit: &Result<Exit, Failure>) {
    match exit {
        Err(_) => return,
        Ok(Exit::Difference) => voice.say("not everything happened as told"),
        Ok(_) if !folder.is_kept() => voice.say("the SIMULATED cluster is gone, and all its files"),
        Ok(_) => voice.say("the SIMULATED cluster is gone"),
    }
    if folder.is_kept() {
        let path = folder.path().display();
        let config = folder.path().join("gitsync.yaml");
        let config = quoted(&config.display().to_string());
        voice.say(&format!(
            "kept: {path}; on a cluster of yours, with a namespace `shop`, it goes on by"
        ));
        voice.say(&format!(
            "  tidegate run --allow-file-urls --config {config}"
        ));
    }
}

/// The agent's log goes to a file: the terminal is painted on.
fn log(path: &Path, level: &str) -> Result<(), Failure> {
    let file = OpenOptions::new().create(true).append(true).open(path);
    let file = file.map_err(|cause| unwritten(path, cause))?;
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level))
        .with_writer(Mutex::new(file))
        .with_ansi(false)
        .init();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_speed_is_a_number_that_anything_can_be_seen_at() {
        assert_eq!(speed("5"), Ok(Speed(5.0)));
        assert_eq!(speed("0.5"), Ok(Speed(0.5)));
        for text in ["0", "-1", "21", "fast", "NaN", "inf"] {
            assert!(speed(text).is_err(), "{text}");
        }
    }
}
