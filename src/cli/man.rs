//! `tidegate man`: the manual pages.

use std::io;
use std::path::PathBuf;

use clap::CommandFactory as _;
use clap_mangen::Man;

use super::Exit;
use super::failure::Failure;
use super::show::{print, unwritten};

/// Where the pages go.
#[derive(clap::Args, Debug)]
pub(super) struct Arguments {
    /// Writes the page of every command into this directory, which is made where it is not there, as
    /// `tidegate-status.1`; without it
    /// the main page is printed.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

pub(super) fn run(asked: &Arguments) -> Result<Exit, Failure> {
    let command = super::Arguments::command();
    let Some(directory) = &asked.dir else {
        let mut page = Vec::new();
        Man::new(command).render(&mut page).map_err(unwritten)?;
        print(&String::from_utf8_lossy(&page))?;
        return Ok(Exit::Done);
    };
    let written = std::fs::create_dir_all(directory)
        .and_then(|()| clap_mangen::generate_to(command, directory));
    written.map_err(|cause: io::Error| Failure::Unwritten {
        file: directory.clone(),
        cause,
    })?;
    Ok(Exit::Done)
}
