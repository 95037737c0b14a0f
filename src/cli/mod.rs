//! The command line: one file a command. Commands read the ledger and write requests; the agent is
//! reached only through these records.
//!
//! Never: a decision about a rollout; a write to a workload, `release` apart, which needs no agent.

mod abort;
mod approve;
mod ask;
mod completion;
mod demo;
mod diff;
mod events;
mod explain;
mod failure;
mod fields;
mod findings;
mod history;
mod inspect;
mod leader;
mod live;
mod look;
mod man;
mod pause;
mod plan;
mod promote;
mod reach;
mod release;
mod restart;
mod resume;
mod retry;
mod run;
mod show;
mod status;
mod sync;
mod table;
mod validate;
mod wait;
mod watch;

use std::{future::Future, process::ExitCode};

use clap::{ArgAction, Parser, Subcommand};
use tracing_subscriber::EnvFilter;

use self::failure::Failure;

/// Makes a Kubernetes cluster follow a Git repository in controlled, health-checked batches.
#[derive(Debug, Parser)]
#[command(name = "tidegate", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Arguments {
    #[command(subcommand)]
    verb: Verb,
    /// Writes no narration to standard error; what was asked for still comes.
    #[arg(short, long, global = true)]
    quiet: bool,
    /// Logs more to standard error: -v what is done, -vv every call.
    #[arg(short, long, global = true, action = ArgAction::Count)]
    verbose: u8,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    done, no difference
  1    differences (plan, diff), findings (validate), not as told (demo)
  2    usage or unexpected error
  3    rejected, failed, aborted or rolled back
  4    timeout, the work goes on; also a commit that was never seen
  5    waits for a person
  6    superseded by a newer commit
  130  interrupted
  143  terminated";

#[derive(Debug, Subcommand)]
enum Verb {
    /// Shows all GitSyncs of a namespace, or one of them in detail.
    Status(status::Arguments),
    /// Shows the batches of a rollout while they go; ends with its fate, as the exit code tells it.
    Watch(watch::Arguments),
    /// Shows what became of the commits that changed the path, newest first.
    History(history::Arguments),
    /// Shows what happened: Events of the agent and of Kubernetes, and the ends of commits.
    Events(events::Arguments),
    /// Says why it is not as Git says: pods, reasons, what the commit changed, what helps.
    Explain(explain::Arguments),
    /// Waits for the fate of a commit, for CI; the exit code tells it.
    Wait(wait::Arguments),
    /// Shows the policy in force for each workload, and where each value was said.
    Inspect(inspect::Arguments),
    /// Shows what the next sync would do: objects, batches, deletes.
    Plan(look::Arguments),
    /// Compares the live objects with Git, field by field.
    Diff(look::Arguments),
    /// Asks for a fetch and a pass now.
    Sync(sync::Arguments),
    /// Holds: the running batch ends, no batch opens, new commits are recorded and not started.
    Pause(pause::Arguments),
    /// Ends a pause.
    Resume(resume::Arguments),
    /// Stops the rollout under way, goes back to the last good revision and quarantines the commit.
    Abort(abort::Arguments),
    /// Approves what waits for it: a rollout, a batch, deletes beyond the budget, a rewritten
    /// history.
    Approve(approve::Arguments),
    /// Lets the next batch open as soon as its pods allow it: without its approval, the rest of the
    /// soak or a window.
    Promote(promote::Arguments),
    /// Replaces the pods in batches, without a commit.
    Restart(restart::Arguments),
    /// Lifts the quarantine of a commit and tries it again.
    Retry(retry::Arguments),
    /// Gives the workloads back to Kubernetes; needs neither Git nor a running agent.
    Release(release::Arguments),
    /// Says what the agent would refuse of files that are not committed yet, unknown fields and wrong
    /// types among it; needs no cluster, whose own rules and kinds alone are left.
    Validate(validate::Arguments),
    /// Prints what a shell needs to complete this command line.
    Completion(completion::Arguments),
    /// Prints the manual page, or writes those of all commands.
    Man(man::Arguments),
    /// Plays it all on a simulated cluster: commits, batches, a failure, a revert.
    Demo(demo::Arguments),
    /// Runs the agent.
    Run(run::Arguments),
    /// Does the network work of one fetch, told by standard input.
    #[command(hide = true)]
    GitFetch,
}

/// How a command ended, as the exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    Done = 0,
    Difference = 1,
    Fault = 2,
    Failed = 3,
    Timeout = 4,
    Waiting = 5,
    Superseded = 6,
    Interrupted = 130,
    Terminated = 143,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// Reads the command line, does what it says and returns the exit code.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if matches!(arguments.verb, Verb::GitFetch) {
        // It limits its own process and starts its own threads.
        return match crate::git::child::run() {
            Ok(()) => Exit::Done.into(),
            Err(fault) => {
                Failure::Child(fault).tell();
                Exit::Fault.into()
            }
        };
    }
    log(&arguments);
    // Both are process-wide and come before any thread; a second installation would be refused.
    let _ = rustls::crypto::ring::default_provider().install_default();
    if let Err(fault) = crate::git::prepare() {
        Failure::Git(fault.to_string()).tell();
        return Exit::Fault.into();
    }
    let exit = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime.block_on(perform(arguments)),
        Err(fault) => Err(Failure::Runtime(fault)),
    };
    match exit {
        Ok(exit) => exit.into(),
        // Whoever wanted the first lines only has them.
        Err(Failure::ReaderGone) => Exit::Done.into(),
        Err(failure) => {
            failure.tell();
            Exit::Fault.into()
        }
    }
}

async fn perform(arguments: Arguments) -> Result<Exit, Failure> {
    let level = level(&arguments);
    let voice = show::Voice {
        is_quiet: arguments.quiet,
    };
    match arguments.verb {
        // The agent takes its signals itself: the first drains.
        Verb::Run(asked) => run::run(asked).await,
        // It has much to take away before it ends.
        Verb::Demo(asked) => demo::run(asked, voice, level).await,
        // These say themselves that the rollout goes on.
        Verb::Watch(asked) => watch::run(asked, voice).await,
        Verb::Status(asked) => status::run(asked, voice).await,
        Verb::History(asked) => unless_interrupted(history::run(asked)).await,
        Verb::Wait(asked) => unless_interrupted(wait::run(asked, voice)).await,
        Verb::Events(asked) => unless_interrupted(events::run(asked)).await,
        Verb::Explain(asked) => unless_interrupted(explain::run(asked)).await,
        Verb::Inspect(asked) => unless_interrupted(inspect::run(asked)).await,
        Verb::Plan(asked) => unless_interrupted(plan::run(asked)).await,
        Verb::Diff(asked) => unless_interrupted(diff::run(asked)).await,
        Verb::Sync(asked) => unless_interrupted(sync::run(asked, voice)).await,
        Verb::Pause(asked) => unless_interrupted(pause::run(asked, voice)).await,
        Verb::Resume(asked) => unless_interrupted(resume::run(asked, voice)).await,
        Verb::Abort(asked) => unless_interrupted(abort::run(asked, voice)).await,
        Verb::Approve(asked) => unless_interrupted(approve::run(asked, voice)).await,
        Verb::Promote(asked) => unless_interrupted(promote::run(asked, voice)).await,
        Verb::Restart(asked) => unless_interrupted(restart::run(asked, voice)).await,
        Verb::Retry(asked) => unless_interrupted(retry::run(asked, voice)).await,
        Verb::Release(asked) => unless_interrupted(release::run(asked, voice)).await,
        Verb::Validate(asked) => unless_interrupted(validate::run(asked)).await,
        Verb::Completion(asked) => completion::run(&asked),
        Verb::Man(asked) => man::run(&asked),
        Verb::GitFetch => Ok(Exit::Done),
    }
}

async fn unless_interrupted(
    verb: impl Future<Output = Result<Exit, Failure>>,
) -> Result<Exit, Failure> {
    tokio::select! {
        exit = verb => exit,
        _ = tokio::signal::ctrl_c() => Ok(Exit::Interrupted),
    }
}

/// Logs to standard error; the demo, which paints its own screen, to a file of its own.
fn log(arguments: &Arguments) {
    if matches!(arguments.verb, Verb::Demo(_)) {
        return;
    }
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(level(arguments)))
        .with_writer(std::io::stderr)
        .with_ansi(show::is_colourful(show::Colour::Auto, &std::io::stderr()))
        .init();
}

/// What is logged: an agent says what it does, other commands only what is wrong.
fn level(arguments: &Arguments) -> &'static str {
    let is_agent = matches!(arguments.verb, Verb::Run(_) | Verb::Demo(_));
    match (arguments.verbose, is_agent) {
        (0, _) if arguments.quiet => "tidegate=error,off",
        (0, true) => "tidegate=info,warn",
        (0, false) => "tidegate=warn,off",
        (1, _) => "tidegate=debug,info",
        // A log in a watched folder would tell of its own lines for ever.
        (_, _) => "trace,notify=info",
    }
}
