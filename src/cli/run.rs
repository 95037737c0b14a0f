//! `tidegate run`: the agent.

use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use crate::cluster::Cluster;
use crate::sync::{Options, Origin, RunFault, Stand, preview};

use super::failure::Failure;
use super::reach::Access;
use super::table::plain;
use super::wait::outcome;
use super::{Exit, plan, show};

/// How the agent is started.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The file with the GitSync documents; it is read again when it changes.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Ends once everything is done or waits for someone.
    #[arg(long)]
    once: bool,
    /// Says what would be done and writes nothing.
    #[arg(long)]
    dry_run: bool,
    /// Lets sources be file: URLs, for a repository on this machine.
    #[arg(long)]
    allow_file_urls: bool,
    /// The directory with one directory for each secret that a source names.
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
    /// The name of the installation; agents of one installation take turns.
    #[arg(
        long,
        value_name = "NAME",
        env = "TIDEGATE_INSTANCE",
        default_value = "tidegate"
    )]
    instance: String,
    /// The directory of the Git mirrors, which may be lost; by default in the user's cache
    /// directory.
    #[arg(long, value_name = "DIR", env = "TIDEGATE_MIRRORS")]
    cache: Option<PathBuf>,
    /// The agent's own namespace, for its Lease; by default that of the context or of the pod.
    #[arg(short, long)]
    namespace: Option<String>,
    #[command(flatten)]
    access: Access,
}

/// Runs the agent until it is done or told to end. The first signal lets it end what it is writing,
/// the second ends it at once; what the cluster then holds stays as it is.
pub(super) async fn run(asked: Arguments) -> Result<Exit, Failure> {
    let is_dry_run = asked.dry_run;
    let options = options(asked)?;
    if is_dry_run {
        return rehearse(&options).await;
    }
    let mut interrupt = signal(SignalKind::interrupt()).map_err(Failure::Runtime)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(Failure::Runtime)?;
    let (stop, stopped) = watch::channel(false);
    let agent = crate::sync::run(options, stopped);
    tokio::pin!(agent);
    loop {
        let exit = tokio::select! {
            ended = &mut agent => return tell(&ended?),
            _ = interrupt.recv() => Exit::Interrupted,
            _ = terminate.recv() => Exit::Terminated,
        };
        if stop.send_replace(true) {
            return Ok(exit);
        }
    }
}

/// Prints how each GitSync stands after `--once`; the gravest of them is the exit code.
fn tell(stands: &[Stand]) -> Result<Exit, Failure> {
    let mut gravest = Exit::Done;
    for stand in stands {
        let (exit, words) = match &stand.fate {
            Ok(fate) => outcome(fate).unwrap_or((Exit::Fault, "it is under way".to_owned())),
            Err(why) => (Exit::Fault, format!("error: {why}")),
        };
        show::print(&format!("{}  {}\n", stand.gitsync, plain(&words)))?;
        if gravity(exit) > gravity(gravest) {
            gravest = exit;
        }
    }
    Ok(gravest)
}

/// What a script has to hear of first.
fn gravity(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::Difference | Exit::Superseded => 1,
        Exit::Waiting => 2,
        Exit::Timeout => 3,
        Exit::Failed => 4,
        Exit::Fault | Exit::Interrupted | Exit::Terminated => 5,
    }
}

/// Prints what the agent would do for each GitSync of the configuration; writes nothing.
async fn rehearse(options: &Options) -> Result<Exit, Failure> {
    let text = std::fs::read_to_string(&options.config);
    let text = text.map_err(|cause| {
        let file = options.config.clone();
        Failure::Config { file, cause }
    })?;
    let syncs = options.gitsyncs(&text);
    let syncs = syncs.map_err(|faults| Failure::Run(RunFault::Config(faults)))?;
    let cluster =
        Cluster::connect(options.kubeconfig.as_deref(), options.context.as_deref()).await?;
    let mut exit = Exit::Done;
    for sync in syncs {
        let looked = preview(&cluster, sync, options, Origin::Branch).await?;
        show::print(&plan::text(&looked, false))?;
        if exit != Exit::Failed {
            exit = match plan::verdict(&looked) {
                Exit::Done => exit,
                verdict => verdict,
            };
        }
    }
    Ok(exit)
}

fn options(asked: Arguments) -> Result<Options, Failure> {
    let cache = asked.cache.map_or_else(default_cache, Ok)?;
    let program = std::env::current_exe().map_err(Failure::Program)?;
    Ok(Options {
        config: asked.config,
        once: asked.once,
        allow_file_urls: asked.allow_file_urls,
        secrets: asked.secrets,
        instance: asked.instance,
        cache,
        namespace: asked.namespace,
        program,
        kubeconfig: asked.access.kubeconfig,
        context: asked.access.context,
    })
}

/// `$XDG_CACHE_HOME/tidegate`, else `~/.cache/tidegate`.
#[expect(
    clippy::disallowed_methods,
    reason = "the user's directories are told by the environment"
)]
fn default_cache() -> Result<PathBuf, Failure> {
    let directory = |name| {
        std::env::var_os(name)
            .map(PathBuf::from)
            .filter(|d| d.is_absolute())
    };
    directory("XDG_CACHE_HOME")
        .or_else(|| Some(directory("HOME")?.join(".cache")))
        .map(|cache| cache.join("tidegate"))
        .ok_or(Failure::Cache(
            "neither XDG_CACHE_HOME nor HOME names a directory",
        ))
}
