//! A trace as pictures, one for each step that changed something.

use std::collections::BTreeMap;

use serde::Serialize;
use ztwin_model::dmu::storage::Figure;
use ztwin_model::dmu::{Blocks, ROOT};
use ztwin_model::dsl::dataset::DatasetId;
use ztwin_model::machine::State;
use ztwin_model::zpl::znode::Body;

use super::layer::{Kind, Layer, charged, layers};

/// What a page shows.
#[derive(Debug, Default, Serialize)]
pub struct Film {
    /// The name of the trace.
    name: String,
    /// The release whose rules apply.
    openzfs: &'static str,
    /// The steps.
    steps: Vec<Shot>,
    /// The different pictures.
    frames: Vec<Vec<Card>>,
    /// The different files: those that did not change are the same in many pictures.
    files: Vec<File>,
    #[serde(skip)]
    known: BTreeMap<String, usize>,
}

/// A step as it stands in the trace, and the picture behind it.
#[derive(Debug, Serialize)]
struct Shot {
    /// The paragraph above it, or above the steps before it.
    prose: String,
    command: String,
    failed: bool,
    frame: usize,
}

/// A layer in a picture. Those that stand on it come right behind it, one deeper.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Card {
    id: u64,
    name: String,
    kind: &'static str,
    depth: usize,
    refers: Option<[u64; 2]>,
    shared: Option<[u64; 2]>,
    own: Option<[u64; 2]>,
    frees: Option<[u64; 2]>,
    with: usize,
    files: Vec<usize>,
}

/// A file: runs of blocks of the same owner, that of holes 0.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
struct File {
    path: String,
    size: u64,
    block_size: u64,
    runs: Vec<(u64, u64)>,
}

impl Film {
    /// One without pictures.
    #[must_use]
    pub fn new(name: &str, openzfs: &'static str) -> Self {
        Film {
            name: name.to_owned(),
            openzfs,
            ..Film::default()
        }
    }

    /// Adds a step, and what `state` is behind it.
    pub fn add(&mut self, (prose, command): (String, String), failed: bool, state: &State) {
        let mut cards = Vec::new();
        for layer in layers(state) {
            self.cards(state, &layer, 0, &mut cards);
        }
        if self.frames.last() != Some(&cards) {
            self.frames.push(cards);
        }
        self.steps.push(Shot {
            prose,
            command,
            failed,
            frame: self.frames.len() - 1,
        });
    }

    /// The data as JSON.
    #[must_use]
    pub fn json(&self) -> String {
        // Numbers, texts and lists: this cannot fail.
        serde_json::to_string(self).unwrap_or_default()
    }

    fn cards(&mut self, state: &State, layer: &Layer, depth: usize, cards: &mut Vec<Card>) {
        let figure = |figure: Option<Figure>| figure.map(|it| [it.least, it.most]);
        cards.push(Card {
            id: layer.id.0,
            name: layer.name.clone(),
            kind: match layer.kind {
                Kind::Filesystem => "filesystem",
                Kind::Volume => "volume",
                Kind::Snapshot => "snapshot",
            },
            depth,
            refers: figure(layer.refers),
            shared: figure(layer.shared),
            own: figure(layer.own),
            frees: figure(layer.frees),
            with: layer.with,
            files: self.files(state, layer.id),
        });
        for above in &layer.above {
            self.cards(state, above, depth + 1, cards);
        }
    }

    fn files(&mut self, state: &State, id: DatasetId) -> Vec<usize> {
        let Some(dataset) = state.dataset(id).filter(|it| it.volume().is_none()) else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (path, object) in dataset.objset.paths(ROOT) {
            if let Some(Body::File(blocks)) = dataset.objset.get(object).map(|it| &it.body) {
                let file = File {
                    path: path.to_string(),
                    size: blocks.size(),
                    block_size: blocks.block_size(),
                    runs: runs(blocks, |birth| charged(state, id, birth)),
                };
                let key = format!("{file:?}");
                let next = self.files.len();
                let index = *self.known.entry(key).or_insert(next);
                if index == next {
                    self.files.push(file);
                }
                found.push(index);
            }
        }
        found
    }
}

/// Who owns the blocks of a file, and how many one behind the other.
fn runs(blocks: &Blocks, owner: impl Fn(u64) -> DatasetId) -> Vec<(u64, u64)> {
    let mut runs: Vec<(u64, u64)> = Vec::new();
    let mut add = |owner: u64, count: u64| match runs.last_mut() {
        _ if count == 0 => {}
        Some((last, length)) if *last == owner => *length += count,
        _ => runs.push((owner, count)),
    };
    let mut next = 0;
    for (number, block) in blocks.iter() {
        add(0, number - next);
        add(owner(block.birth).0, 1);
        next = number + 1;
    }
    let all = blocks.size().div_ceil(blocks.block_size().max(1));
    add(0, all.saturating_sub(next));
    runs
}
