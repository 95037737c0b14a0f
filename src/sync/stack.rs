//! A thread on which the deepest document can be read.

use std::{io, thread};

use tokio::sync::oneshot;

use crate::manifest::STACK;

/// Runs work that reads YAML on a thread of its own, so that no other task waits for it; its panics
/// go on here.
///
/// # Errors
/// Where no thread can be started, which says nothing about what would have been read.
pub async fn on_deep_stack<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<T> {
    let (answer, answered) = oneshot::channel();
    let thread = thread::Builder::new()
        .name("reading".to_owned())
        .stack_size(STACK)
        .spawn(move || {
            // Whoever asked may be gone.
            let _ = answer.send(work());
        })?;
    match answered.await {
        Ok(value) => Ok(value),
        Err(_) => match thread.join() {
            Ok(()) => Err(io::ErrorKind::BrokenPipe.into()),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_deepest_document_is_read_and_told() {
        let deep = format!("a: {}{}", "[".repeat(99), "]".repeat(99));
        let read = move |text: String| {
            let mut budget = crate::yaml::Budget::default();
            crate::yaml::read("a.yaml", text.as_bytes(), &mut budget).map(|nodes| nodes.len())
        };
        assert_eq!(on_deep_stack(move || read(deep)).await.unwrap(), Ok(1));
    }

    #[tokio::test]
    #[should_panic(expected = "on the thread")]
    async fn a_panic_goes_on_where_the_answer_is_waited_for() {
        let _ = on_deep_stack(|| panic!("on the thread")).await;
    }
}
