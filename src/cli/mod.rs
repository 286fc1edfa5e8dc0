//! The command line: one file a subcommand.

mod agent;
mod capture;
mod check;
mod diff;
mod explain;
mod explore;
mod failure;
mod image;
mod input;
mod interrupt;
mod junit;
mod merge;
mod progress;
mod record;
mod results;
mod script;
mod show;
mod shrink;
mod sim;
mod vm;

use std::ffi::OsString;
use std::io::{self, Write};

use clap::{Parser, Subcommand};

pub use crate::exit::Exit;
pub use failure::Failure;
pub use interrupt::Interrupt;

/// A twin for your zpool: says what a ZFS pool must do, and proves it against real ones.
#[derive(Debug, Parser)]
#[command(
    name = "ztwin",
    version,
    max_term_width = 100,
    after_help = "\
Exit codes: 0 all agree, 1 something differs, 2 wrong use or an unreadable trace,
3 the real pool could not be had, 4 nothing differs but some step is not modelled."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

/// The subcommands. Each has a file with its arguments and a function `run`.
#[derive(Debug, Subcommand)]
enum Command {
    Check(check::Check),
    Diff(diff::Diff),
    Record(record::Record),
    Explain(explain::Explain),
    Explore(explore::Explore),
    Shrink(shrink::Shrink),
    Script(script::Script),
    Capture(capture::Capture),
    Image(image::Image),
    Merge(merge::Merge),
    Sim(sim::Sim),
    Vm(vm::Vm),
    #[command(hide = true)]
    Agent(agent::Agent),
    #[command(hide = true)]
    SimNamespace(sim::Try),
    #[command(hide = true)]
    CaptureSession(capture::Words),
    #[command(hide = true)]
    CaptureInside(capture::Words),
    #[command(hide = true)]
    CaptureCall(capture::Words),
}

/// What a subcommand works with, besides its arguments.
pub struct Context<'a> {
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Whether to colour what goes there.
    pub colour: bool,
    /// Whether progress may be shown on standard error.
    pub progress: bool,
    /// Whether the user wants to stop.
    pub interrupt: &'a Interrupt,
}

/// Runs the program with `args`, of which the first is its name; the exit code.
pub fn main(args: impl IntoIterator<Item = OsString>) -> u8 {
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Nothing is left to be done when even this cannot be printed.
            let _ = error.print();
            return if error.use_stderr() {
                Exit::Usage
            } else {
                Exit::Agree
            }
            .code();
        }
    };
    match &cli.command {
        // It hands signals on.
        Command::Sim(sim) => return sim.run(),
        Command::SimNamespace(trial) => return trial.run(),
        _ => {}
    }
    let interrupt = match Interrupt::install() {
        Ok(interrupt) => interrupt,
        Err(error) => {
            eprintln!("ztwin: cannot watch for signals: {error}");
            return Exit::Unavailable.code();
        }
    };
    let mut out = io::BufWriter::new(io::stdout().lock());
    let mut context = Context {
        out: &mut out,
        colour: console::colors_enabled(),
        progress: console::user_attended_stderr(),
        interrupt: &interrupt,
    };
    let result = match cli.command {
        Command::Check(check) => check.run(&mut context),
        Command::Diff(diff) => diff.run(&mut context),
        Command::Record(record) => record.run(&mut context),
        Command::Explain(explain) => explain.run(&mut context),
        Command::Explore(explore) => explore.run(&mut context),
        Command::Shrink(shrink) => shrink.run(&mut context),
        Command::Script(script) => script.run(&mut context),
        Command::Capture(capture) => capture.run(&mut context),
        Command::Image(image) => image.run(&mut context),
        Command::Merge(merge) => merge.run(&mut context),
        Command::Sim(sim) => return sim.run(),
        Command::SimNamespace(trial) => return trial.run(),
        Command::Vm(vm) => vm.run(&mut context),
        Command::Agent(agent) => agent.run(),
        Command::CaptureSession(words) => return words.session(false),
        Command::CaptureInside(words) => return words.session(true),
        Command::CaptureCall(words) => return words.call(),
    };
    let result = result.and_then(|exit| out.flush().map(|()| exit).map_err(Failure::from));
    match result {
        Ok(exit) => exit.code(),
        Err(Failure::Output(error)) if error.kind() == io::ErrorKind::BrokenPipe => {
            // Whoever read our output has seen enough, as with `ztwin check | head`.
            Exit::Diverge.code()
        }
        Err(failure) => {
            eprintln!("{failure}");
            failure.exit().code()
        }
    }
}
