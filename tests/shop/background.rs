//! Where the stand-ins and the traces run: on threads of their own, so that a test that blocks
//! (on `kubectl`, on the agent's end) holds none of them up.

use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, mpsc};

use futures::{Stream, StreamExt};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| {
    Builder::new_multi_thread()
        .worker_threads(4)
        .thread_name("stand-in")
        .enable_all()
        .build()
        .expect("the machine has threads left")
});

/// A task that ends when this is dropped.
pub(crate) struct Background(JoinHandle<()>);

impl Background {
    /// Starts the task.
    pub(crate) fn start(task: impl Future<Output = ()> + Send + 'static) -> Self {
        Self(RUNTIME.spawn(task))
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// All that a stream has brought so far, and goes on to bring until this is dropped.
pub(crate) struct Record<T> {
    news: Arc<Mutex<Vec<T>>>,
    _watching: Background,
}

impl<T: Send + 'static> Record<T> {
    /// Starts to take it down.
    pub(crate) fn start(mut changes: impl Stream<Item = T> + Send + Unpin + 'static) -> Self {
        let news = Arc::new(Mutex::new(Vec::new()));
        let record = Arc::clone(&news);
        let watching = Background::start(async move {
            while let Some(change) = changes.next().await {
                record.lock().expect("nobody panics with it").push(change);
            }
        });
        Self {
            news,
            _watching: watching,
        }
    }

    /// What it has brought.
    pub(crate) fn news(&self) -> MutexGuard<'_, Vec<T>> {
        self.news.lock().expect("nobody panics with it")
    }
}

/// Blocks this thread, which may belong to another runtime, until the future is done.
pub(crate) fn wait_for<T: Send + 'static>(future: impl Future<Output = T> + Send + 'static) -> T {
    let (done, result) = mpsc::channel();
    RUNTIME.spawn(async move { done.send(future.await) });
    result.recv().expect("the task does not panic")
}
