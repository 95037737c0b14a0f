//! The agent of the demo: that of `tidegate run`, in a runtime of its own, so that it can be killed
//! as a process is.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::sync::{Options, RunFault, Stand};

/// Threads of its own.
const THREADS: usize = 2;
/// How long it may take to end in good order.
const END: Duration = Duration::from_secs(6);

/// An agent at work. It is killed where it is dropped.
pub(super) struct Agent {
    /// `None` once it has ended.
    runtime: Option<Runtime>,
    stop: watch::Sender<bool>,
    task: JoinHandle<Result<Vec<Stand>, RunFault>>,
}

impl Agent {
    /// Starts an agent.
    ///
    /// # Errors
    /// Where its threads cannot be started.
    pub(super) fn start(options: Options) -> io::Result<Self> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("agent")
            .enable_all()
            .build()?;
        let (stop, stopped) = watch::channel(false);
        let task = runtime.spawn(crate::sync::run(options, stopped));
        Ok(Self {
            runtime: Some(runtime),
            stop,
            task,
        })
    }

    /// Returns why it has ended by itself; `None` while it works.
    pub(super) async fn ended(&mut self) -> Option<String> {
        if !self.task.is_finished() {
            return None;
        }
        Some(match (&mut self.task).await {
            Ok(Ok(_)) => "it was told to".to_owned(),
            Ok(Err(fault)) => fault.to_string(),
            Err(fault) => fault.to_string(),
        })
    }

    /// Kills it: every task goes where it stands, nothing is given back.
    pub(super) fn kill(mut self) {
        self.drop_runtime();
    }

    /// Lets it end what it is writing and give its Lease back.
    pub(super) async fn retire(mut self) {
        self.stop.send_replace(true);
        // It goes in any case.
        let _late = tokio::time::timeout(END, &mut self.task).await;
        self.drop_runtime();
    }

    fn drop_runtime(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.drop_runtime();
    }
}
