//! `ztwin diff`: the same steps on the model and a real pool, side by side.

use std::path::PathBuf;

use clap::Args;

use super::input::{self, Selection};
use super::progress::Progress;
use super::show::Frame;
use super::{Context, Exit, Failure};
use crate::compare::{Excused, Names, diff_trace};
use crate::pools;
use crate::trace::quote;

/// Run the same steps on the model and on a real pool, and compare step by step
///
/// What a trace has recorded plays no part. After every `zpool sync` and at the end of a trace the whole
/// visible state of both is compared too (`state -v`).
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Diff {
    /// Traces, or directories of traces [default: ./traces, else the corpus that is built in]
    #[arg(value_name = "TRACE|DIR")]
    pub traces: Vec<PathBuf>,
    /// The pool to compare with: kernel, or vm:NAME such as vm:trixie
    #[arg(long, value_name = "POOL")]
    pub pool: String,
    /// Give the kernel's pools loop devices instead of files
    #[arg(long = "loop")]
    pub loop_devices: bool,
    #[command(flatten)]
    pub selection: Selection,
}

impl Diff {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let loaded = input::load(&self.traces, &self.selection)?;
        let mut real = pools::open_real(&self.pool, self.loop_devices)?;
        let mut model = pools::open("model", Some(real.release()))?;
        let names = Names {
            expected: format!("OpenZFS {} in {}", real.version(), self.pool),
            got: "the model".to_owned(),
        };
        let mut excused = Excused::default();
        let (mut steps, mut divergences, mut diverges) = (0, 0, false);
        let progress = Progress::start(context.progress, loaded.len());
        for (done, loaded) in loaded.iter().enumerate() {
            if context.interrupt.requested() {
                progress.finish();
                let done =
                    format!("{done} traces, {steps} steps: {divergences} divergences so far");
                return Err(Failure::Interrupted(done));
            }
            progress.show(&loaded.name);
            let report = diff_trace(&loaded.trace, model.as_mut(), real.as_mut())?;
            excused.add(&report.excused);
            steps += report.steps;
            divergences += report.divergences.len();
            diverges |= report.diverges();
            if !report.divergences.is_empty() {
                let replay = format!(
                    "ztwin diff --pool {} {}",
                    quote(&self.pool),
                    quote(&loaded.name)
                );
                let frame = Frame {
                    loaded,
                    names: &names,
                    replay: &replay,
                    recorded: false,
                    colour: context.colour,
                };
                progress.suspend(|| {
                    frame.write(context.out, &report)?;
                    context.out.flush()
                })?;
            }
            progress.advance();
        }
        progress.finish();
        if excused.total() > 0 {
            writeln!(context.out, "values not compared: {excused}")?;
        }
        writeln!(
            context.out,
            "{} traces, {steps} steps: {divergences} divergences",
            loaded.len()
        )?;
        Ok(if diverges {
            Exit::Diverge
        } else if divergences > 0 {
            Exit::NotModelled
        } else {
            Exit::Agree
        })
    }
}
