//! What is wrong with an image.

use std::io;

use ztwin_model::layer::ApplyError;

use crate::drivers::tar;
use crate::pools::Unavailable;

/// Why an image cannot be read or played.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file or directory cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// What was read.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// It is something else.
    #[error(
        "{path} is no image: {why}; an OCI layout (a directory, or a tar of one) has index.json, and what `docker save` wrote has manifest.json"
    )]
    NoImage {
        /// What was read.
        path: String,
        /// What it lacks.
        why: String,
    },
    /// The archive that the image is in ends early.
    #[error("{path} is broken off or damaged, behind '{after}': {source}")]
    Broken {
        /// The archive.
        path: String,
        /// The last entry that was whole.
        after: String,
        /// What its reader met.
        source: crate::archive::Error,
    },
    /// A JSON document is not what it should be.
    #[error("{what} is not what it should be: {source}")]
    Json {
        /// Which one.
        what: String,
        /// What its reader met.
        source: serde_json::Error,
    },
    /// A blob is not there.
    #[error("{blob} is missing, which {by} names")]
    Missing {
        /// Which one.
        blob: String,
        /// Who names it.
        by: String,
    },
    /// A blob's bytes are others.
    #[error("{blob} is damaged: its bytes have the digest {found}")]
    Digest {
        /// The name, with the digest that it should have.
        blob: String,
        /// What it has.
        found: String,
    },
    /// A blob has another size than the one that is told of it.
    #[error("{blob} is damaged: it has {found} bytes, not {told}")]
    Size {
        /// Which one.
        blob: String,
        /// How many bytes it should have.
        told: u64,
        /// How many it has.
        found: u64,
    },
    /// What the layer unpacks to is not what the image's configuration tells.
    #[error("layer {layer} is damaged: unpacked it has the digest {found}, not {told}")]
    DiffId {
        /// Which one, from 1.
        layer: usize,
        /// What it should have.
        told: String,
        /// What it has.
        found: String,
    },
    /// A digest is of a kind that is not known, or no digest.
    #[error("'{0}' is no digest that is known: expected sha256: or sha512: and hexadecimal digits")]
    Algorithm(String),
    /// Which image is meant is not clear.
    #[error("{0}")]
    Choice(String),
    /// A layer is compressed in a way that is not read.
    #[error("layer {layer} is compressed with {how}, which is not read; gzip and zstd are")]
    Compression {
        /// Which one, from 1.
        layer: usize,
        /// How.
        how: &'static str,
    },
    /// The compressed data of a layer makes no sense.
    #[error("layer {layer} cannot be unpacked: {source}")]
    Unpack {
        /// Which one, from 1.
        layer: usize,
        /// Why.
        source: io::Error,
    },
    /// A layer or all of them unpack to more than was allowed.
    #[error(
        "layer {layer} brings the image to more than {most} bytes; --max-size allows more, in memory"
    )]
    TooLarge {
        /// Which one, from 1.
        layer: usize,
        /// How many are allowed.
        most: u64,
    },
    /// The image's configuration does not fit to its layers.
    #[error("the image has {layers} layers, and its configuration tells of {told}")]
    Layers {
        /// How many it has.
        layers: usize,
        /// How many are told of.
        told: usize,
    },
    /// A layer's archive is refused.
    #[error("layer {layer}: {source}")]
    Layer {
        /// Which one, from 1.
        layer: usize,
        /// Why.
        source: tar::Error,
    },
    /// A daemon refuses to unpack a layer.
    #[error("layer {layer} is refused: {source}")]
    Refused {
        /// Which one, from 1.
        layer: usize,
        /// At what.
        source: ApplyError,
    },
    /// A step of the trace fails on the model.
    #[error("on the model, '{step}' ends with: {said}")]
    Step {
        /// The step.
        step: String,
        /// What it said.
        said: String,
    },
    /// The user stopped it.
    #[error("interrupted")]
    Interrupted,
    /// The model could not be run.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
