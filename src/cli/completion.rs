//! `tidegate completion`: what a shell needs to complete the command line.

use clap::{Command, CommandFactory as _};
use clap_complete::{Shell, generate};

use super::Exit;
use super::failure::Failure;
use super::show::print;

/// For which shell.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// The shell; `source <(tidegate completion bash)` tries it, the shell's own documentation
    /// says where it is kept.
    shell: Shell,
}

pub(super) fn run(asked: &Arguments) -> Result<Exit, Failure> {
    let whole = super::Arguments::command();
    // What is hidden is for the program itself.
    let verbs = whole.get_subcommands().filter(|verb| !verb.is_hide_set());
    let mut shown = Command::new("tidegate")
        .args(whole.get_arguments())
        .subcommands(verbs.cloned());
    let mut script = Vec::new();
    generate(asked.shell, &mut shown, "tidegate", &mut script);
    print(&String::from_utf8_lossy(&script))?;
    Ok(Exit::Done)
}
