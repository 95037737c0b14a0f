//! The program `tidegate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::args().nth(1).as_deref() == Some("git-fetch")
        && tidegate::git::child::run().is_err()
    {
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
