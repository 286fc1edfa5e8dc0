//! The `ztwin` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(ztwin::cli::main(std::env::args_os()))
}
