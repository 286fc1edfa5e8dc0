//! Divergences that are known and not mended yet.
//!
//! A step that one of them explains is told apart from those that differ, and fails no run. Each could hide another
//! mistake; so there are at most [`MOST`], each has a day on which it ends, and `tests/known_divergences.rs` fails when one
//! explains nothing any more, or keeps a planted fault from being seen.

use std::ops::RangeInclusive;

use ztwin_model::Release;

use super::{Difference, Report};
use crate::pools::Command;
use crate::trace::Trace;

/// A divergence that is known.
#[derive(Clone, Debug)]
pub struct Known {
    /// What makes it, in a few words: its key.
    pub mechanism: &'static str,
    /// The releases that differ from the model so.
    pub releases: RangeInclusive<Release>,
    /// Where it is told of: an issue, or a page.
    pub link: &'static str,
    /// The last day on which it is put up with, as 2026-12-31.
    pub until: &'static str,
    /// The smallest trace of the corpus that shows it, recorded on these releases.
    pub trace: &'static str,
    /// Whether it is why a step differs. The narrower, the less it hides.
    pub explains: fn(&Command, &Difference) -> bool,
}

/// The registry.
pub static KNOWN: &[Known] = &[];

/// How many there may be.
pub const MOST: usize = 10;

impl Report {
    /// Sets apart the steps that differ for a reason that is known.
    #[must_use]
    pub fn without_known(mut self, trace: &Trace, registry: &'static [Known]) -> Report {
        let of_release = registry
            .iter()
            .filter(|known| known.releases.contains(&self.release));
        let of_release: Vec<&'static Known> = of_release.collect();
        if of_release.is_empty() || self.divergences.is_empty() {
            return self;
        }
        let steps: Vec<_> = trace.steps().collect();
        let known = &mut self.known;
        self.divergences.retain(|divergence| {
            let of_trace = || steps.get(divergence.step).map(|step| &step.command);
            let Some(command) = divergence.inserted.as_ref().or_else(of_trace) else {
                return true;
            };
            // What is not modelled says so; nothing else explains it.
            let differs = &divergence.difference;
            let mut why = of_release.iter().filter(|_| !differs.not_modelled);
            let why = why.find(|known| (known.explains)(command, differs));
            known.extend(why.map(|known| known.mechanism));
            why.is_none()
        });
        self
    }
}
