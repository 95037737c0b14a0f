//! The parent's side of a fetch: starts the child, speaks with it, ends it.

use std::{
    io,
    os::unix::process::ExitStatusExt,
    path::Path,
    process::{ExitStatus, Stdio},
};

use rustix::process::Signal;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    process::{Child, Command},
};

use super::{
    Reason,
    child::{Answer, Failure, HOME, Request},
};

/// The most bytes that are read of each of the child's outputs.
const LARGEST_ANSWER: u64 = 1 << 20;

/// Asks a child for a fetch, and kills it at the deadline or when this future is dropped.
pub(super) async fn ask(program: &Path, request: &Request) -> Answer {
    let mut child = start(program, request).map_err(|error| {
        let text = format!("`{}` cannot be started: {error}", program.display());
        Failure::new(Reason::FetchFailed, text)
    })?;
    match tokio::time::timeout(request.timeout, speak(&mut child, request)).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(error)) => Err(Failure::new(Reason::FetchFailed, error.to_string())),
        Err(_) => {
            // It may have ended by itself just now; either way it is gone afterwards.
            let _ = child.kill().await;
            let text = format!("it took longer than {:?} and was ended", request.timeout);
            Err(Failure::new(Reason::TimedOut, text))
        }
    }
}

fn start(program: &Path, request: &Request) -> io::Result<Child> {
    Command::new(program)
        .arg("git-fetch")
        .env("HOME", request.directory.join(HOME))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
}

async fn speak(child: &mut Child, request: &Request) -> io::Result<Answer> {
    let piped = "its standard streams are piped";
    // Kept open until the child has ended: it ends when this does.
    let mut stdin = child.stdin.take().expect(piped);
    let stdout = child.stdout.take().expect(piped);
    let stderr = child.stderr.take().expect(piped);
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    // A child that died early cannot be written to; how it ended tells more.
    let _ = stdin.write_all(&line).await;
    let (mut answer, mut noise) = (Vec::new(), Vec::new());
    let mut stdout = stdout.take(LARGEST_ANSWER);
    let mut stderr = stderr.take(LARGEST_ANSWER);
    tokio::try_join!(
        stdout.read_to_end(&mut answer),
        stderr.read_to_end(&mut noise)
    )?;
    let status = child.wait().await?;
    drop(stdin);
    Ok(serde_json::from_slice(&answer).unwrap_or_else(|_| Err(obituary(status, &noise))))
}

/// Says why a child ended without an answer.
fn obituary(status: ExitStatus, noise: &[u8]) -> Failure {
    let noise = String::from_utf8_lossy(noise);
    let died_of = |signal: Signal| status.signal() == Some(signal.as_raw());
    if died_of(Signal::XFSZ) {
        Failure::new(Reason::Limits, "the pack is larger than the limit of bytes")
    } else if noise.contains("memory allocation of") {
        Failure::new(Reason::Limits, "the fetch needs more memory than its limit")
    } else if died_of(Signal::KILL) {
        Failure::new(
            Reason::Limits,
            "the fetching process was killed, probably for its memory",
        )
    } else {
        Failure::new(
            Reason::FetchFailed,
            format!("the fetching process ended: {status}: {noise}"),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_child_is_told_by_its_cause() {
        let reason = |raw, noise: &[u8]| obituary(ExitStatus::from_raw(raw), noise).reason;
        assert_eq!(reason(Signal::XFSZ.as_raw(), b""), Reason::Limits);
        assert_eq!(
            reason(Signal::ABORT.as_raw(), b"memory allocation of 9 bytes"),
            Reason::Limits
        );
        assert_eq!(reason(Signal::KILL.as_raw(), b""), Reason::Limits);
        assert_eq!(reason(Signal::SEGV.as_raw(), b""), Reason::FetchFailed);
        assert_eq!(reason(1 << 8, b"usage"), Reason::FetchFailed);
    }
}
