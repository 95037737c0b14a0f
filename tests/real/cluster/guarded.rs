//! Programs that cannot outlive the test process, however it ends.
//!
//! Each runs under a shell that holds the reading end of a pipe; the only writing end is here and
//! is closed by the kernel when this process is gone, `kill -9` included. The guard then kills its
//! program. No signal has to be caught for that, and no thread has to live.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// `sh` redirects the standard input of what it starts in the background, hence descriptor 3. The
/// shell ends with its program and passes its status on.
const GUARD: &str = r#"
"$@" </dev/null >&2 &
program=$!
echo $program
exec 3<&0 </dev/null >/dev/null
{ read -r _; kill -KILL $program; } <&3 2>/dev/null &
guard=$!
exec 3<&-
wait $program
status=$?
kill $guard 2>/dev/null
exit $status
"#;

/// Tries again while a killed program may still be writing into the folder.
const REMOVER: &str =
    r#"read -r _; for _ in 1 2 3 4 5 6 7 8 9; do rm -rf -- "$1" && exit; sleep 0.2; done"#;

/// A running program; dropping it kills it and returns when it is gone.
pub(crate) struct Guarded {
    shell: Child,
    program: Pid,
    log: PathBuf,
}

impl Guarded {
    /// Starts `program`, whose output is appended to `log`.
    pub(crate) fn start(program: &Path, arguments: &[String], log: &Path) -> Self {
        let output = OpenOptions::new()
            .create(true)
            .append(true)
            .open(log)
            .expect("the folder of the control plane can be written");
        let mut shell = Command::new("sh")
            .args(["-c", GUARD, "guard"])
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(output)
            .spawn()
            .expect("there is a `sh`");
        let mut first = String::new();
        BufReader::new(shell.stdout.take().expect("it is piped"))
            .read_line(&mut first)
            .expect("the guard tells the program's id");
        let program = first.trim().parse().ok().and_then(Pid::from_raw);
        Self {
            program: program.expect("the guard tells the program's id"),
            shell,
            log: log.to_owned(),
        }
    }

    /// Returns the process id of the program itself.
    pub(crate) fn id(&self) -> i32 {
        self.program.as_raw_nonzero().get()
    }

    /// Stops the program where it stands, as a machine that hangs would: none of its threads runs
    /// any more.
    pub(crate) fn pause(&self) {
        self.signal(Signal::STOP);
        while self.runs() {
            sleep(Duration::from_millis(1));
        }
    }

    /// Says whether a thread of it is not stopped; on a busy machine the signal takes its time.
    fn runs(&self) -> bool {
        let threads = fs::read_dir(format!("/proc/{}/task", self.id())).expect("it is there");
        let mut states = threads.flatten().filter_map(|thread| {
            let stat = fs::read_to_string(thread.path().join("stat")).ok()?;
            stat.rsplit_once(") ")?.1.chars().next()
        });
        states.any(|state| state != 'T')
    }

    /// Lets a paused program go on.
    pub(crate) fn resume(&self) {
        self.signal(Signal::CONT);
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.program, signal).expect("the program runs while its guard is held");
    }

    /// Returns how the program ended, if it did, with the end of its log.
    pub(crate) fn ended(&mut self) -> Option<(ExitStatus, String)> {
        let status = self.shell.try_wait().expect("the guard is our child")?;
        Some((status, self.last_words()))
    }

    /// Returns the last lines of the log.
    pub(crate) fn last_words(&self) -> String {
        let log = fs::read(&self.log).unwrap_or_default();
        let log = String::from_utf8_lossy(&log[log.len().saturating_sub(4_000)..]);
        format!("…{log}")
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        end(&mut self.shell);
    }
}

/// A folder for temporary files that is removed when dropped, or when the test process is gone.
pub(crate) struct GuardedFolder {
    path: PathBuf,
    remover: Child,
}

impl GuardedFolder {
    /// Makes a folder below the system's directory for temporary files.
    pub(crate) fn new() -> Self {
        let path = tempfile::Builder::new()
            .prefix("tidegate-control-plane-")
            .tempdir()
            .expect("there is room for temporary files")
            .keep();
        let remover = Command::new("sh")
            .args(["-c", REMOVER, "remover"])
            .arg(&path)
            .stdin(Stdio::piped())
            .spawn()
            .expect("there is a `sh`");
        Self { path, remover }
    }

    /// Returns where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for GuardedFolder {
    fn drop(&mut self) {
        end(&mut self.remover);
    }
}

/// Closes the pipe and waits for what the shell does then.
fn end(shell: &mut Child) {
    drop(shell.stdin.take());
    shell.wait().expect("the guard is our child");
}
