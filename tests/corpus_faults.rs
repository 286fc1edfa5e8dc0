//! Every planted fault of the model is caught by the corpus.
//!
//! A corpus that agrees with a model proves little unless it disagrees with a wrong one.

#![cfg(feature = "faults")]

use std::path::Path;

use rayon::prelude::*;
use ztwin::compare::check_trace;
use ztwin::pools::blobs::Blobs;
use ztwin::trace::{CORPUS, Trace};
use ztwin_model::fault::Fault;

#[test]
fn every_planted_fault_is_caught_and_none_is_without_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let blobs = Blobs::in_directory(&root.join("traces/data"));
    let traces: Vec<(&str, Trace)> = CORPUS
        .iter()
        .map(|(name, text)| {
            (
                *name,
                Trace::parse(name, text).expect("the corpus can be read"),
            )
        })
        .collect();
    let catches = |name: &str, trace: &Trace, fault: Option<Fault>| {
        trace.releases().into_iter().any(|release| {
            let report = check_trace(trace, release, &blobs, fault)
                .unwrap_or_else(|error| panic!("{name}: {error}"));
            report.diverges()
        })
    };
    let mut missed = Vec::new();
    for fault in Fault::ALL {
        let caught: Vec<&str> = traces
            .par_iter()
            .filter(|(name, trace)| {
                catches(name, trace, Some(fault)) && !catches(name, trace, None)
            })
            .map(|(name, _)| *name)
            .collect();
        println!(
            "{fault:?}: {} traces, first {:?}",
            caught.len(),
            caught.first()
        );
        if caught.is_empty() {
            missed.push(fault);
        }
    }
    assert!(missed.is_empty(), "no trace catches {missed:?}");
}
