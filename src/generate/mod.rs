//! Sequences of steps that nobody wrote: drawn from a seed, over a small world.
//!
//! Each step is chosen with the model's state in view, so that most of them succeed and the states in
//! which drivers get hurt come up: clones with snapshots that are held, names that exist, mounts that are
//! busy. What is drawn is frozen by nothing: a new version may draw other steps from the same seed, so a
//! sequence that found something is kept as a trace.

mod administration;
mod corners;
mod draw;
mod files;
mod space;

use std::ops::Range;
use std::sync::Arc;

use ztwin_model::Release;
use ztwin_model::generate::{Sequence, World};
use ztwin_model::machine::State;

use crate::explore::{Explorer, cover};
use crate::pools::{Blobs, Command, ModelPools, Unavailable};
use crate::trace::{Item, Step, Trace};

use draw::Draw;

/// Which steps come, and how often.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Mix {
    /// `zfs` and `zpool` commands, refusals among them, and a few files
    Administration,
    /// What changes how much datasets take, on one device with sectors of 4K
    #[value(name = "space-12")]
    Space12,
    /// The same with sectors of 16K
    #[value(name = "space-14")]
    Space14,
    /// The same on a mirror
    SpaceMirror,
    /// The same on raidz1
    SpaceRaidz,
    /// Clones, and clones of them, that are written to: at the end which blocks they share
    Sharing,
    /// System calls of several users on files of a filesystem, its snapshots and its clones
    Files,
    /// Layers as drivers of containers make them, over the small world of `ztwin-model`
    Layers,
    /// What the others seldom come to: volumes, draid, checkpoints, same blocks, attributes, names, `zfs diff`
    Corners,
    /// What `ztwin explore --depth 3` found: the seed is the number of a trace
    Explored,
}

impl Mix {
    /// Its name, as on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mix::Administration => "administration",
            Mix::Space12 => "space-12",
            Mix::Space14 => "space-14",
            Mix::SpaceMirror => "space-mirror",
            Mix::SpaceRaidz => "space-raidz",
            Mix::Sharing => "sharing",
            Mix::Files => "files",
            Mix::Layers => "layers",
            Mix::Corners => "corners",
            Mix::Explored => "explored",
        }
    }

    /// Whether the space figures of all datasets are what it is about.
    #[must_use]
    pub fn has_figures(self) -> bool {
        self.layout().is_some() && self != Mix::Sharing
    }

    /// The pool of a mix about space or sharing.
    fn layout(self) -> Option<&'static [&'static str]> {
        match self {
            Mix::Administration | Mix::Files | Mix::Layers | Mix::Corners | Mix::Explored => None,
            Mix::Space12 | Mix::Sharing => Some(space::ONE_DEVICE_12),
            Mix::Space14 => Some(space::ONE_DEVICE_14),
            Mix::SpaceMirror => Some(space::MIRROR),
            Mix::SpaceRaidz => Some(space::RAIDZ),
        }
    }
}

/// Tells the next step; none behind the last one.
type Next = dyn FnMut(&State) -> Option<Command>;

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// A step of the first process.
fn of_root(words: Vec<String>) -> Command {
    Command {
        words,
        ..Command::default()
    }
}

/// The fewest and the most steps of a sequence, before the last ones that look at the result.
const LENGTH: (u64, u64) = (20, 200);

/// How many operations the sequences have of which a search leaves none out.
const DEPTH: u32 = 3;

/// Sequences: the same for the same mix, seed and release. A step that is not modelled is left out.
///
/// `length` is how many steps are drawn; without it, that is drawn too, from 20 to 200. What was explored has the
/// length that it has, and no more sequences than were needed.
pub fn traces(
    mix: Mix,
    seeds: Range<u64>,
    release: Release,
    length: Option<usize>,
) -> Result<Vec<Trace>, Unavailable> {
    if mix == Mix::Explored {
        let explorer = Explorer::new(release);
        let found = explorer.explore(DEPTH, &|_, _| true).unwrap_or_default();
        let traces = cover(&explorer, &found, DEPTH as usize - 1);
        let traces = (0..).zip(traces).filter(|(seed, _)| seeds.contains(seed));
        return Ok(traces
            .map(|(seed, sequence)| told(mix, seed, of_sequence(&sequence)))
            .collect());
    }
    seeds
        .map(|seed| trace(mix, seed, release, length))
        .collect()
}

/// One sequence of those that are drawn.
fn trace(
    mix: Mix,
    seed: u64,
    release: Release,
    length: Option<usize>,
) -> Result<Trace, Unavailable> {
    let mut draw = Draw::new(seed);
    let drawn = LENGTH.0 + draw.below(LENGTH.1 - LENGTH.0 + 1);
    let length = length.unwrap_or(usize::try_from(drawn).unwrap_or(usize::MAX));
    let mut next: Box<Next> = match mix.layout() {
        None if mix == Mix::Files => {
            let mut sequence = files::Sequence::new(draw, length);
            Box::new(move |state| sequence.next(state))
        }
        None if mix == Mix::Layers => {
            let world = Arc::new(World::default());
            let layers = ztwin_model::generate::Mix::Layers;
            let sequence = Sequence::from_seed(&world, layers, release, seed, length);
            let mut steps = of_sequence(&sequence).into_iter();
            Box::new(move |_| steps.next())
        }
        None if mix == Mix::Corners => {
            let mut sequence = corners::Sequence::new(draw, seed, length);
            Box::new(move |_| {
                let (process, words) = sequence.next()?;
                Some(Command {
                    process,
                    ..of_root(words)
                })
            })
        }
        None => {
            let mut sequence = administration::Sequence::new(draw, length);
            Box::new(move |state| sequence.next(state).map(of_root))
        }
        Some(layout) => {
            let mut sequence = match mix {
                Mix::Sharing => space::Sequence::of_sharing(draw, length, layout),
                _ => space::Sequence::of_space(draw, length, layout),
            };
            Box::new(move |state| sequence.next(state).map(of_root))
        }
    };
    let model = ModelPools::new(release, Blobs::default());
    Ok(told(mix, seed, model.grow(&mut next)?))
}

/// The steps of a sequence of the model's.
fn of_sequence(sequence: &Sequence) -> Vec<Command> {
    let steps = sequence.steps();
    steps.filter_map(|it| it.words()).map(of_root).collect()
}

/// A trace that says where it comes from.
fn told(mix: Mix, seed: u64, steps: Vec<Command>) -> Trace {
    let head = [
        format!("Drawn: mix {}, seed {seed}.", mix.name()),
        String::new(),
    ];
    let prose = head.into_iter().map(Item::Prose);
    let steps = steps.into_iter().map(|it| Item::Step(Step::new(it)));
    Trace {
        items: prose.chain(steps).collect(),
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum;

    use super::*;
    use crate::pools::End;

    #[test]
    fn the_same_seed_draws_the_same_steps() {
        let text = |seed| {
            trace(Mix::Administration, seed, Release::V2_3, None)
                .unwrap()
                .to_string()
        };
        assert_eq!(text(1), text(1));
        assert_ne!(text(1), text(2));
    }

    /// A generator that wastes itself on refusals finds nothing.
    #[test]
    fn most_steps_succeed_and_few_are_beyond_the_model() {
        let each = |mix: &Mix| Release::ALL.map(|release| (*mix, release));
        let drawn = Mix::value_variants()
            .iter()
            .filter(|it| !matches!(it, Mix::Explored | Mix::Corners));
        for (mix, release) in drawn.flat_map(each) {
            let (mut all, mut succeeded, mut drawn) = (0, 0, 0);
            let seeds = if mix == Mix::Administration { 40 } else { 10 };
            for seed in 0..seeds {
                let trace = trace(mix, seed, release, Some(60)).unwrap();
                let commands = trace.commands();
                // Some more stand before and behind.
                drawn += 63;
                let mut model = ModelPools::new(release, Blobs::default());
                let printed = crate::compare::play(&mut model, &commands).unwrap();
                for (command, printed) in commands.iter().zip(&printed) {
                    assert_ne!(
                        printed.end,
                        End::NotModelled,
                        "{mix:?}, seed {seed}, {release:?}: {:?}",
                        command.words
                    );
                    all += 1;
                    succeeded += u32::from(printed.succeeded());
                }
            }
            assert!(f64::from(all) > 0.98 * f64::from(drawn), "{all} of {drawn}");
            let share = f64::from(succeeded) / f64::from(all);
            // Refusals share nothing.
            let most = if mix == Mix::Sharing { 1.0 } else { 0.95 };
            let least = if mix == Mix::Files { 0.6 } else { 0.55 };
            assert!(
                (least..=most).contains(&share),
                "{mix:?} {release:?}: {share}"
            );
        }
    }
}
