//! A terminal of some size that a program writes to, and what then stands on it.

use std::fs::{File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

/// What has been written to a terminal, as it comes.
pub(crate) struct Terminal {
    columns: usize,
    keyboard: File,
    written: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Terminal {
    /// Starts a program whose output goes to a terminal of this size.
    pub(crate) fn start(mut command: Command, columns: u16, rows: u16) -> (Child, Self) {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let size = Winsize {
            ws_col: columns,
            ws_row: rows,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&ours, size).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let name = name.to_str().unwrap();
        let theirs = OpenOptions::new()
            .read(true)
            .write(true)
            .open(name)
            .unwrap();
        let keyboard = File::from(ours.try_clone().unwrap());
        let child = command
            .env("TERM", "xterm")
            .stdin(theirs.try_clone().unwrap())
            .stderr(theirs.try_clone().unwrap())
            .stdout(theirs)
            .spawn()
            .expect("the program can be started");
        let written = Arc::new(Mutex::new(Vec::new()));
        let (kept, columns) = (Arc::clone(&written), columns.into());
        let reader = std::thread::spawn(move || read(ours, &kept));
        let terminal = Self {
            columns,
            keyboard,
            written,
            reader,
        };
        (child, terminal)
    }

    /// Presses keys.
    pub(crate) fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Says whether it shows what is pressed and waits for whole lines, as shells leave it.
    pub(crate) fn is_as_shells_leave_it(&self) -> bool {
        let modes = tcgetattr(&self.keyboard).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON)
    }

    /// Everything that was written.
    pub(crate) fn written(&self) -> String {
        String::from_utf8_lossy(&self.written.lock().unwrap()).into_owned()
    }

    /// Everything that the program had written when it ended, and the lines that then stand
    /// there, those that scrolled away too.
    pub(crate) fn ended(self) -> (String, Vec<String>) {
        self.reader.join().unwrap();
        let written = self.written.lock().unwrap();
        let written = String::from_utf8(written.clone()).unwrap();
        let lines = stands(&written, self.columns);
        (written, lines)
    }
}

/// Ends with an error when the last program has closed the other side.
fn read(ours: OwnedFd, kept: &Mutex<Vec<u8>>) {
    let mut file = File::from(ours);
    let mut buffer = [0; 4096];
    while let Ok(count @ 1..) = file.read(&mut buffer) {
        kept.lock().unwrap().extend_from_slice(&buffer[..count]);
    }
}

/// Plays what was written: text, returns, cursor up, erase to the end of the line and below. Any
/// other sequence than these and colours is refused.
fn stands(written: &str, columns: usize) -> Vec<String> {
    let mut lines: Vec<Vec<char>> = vec![Vec::new()];
    let (mut row, mut column) = (0, 0);
    let mut rest = written.chars();
    while let Some(letter) = rest.next() {
        match letter {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "a sequence that is no CSI");
                let mut number = String::new();
                let end = loop {
                    match rest.next() {
                        Some(digit @ ('0'..='9' | ';')) => number.push(digit),
                        other => break other,
                    }
                };
                match end {
                    Some('A') => row -= number.parse::<usize>().unwrap(),
                    Some('K') => lines[row].truncate(column),
                    Some('J') => {
                        lines[row].truncate(column);
                        lines.truncate(row + 1);
                    }
                    Some('m') => {}
                    other => panic!("ESC [ {number} {other:?} moves more than own lines"),
                }
            }
            letter => {
                if column == columns {
                    // It wraps, as any terminal does.
                    (row, column) = (row + 1, 0);
                    lines.insert(row, Vec::new());
                }
                lines[row].truncate(column);
                lines[row].push(letter);
                column += 1;
            }
        }
    }
    lines
        .into_iter()
        .map(|line| line.into_iter().collect())
        .collect()
}
