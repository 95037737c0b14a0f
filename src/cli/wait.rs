//! `tidegate wait`: the fate of a commit, told by the exit code.

use std::time::Duration;

use serde::Serialize;
use tokio::time::{sleep, timeout};

use crate::clock::since_boot;
use crate::cluster::{Cause, Cluster, Records, Refusal};
use crate::ledger::Ledger;
use crate::object::{mark::request, read_duration};
use crate::status::{Verdict, verdict, view};

use super::Exit;
use super::failure::Failure;
use super::leader::Seat;
use super::reach::{App, Target, known, read, well_formed};
use super::show::{Report, Voice};
use super::table::plain;

/// Time between two looks at the head of the ledger.
const LOOK: Duration = Duration::from_secs(1);
/// The longest silence, so that a CI runner does not take the job for dead.
const HEARTBEAT: Duration = Duration::from_mins(1);

/// What is waited for.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The commit or its beginning.
    #[arg(long, value_name = "SHA")]
    commit: String,
    /// How long to wait.
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = read_duration)]
    timeout: Duration,
    #[command(flatten)]
    report: Report,
}

pub(super) async fn run(asked: Arguments, voice: Voice) -> Result<Exit, Failure> {
    well_formed(&asked.commit)?;
    let cluster = asked.target.reach.cluster().await?;
    let app = asked.target.app(&cluster).await?;
    let mut watching = Watching::new(cluster, app, asked.timeout, asked.report, voice);
    match watching.next().await? {
        Some(ledger) => follow(&mut watching, ledger, &asked.commit).await,
        None => watching.timeout(Some(&asked.commit)).await,
    }
}

/// Waits for the fate of a commit, beginning with a ledger that was just read, and prints it.
pub(super) async fn follow(
    watching: &mut Watching,
    mut ledger: Ledger,
    commit: &str,
) -> Result<Exit, Failure> {
    loop {
        let fate = match known(&ledger, commit)? {
            Some(id) => verdict(&ledger, &id),
            None => Verdict::Unseen,
        };
        let Some((exit, words)) = outcome(&fate) else {
            watching.tell(&ledger, &fate, commit);
            match watching.next().await? {
                Some(newer) => ledger = newer,
                None => return watching.timeout(Some(commit)).await,
            }
            continue;
        };
        let next = if exit == Exit::Done {
            Vec::new()
        } else {
            view(&watching.app.namespace, &watching.app.name, &ledger).next
        };
        watching.end(Some(commit), exit, &words, next)?;
        return Ok(exit);
    }
}

/// How waiting ended, for programs.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Ending<'a> {
    gitsync: String,
    /// The commit; null where none was seen yet.
    commit: Option<&'a str>,
    /// The exit code.
    exit: u8,
    message: &'a str,
    /// Commands that help now.
    next: Vec<String>,
}

/// How the program ends; `None` while there is something to wait for.
pub(super) fn outcome(verdict: &Verdict) -> Option<(Exit, String)> {
    match verdict {
        Verdict::Going | Verdict::Unseen => None,
        Verdict::Done(why) => Some((Exit::Done, format!("done: {why}"))),
        Verdict::Failed(why) => Some((Exit::Failed, format!("failed: {why}"))),
        Verdict::Waiting(_, why) => Some((Exit::Waiting, format!("waits for a person: {why}"))),
        Verdict::Superseded => Some((
            Exit::Superseded,
            "superseded: a newer commit took over".to_owned(),
        )),
    }
}

/// Looks at one ledger until a deadline.
pub(super) struct Watching {
    cluster: Cluster,
    app: App,
    report: Report,
    voice: Voice,
    /// Where the Lease of the agent is; `None` before there was a ledger.
    seat: Option<Seat>,
    /// When time is up, since boot.
    end: Duration,
    /// The version of the head that was read last; `None` before there was one.
    version: Option<String>,
    told: String,
    told_at: Duration,
}

impl Watching {
    pub(super) fn new(
        cluster: Cluster,
        app: App,
        span: Duration,
        report: Report,
        voice: Voice,
    ) -> Self {
        let now = since_boot();
        Self {
            cluster,
            app,
            report,
            voice,
            seat: None,
            end: now + span,
            version: None,
            told: String::new(),
            told_at: now,
        }
    }

    /// Waits until the ledger is another one, at first until there is one; `None` at the deadline.
    /// Failures that may pass are told and waited out.
    pub(super) async fn next(&mut self) -> Result<Option<Ledger>, Failure> {
        loop {
            match timeout(self.left(), self.look()).await {
                Err(_) => return Ok(None),
                Ok(Ok(Some(ledger))) => return Ok(Some(ledger)),
                Ok(Ok(None)) => {}
                Ok(Err(Failure::Refused(refusal))) if self.may_pass(&refusal) => {
                    self.say(refusal.to_string());
                }
                Ok(Err(failure)) => return Err(failure),
            }
            if timeout(self.left(), sleep(LOOK)).await.is_err() {
                return Ok(None);
            }
            self.say(self.told.clone());
        }
    }

    /// Says whether a refusal may be over soon. An API server that is starting knows nobody's rights
    /// yet: who could read before may be refused for a while.
    fn may_pass(&self, refusal: &Refusal) -> bool {
        let rights = matches!(
            refusal.cause,
            Cause::Forbidden { .. } | Cause::Unauthenticated
        );
        refusal.is_transient() || rights && self.version.is_some()
    }

    fn left(&self) -> Duration {
        self.end.saturating_sub(since_boot())
    }

    /// Reads the ledger if its head has changed. Where there never was one it may still come: the
    /// agent writes it when it first sees the `GitSync`.
    async fn look(&mut self) -> Result<Option<Ledger>, Failure> {
        let head = Records::head(&self.app.namespace, &self.app.name);
        let Some(found) = self.cluster.get("v1", &head).await? else {
            if self.version.is_some() {
                return Err(Failure::NoSuchApp(self.app.to_string()));
            }
            self.say("no agent has written its ledger yet".to_owned());
            return Ok(None);
        };
        let version = found.resource_version().map(ToOwned::to_owned);
        if self.version.is_some() && self.version == version {
            return Ok(None);
        }
        let mut ledger = read(&self.cluster, &self.app).await?;
        if found.annotation(request::PAUSE).is_none() {
            // A person has resumed, and the agent has not seen it yet.
            ledger.pause = None;
        }
        self.version = version;
        if self.seat.is_none() {
            self.seat = Some(Seat::of(&ledger));
            self.tell_silence().await;
        }
        Ok(Some(ledger))
    }

    /// Tells where no agent works: what is waited for may never come.
    async fn tell_silence(&self) {
        let Some(seat) = &self.seat else { return };
        if let Some(words) = seat.silence(&self.cluster).await {
            self.voice.say(&format!("{}  Agent: {words}", self.app));
        }
    }

    /// Tells how it ended.
    fn end(
        &self,
        commit: Option<&str>,
        exit: Exit,
        message: &str,
        next: Vec<String>,
    ) -> Result<(), Failure> {
        let ending = Ending {
            gitsync: self.app.to_string(),
            commit,
            exit: exit as u8,
            message,
            next,
        };
        let short = commit.map_or("", |commit| commit.get(..7).unwrap_or(commit));
        let told = || format!("{}  {short}  {}\n", self.app, plain(message));
        self.report.one(&ending, told)?;
        if self.report.is_table() {
            for command in &ending.next {
                self.voice.say(&format!("  next: {command}"));
            }
        }
        Ok(())
    }

    /// Tells where the commit is.
    fn tell(&mut self, ledger: &Ledger, fate: &Verdict, commit: &str) {
        let view = view(&self.app.namespace, &self.app.name, ledger);
        let words = if *fate == Verdict::Unseen {
            format!("{commit} was not seen yet")
        } else {
            let batch = view
                .summary
                .batch
                .map_or_else(String::new, |batch| format!("{batch}  "));
            format!("{}  {batch}{}", view.summary.state, view.summary.message)
        };
        self.say(words);
    }

    /// Says what is new, and what is old once a minute.
    fn say(&mut self, words: String) {
        let now = since_boot();
        if words.is_empty() || (words == self.told && now < self.told_at + HEARTBEAT) {
            return;
        }
        self.voice.say(&format!("{}  {words}", self.app));
        self.told = words;
        self.told_at = now;
    }

    /// Tells that time is up.
    pub(super) async fn timeout(&self, commit: Option<&str>) -> Result<Exit, Failure> {
        self.tell_silence().await;
        let words = "timeout; the work goes on";
        if self.report.is_table() {
            self.voice.say(&format!("{}  {words}", self.app));
        } else {
            self.end(commit, Exit::Timeout, words, Vec::new())?;
        }
        Ok(Exit::Timeout)
    }
}
