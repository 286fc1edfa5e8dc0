//! `ztwin explain`: the layers of a trace as a picture.

use std::fs;
use std::path::PathBuf;

use clap::Args;
use ztwin_model::Release;

use super::input::{self, Loaded, Selection};
use super::{Context, Exit, Failure};
use crate::explain::layer::layers;
use crate::explain::{Film, Numbers, page, text};
use crate::pools::model::ModelPools;
use crate::pools::{End, Pools, Printed, open_model};
use crate::trace::{Item, Trace, quote};

/// Show which layers a trace leaves, what each owns and shares, and what removing it frees
///
/// The trace runs on the model; what it has recorded plays no part. Figures are those of the last synced
/// transaction group, as ZFS tells them: a trace that ends with writes wants a `zpool sync` behind them. One that
/// is not known is given as its bounds, or as a question mark.
#[derive(Clone, Debug, Args)]
#[command(verbatim_doc_comment)]
pub struct Explain {
    /// The trace, or the name of one of the corpus that is built in
    #[arg(value_name = "TRACE")]
    pub trace: PathBuf,
    /// The release whose rules apply [default: the newest that the trace was recorded on]
    #[arg(long, value_name = "2.1|2.3|2.4", value_parser = input::release)]
    pub openzfs: Option<Release>,
    /// Show what is behind the step at this line of the trace, or the last one before it [default: the end]
    #[arg(long, value_name = "LINE", conflicts_with = "html")]
    pub line: Option<usize>,
    /// Print bytes instead of rounded numbers
    #[arg(short = 'p', long)]
    pub exact: bool,
    /// Write a page that steps through the trace, with a map of every file's blocks, instead
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
}

impl Explain {
    pub(super) fn run(&self, context: &mut Context<'_>) -> Result<Exit, Failure> {
        let mut all = input::load(std::slice::from_ref(&self.trace), &Selection::default())?;
        let (Some(loaded), true) = (all.pop(), all.is_empty()) else {
            let path = self.trace.display();
            return Err(Failure::Usage(format!(
                "{path} is a directory; name one trace"
            )));
        };
        let release = self.openzfs.or(loaded.trace.releases().into_iter().max());
        let model = open_model(release.unwrap_or_default());
        let exit = match &self.html {
            None => self.tree(context, &model, &loaded)?,
            Some(path) => {
                let (film, exit) = film(&model, &loaded)?;
                fs::write(path, page(&film))
                    .map_err(|error| Failure::File("write", path.clone(), error))?;
                exit
            }
        };
        if exit == Exit::NotModelled {
            eprintln!(
                "ztwin: some steps are not modelled or cannot be read, and the picture is without them: `ztwin check {}` names them",
                quote(&loaded.name)
            );
        }
        Ok(exit)
    }

    fn tree(
        &self,
        context: &mut Context<'_>,
        model: &ModelPools,
        loaded: &Loaded,
    ) -> Result<Exit, Failure> {
        let numbers = if self.exact {
            Numbers::Exact
        } else {
            Numbers::Rounded
        };
        let shown = loaded.trace.steps();
        let shown = shown.take_while(|step| self.line.is_none_or(|line| step.line.0 <= line));
        let mut commands = loaded.trace.commands();
        commands.truncate(shown.count());
        if commands.is_empty() {
            return Err(Failure::Usage(format!(
                "{}: no step stands there",
                loaded.name
            )));
        }
        let (mut picture, mut exit) = (String::new(), Exit::Agree);
        model.watch(&commands, &mut |index, printed, state| {
            if is_missing(printed) {
                exit = Exit::NotModelled;
            }
            if index + 1 == commands.len() {
                picture = text(&layers(state), numbers);
            }
        })?;
        context
            .out
            .write_all(picture.as_bytes())
            .map_err(Failure::Output)?;
        Ok(exit)
    }
}

/// Whether the picture is without a step: it is not modelled, or cannot be read.
fn is_missing(printed: &Printed) -> bool {
    printed.end == End::NotModelled || printed.err.starts_with(b"ztwin: ")
}

/// Every step of a trace as a picture.
fn film(model: &ModelPools, loaded: &Loaded) -> Result<(Film, Exit), Failure> {
    let commands = loaded.trace.commands();
    let mut lines = lines(&loaded.trace).into_iter();
    let mut film = Film::new(&loaded.name, model.release().name());
    let mut exit = Exit::Agree;
    model.watch(&commands, &mut |_, printed, state| {
        if is_missing(printed) {
            exit = Exit::NotModelled;
        }
        let line = lines.next().unwrap_or_default();
        film.add(line, !printed.succeeded(), state);
    })?;
    Ok((film, exit))
}

/// The steps as they stand in a trace, each with the paragraph that is above it.
fn lines(trace: &Trace) -> Vec<(String, String)> {
    let (mut prose, mut ended) = (String::new(), true);
    let mut lines = Vec::new();
    for item in &trace.items {
        match item {
            Item::Prose(line) if line.is_empty() => ended = true,
            Item::Prose(line) => {
                if std::mem::take(&mut ended) {
                    prose.clear();
                } else {
                    prose.push(' ');
                }
                prose.push_str(line);
            }
            Item::Meta(_) => {}
            Item::Step(step) => {
                ended = true;
                lines.push((prose.clone(), step.command_line().trim().to_owned()));
            }
        }
    }
    lines
}
