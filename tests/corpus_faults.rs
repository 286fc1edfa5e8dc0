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
    // The first one is enough.
    let caught: Vec<(Fault, Option<&str>)> = Fault::ALL
        .into_par_iter()
        .map(|fault| {
            let mut traces = traces.iter();
            let first = traces.find(|(name, trace)| {
                catches(name, trace, Some(fault)) && !catches(name, trace, None)
            });
            (fault, first.map(|(name, _)| *name))
        })
        .collect();
    let mut missed = Vec::new();
    for (fault, first) in caught {
        println!("{fault:?}: {first:?}");
        if first.is_none() {
            missed.push(fault);
        }
    }
    assert!(missed.is_empty(), "no trace catches {missed:?}");
}
