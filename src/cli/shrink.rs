//! `ztwin shrink`: a smaller trace with the same divergence.

use std::fs;
use std::path::{Path, PathBuf};

use clap::Args;
use ztwin_model::Release;

use super::input::{self, Selection};
use super::progress::Progress;
use super::{Context, Exit, Failure};
use crate::compare::{Looks, with_looks};
use crate::pools::{self, Pools};
use crate::script::{Unsaid, script};
use crate::shrink::{Small, shrink};
use crate::trace::{Element, Item, Step, Trace};

/// Make a trace smaller that shows a difference between the model and a pool
///
/// The first step that differs stays what it is: the same operation, in which the same thing differs in the same
/// way. What is left is printed as a trace with what the pool did; with --output there is a shell script beside
/// it, which needs nothing but ZFS, and an input for the fuzzers.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Shrink {
    /// The trace
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The pool to compare with: kernel, or vm:NAME such as vm:trixie
    #[arg(long, value_name = "POOL", required_unless_present = "fault")]
    pub pool: Option<String>,
    /// Compare with a model that has this planted fault (builds with the feature `faults`)
    #[arg(long, value_name = "NAME", conflicts_with = "pool")]
    pub fault: Option<String>,
    /// With --fault: the release whose rules apply
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release, default_value = "2.3")]
    pub openzfs: Release,
    /// Compare all space figures of all datasets too, behind every step
    #[arg(long)]
    pub figures: bool,
    /// Try at most N smaller traces
    #[arg(long, value_name = "N", default_value_t = 2000)]
    pub budget: u32,
    /// Write small.trace, small.sh and small.seed into DIR
    #[arg(long, short, value_name = "DIR")]
    pub output: Option<PathBuf>,
}

impl Shrink {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let loaded = input::load(std::slice::from_ref(&self.trace), &Selection::default())?;
        let [loaded] = loaded.as_slice() else {
            return Err(Failure::Usage("name one trace".to_owned()));
        };
        let mut real: Box<dyn Pools> = match (&self.pool, &self.fault) {
            (Some(pool), _) => pools::open(pool, None)?,
            (None, name) => faulty(name.as_deref().unwrap_or_default(), self.openzfs)?,
        };
        let mut model = pools::open("model", Some(real.release()))?;
        let looks = Looks {
            figures: self.figures,
        };
        let steps = with_looks(&loaded.trace, looks).into_iter();
        let commands = steps.map(|(_, _, command)| command).collect();
        let progress = Progress::start(context.progress, self.budget as usize);
        let interrupt = context.interrupt;
        let small = shrink(
            commands,
            real.as_mut(),
            model.as_mut(),
            self.budget,
            &mut |left, tried| {
                progress.show(&format!("{left} steps"));
                progress.set(tried as usize);
                // What was found so far is kept.
                !interrupt.requested()
            },
        )?;
        progress.finish();
        let Some(small) = small else {
            writeln!(context.out, "nothing differs: there is nothing to shrink")?;
            return Ok(Exit::Agree);
        };
        let text = told(&small, &real.version());
        write!(context.out, "{text}")?;
        let (tried, asked) = small.tried;
        writeln!(
            context.out,
            "\n{}\n{} steps; {tried} smaller traces tried, {asked} of them on the pool",
            small.signature,
            small.commands.len()
        )?;
        if let Some(directory) = &self.output {
            write(directory, &text)?;
        }
        Ok(Exit::Diverge)
    }
}

/// The model with a planted fault.
#[cfg(feature = "faults")]
fn faulty(name: &str, release: Release) -> Result<Box<dyn Pools>, Failure> {
    use ztwin_model::fault::Fault;
    let all = Fault::ALL.into_iter();
    let fault = all.into_iter().find(|it| format!("{it:?}") == name);
    let fault = fault.ok_or_else(|| {
        let all: Vec<String> = Fault::ALL.iter().map(|it| format!("{it:?}")).collect();
        Failure::Usage(format!(
            "no fault is called '{name}'; there are {}",
            all.join(", ")
        ))
    })?;
    Ok(Box::new(pools::open_model(release).with_fault(fault)))
}

/// No fault can be planted.
#[cfg(not(feature = "faults"))]
fn faulty(_: &str, _: Release) -> Result<Box<dyn Pools>, Failure> {
    Err(Failure::Usage(
        "faults are planted in builds with the feature `faults` only".to_owned(),
    ))
}

/// The trace, with what the pool did.
fn told(small: &Small, version: &str) -> String {
    let head = [
        format!("OpenZFS {version} and the model differ in the last step."),
        String::new(),
    ];
    let steps = small.commands.iter().zip(&small.expected);
    let steps = steps.map(|(command, printed)| {
        let mut step = Step::new(command.clone());
        step.body = printed.lines().into_iter().map(Element::Line).collect();
        Item::Step(step)
    });
    let items = head.into_iter().map(Item::Prose).chain(steps).collect();
    Trace { items }.to_string()
}

fn write(directory: &Path, trace: &str) -> Result<(), Failure> {
    let cannot = |error| Failure::File("write", directory.to_owned(), error);
    fs::create_dir_all(directory).map_err(cannot)?;
    let parsed =
        Trace::parse("small", trace.as_bytes()).map_err(|error| Failure::Traces(vec![error]))?;
    // The fuzzer of traces reads them as text.
    for name in ["trace", "seed"] {
        fs::write(directory.join(format!("small.{name}")), trace).map_err(cannot)?;
    }
    match script(&parsed, None) {
        Ok(script) => fs::write(directory.join("small.sh"), script).map_err(cannot),
        Err(Unsaid::Unavailable(error)) => Err(error.into()),
        // What only ztwin can look at differs.
        Err(Unsaid::Last(_)) => Ok(()),
    }
}
