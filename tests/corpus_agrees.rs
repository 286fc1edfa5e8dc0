//! The corpus agrees with the model: what `ztwin check` does, as a test, so that tools which only know `cargo test`
//! have it (`docs/mutants.md`).

use std::path::Path;

use rayon::prelude::*;
use ztwin::compare::check_trace;
use ztwin::pools::blobs::Blobs;
use ztwin::trace::{CORPUS, Trace};

#[test]
fn no_trace_diverges_on_any_release_that_it_was_recorded_on() {
    let blobs = Blobs::in_directory(&Path::new(env!("CARGO_MANIFEST_DIR")).join("traces/data"));
    // The first one is enough.
    let diverges = CORPUS.par_iter().find_map_any(|(name, text)| {
        let trace = Trace::parse(name, text).expect("the corpus can be read");
        trace.releases().into_iter().find_map(|release| {
            let report = check_trace(&trace, release, &blobs, None)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            let differs = !report.divergences.is_empty();
            differs.then(|| format!("{name} on {}", release.name()))
        })
    });
    assert_eq!(diverges, None);
}
