//! `ztwin record`: outcomes of a real pool, written into traces.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::input::{self, Loaded, Selection};
use super::progress::Progress;
use super::show::Frame;
use super::{Context, Exit, Failure};
use crate::compare::{Excused, Names, play, record_trace, verify_recorded};
use crate::pools::{self, Pools, Printed};
use crate::trace::{Recorded, quote, today};

/// Run traces on a real pool and write what it printed into them
///
/// Outcomes that other releases gave stay; where they differ, guards (`? openzfs < 2.3`) are put around
/// them. Patterns stay where they match. Each file is replaced as a whole, or not at all.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Record {
    /// Traces, or directories of traces
    #[arg(value_name = "TRACE|DIR", required_unless_present = "verify")]
    pub traces: Vec<PathBuf>,
    /// The pool to record from: kernel, or vm:NAME such as vm:trixie
    #[arg(long, value_name = "POOL")]
    pub pool: String,
    /// Write nothing; fail where a fresh recording differs
    #[arg(long)]
    pub verify: bool,
    /// Give the kernel's pools loop devices instead of files
    #[arg(long = "loop")]
    pub loop_devices: bool,
    #[command(flatten)]
    pub selection: Selection,
}

impl Record {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        if self.pool == "model" {
            return Err(Failure::Usage(
                "outcomes are recorded from real pools only; name kernel or vm:NAME with --pool"
                    .into(),
            ));
        }
        let loaded = input::load(&self.traces, &self.selection)?;
        if let Some(loaded) = loaded.iter().find(|loaded| loaded.built_in && !self.verify) {
            let name = &loaded.name;
            return Err(Failure::Usage(format!(
                "{name} is built in; name a file to record into"
            )));
        }
        let mut real = pools::open_real(&self.pool, self.loop_devices)?;
        let Some(system) = real.system() else {
            return Err(Failure::Usage(format!("'{}' is no real pool", self.pool)));
        };
        let mut model = pools::open("model", Some(real.release()))?;
        let recorded = Recorded {
            openzfs: real.version(),
            linux: system.linux,
            system: system.name,
            date: today(),
        };
        let progress = Progress::start(context.progress, loaded.len());
        let mut total = Total::default();
        for loaded in &loaded {
            if context.interrupt.requested() {
                progress.finish();
                return Err(Failure::Interrupted(total.so_far(self.verify)));
            }
            progress.show(&loaded.name);
            if !self.verify || loaded.trace.releases().contains(&real.release()) {
                progress.suspend(|| {
                    self.one(
                        context,
                        loaded,
                        (real.as_mut(), model.as_mut()),
                        &recorded,
                        &mut total,
                    )
                })?;
            }
            progress.advance();
        }
        progress.finish();
        if self.verify {
            if total.excused.total() > 0 {
                writeln!(context.out, "values not compared: {}", total.excused)?;
            }
            let Total {
                traces,
                steps,
                changed,
                ..
            } = total;
            writeln!(
                context.out,
                "{traces} traces, {steps} steps: {changed} divergences"
            )?;
            return Ok(if changed == 0 {
                Exit::Agree
            } else {
                Exit::Diverge
            });
        }
        let Total {
            traces,
            steps,
            changed,
            ..
        } = total;
        let version = &recorded.openzfs;
        writeln!(
            context.out,
            "{traces} traces, {steps} steps recorded on OpenZFS {version}: {changed} changed"
        )?;
        Ok(Exit::Agree)
    }

    /// Records or verifies one trace.
    fn one(
        &self,
        context: &mut Context<'_>,
        loaded: &Loaded,
        (real, model): (&mut dyn Pools, &mut dyn Pools),
        recorded: &Recorded,
        total: &mut Total,
    ) -> Result<(), Failure> {
        let commands = loaded.trace.commands();
        let fresh = play(real, &commands)?;
        if fresh.len() < commands.len() {
            return Err(Failure::Usage(format!(
                "{}: the kernel panicked at step {} of {}; a trace of a panic ends with the step that causes it",
                loaded.name,
                fresh.len(),
                commands.len()
            )));
        }
        let modelled: Vec<Printed> = play(model, &commands)?;
        let release = real.release();
        total.traces += 1;
        total.steps += commands.len();
        if self.verify {
            let report = verify_recorded(&loaded.trace, release, &fresh, &modelled);
            total.excused.add(&report.excused);
            total.changed += report.divergences.len();
            if !report.divergences.is_empty() {
                let names = Names {
                    expected: "what is recorded".into(),
                    got: format!("OpenZFS {} in {}", recorded.openzfs, self.pool),
                };
                let pool = quote(&self.pool);
                let replay = format!(
                    "ztwin record --verify --pool {pool} {}",
                    quote(&loaded.name)
                );
                let colour = context.colour;
                Frame {
                    loaded,
                    names: &names,
                    replay: &replay,
                    recorded: true,
                    colour,
                }
                .write(context.out, &report)?;
                context.out.flush()?;
            }
            return Ok(());
        }
        let (trace, changed) = record_trace(&loaded.trace, recorded, release, &fresh, &modelled);
        let text = trace.to_string();
        // Also when only the form of the text changes.
        if text.as_bytes() != &*loaded.text {
            let path = Path::new(&loaded.name);
            replace(path, text.as_bytes())
                .map_err(|error| Failure::File("write", path.to_owned(), error))?;
        }
        if changed > 0 {
            writeln!(
                context.out,
                "{}: {changed} of {} steps changed",
                loaded.name,
                commands.len()
            )?;
            context.out.flush()?;
        }
        total.changed += changed;
        Ok(())
    }
}

/// What has been done.
#[derive(Default)]
struct Total {
    traces: usize,
    steps: usize,
    changed: usize,
    excused: Excused,
}

impl Total {
    fn so_far(&self, verify: bool) -> String {
        let Total {
            traces,
            steps,
            changed,
            ..
        } = self;
        let (done, changed_word) = if verify {
            ("verified", "divergences")
        } else {
            ("recorded", "changed")
        };
        format!("{traces} traces, {steps} steps {done} so far: {changed} {changed_word}")
    }
}

/// Replaces a file as a whole: its old text stays until all of the new one is on disk.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    // Next to the file that it replaces, and behind a link to it.
    let path = fs::canonicalize(path)?;
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.new", std::process::id()));
    let new = path.with_file_name(name);
    let mut file = fs::File::create_new(&new)?;
    let mut write = || {
        file.write_all(text)?;
        file.set_permissions(fs::metadata(&path)?.permissions())?;
        file.sync_all()?;
        fs::rename(&new, &path)
    };
    let written = write();
    if written.is_err() {
        // The error that matters is the one in hand.
        let _ = fs::remove_file(&new);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_as_a_whole_or_not_at_all() {
        let directory = tempfile::tempdir().expect("a directory");
        let file = directory.path().join("a.trace");
        fs::write(&file, "old").expect("written");
        replace(&file, b"new").expect("replaced");
        assert_eq!(fs::read(&file).expect("read"), b"new");
        // The temporary file cannot be made: someone else's is in the way.
        let other = directory
            .path()
            .join(format!(".a.trace.{}.new", std::process::id()));
        fs::write(&other, "theirs").expect("made");
        replace(&file, b"newer").expect_err("in the way");
        assert_eq!(fs::read(&file).expect("read"), b"new");
        assert_eq!(fs::read(&other).expect("read"), b"theirs");
    }
}
