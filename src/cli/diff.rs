//! `ztwin diff`: the same steps on the model and a real pool, side by side.

use std::path::PathBuf;

use clap::Args;

use super::input::{self, Selection};
use super::progress::Progress;
use super::results::{Form, Found};
use super::{Context, Exit, Failure};
use crate::compare::{Names, diff_trace};
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
    #[command(flatten)]
    pub form: Form,
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
        let mut found = Vec::with_capacity(loaded.len());
        let progress = Progress::start(context.progress, loaded.len());
        for loaded in &loaded {
            if context.interrupt.requested() {
                progress.finish();
                let steps: usize = found.iter().map(|it: &Found<'_>| it.report.steps).sum();
                let divergences: usize = found.iter().map(|it| it.report.divergences.len()).sum();
                let done = found.len();
                return Err(Failure::Interrupted(format!(
                    "{done} traces, {steps} steps: {divergences} divergences so far"
                )));
            }
            progress.show(&loaded.name);
            let name = quote(&loaded.name);
            let one = Found {
                loaded,
                release: real.release(),
                version: real.version(),
                names: names.clone(),
                replay: format!("ztwin diff --pool {} {name}", quote(&self.pool)),
                recorded: false,
                report: diff_trace(&loaded.trace, model.as_mut(), real.as_mut())?,
            };
            if !self.form.json {
                progress.suspend(|| {
                    one.show(context.out, context.colour)?;
                    context.out.flush()
                })?;
            }
            found.push(one);
            progress.advance();
        }
        progress.finish();
        self.form
            .write(context, "ztwin diff", loaded.len(), &found, true)
    }
}
