//! The `ztwin` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // First: inside of `ztwin sim` this program is called thousands of times.
    if let Some(code) = ztwin::sim::client::run(std::env::args_os()) {
        return ExitCode::from(code);
    }
    ExitCode::from(ztwin::cli::main(std::env::args_os()))
}
