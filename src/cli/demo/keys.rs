//! What the user presses. On a terminal it is read key by key, and not shown.

use std::io::{IsTerminal as _, Read as _};

use rustix::process::getpgrp;
use rustix::termios::{
    LocalModes, OptionalActions, SpecialCodeIndex, Termios, tcgetattr, tcgetpgrp, tcsetattr,
};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// A key that means something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    /// Do the next step.
    Enter,
    /// End the demo.
    Quit,
}

/// The keyboard, or whatever standard input is.
pub(super) struct Keys {
    pressed: Option<UnboundedReceiver<Key>>,
    is_terminal: bool,
    /// Whether any key has come.
    has_come: bool,
    _quiet: Option<Quiet>,
}

/// A terminal that shows no keys, until this is dropped.
struct Quiet(Termios);

impl Drop for Quiet {
    fn drop(&mut self) {
        // A terminal that is gone needs nothing.
        let _gone = tcsetattr(std::io::stdin(), OptionalActions::Flush, &self.0);
    }
}

impl Keys {
    /// Opens the keyboard; nothing is read of it where nobody is asked.
    pub(super) fn open(is_asked: bool) -> Self {
        let is_terminal = std::io::stdin().is_terminal();
        let quiet = quiet().filter(|_| is_terminal);
        Self {
            pressed: is_asked.then(listen),
            is_terminal,
            has_come: false,
            _quiet: quiet,
        }
    }

    /// Returns the next key that was pressed; `None` where none was. While nobody is asked, Enter
    /// on a terminal is forgotten, and what is piped in waits for its turn.
    pub(super) fn next(&mut self, is_asked: bool) -> Option<Key> {
        let pressed = self.pressed.as_mut()?;
        if !is_asked && !self.is_terminal {
            return None;
        }
        loop {
            let key = pressed.try_recv().ok()?;
            self.has_come = true;
            if is_asked || key == Key::Quit {
                return Some(key);
            }
        }
    }

    /// Says whether input that is no terminal has brought its last key. Where it never brought one,
    /// the demo is played by hand.
    pub(super) fn have_run_out(&self) -> bool {
        self.has_come && !self.is_terminal && !self.are_open()
    }

    /// Says whether anybody may still press a key.
    pub(super) fn are_open(&self) -> bool {
        let pressed = self.pressed.as_ref();
        pressed.is_some_and(|pressed| !pressed.is_closed() || !pressed.is_empty())
    }
}

/// Reads standard input on a thread that nobody waits for: a read cannot be ended.
fn listen() -> UnboundedReceiver<Key> {
    let (press, pressed) = unbounded_channel();
    let reading = std::thread::Builder::new().name("keys".to_owned());
    // Without the thread nothing is ever pressed, and the sender is gone.
    let _thread = reading.spawn(move || {
        for byte in std::io::stdin().lock().bytes() {
            let key = match byte {
                Ok(b'\n' | b'\r') => Key::Enter,
                Ok(b'q' | b'Q') => Key::Quit,
                Ok(_) => continue,
                Err(_) => break,
            };
            if press.send(key).is_err() {
                break;
            }
        }
    });
    pressed
}

/// Turns echo and line editing off; Ctrl-C goes on to be a signal. A job in the background of its
/// terminal would be stopped for that, and leaves it.
fn quiet() -> Option<Quiet> {
    let stdin = std::io::stdin();
    if tcgetpgrp(&stdin).is_ok_and(|foreground| foreground != getpgrp()) {
        return None;
    }
    let before = tcgetattr(&stdin).ok()?;
    let mut modes = before.clone();
    modes
        .local_modes
        .remove(LocalModes::ECHO | LocalModes::ICANON);
    modes.special_codes[SpecialCodeIndex::VMIN] = 1;
    modes.special_codes[SpecialCodeIndex::VTIME] = 0;
    tcsetattr(&stdin, OptionalActions::Now, &modes).ok()?;
    Some(Quiet(before))
}
