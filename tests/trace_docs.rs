//! The pages that teach the format show nothing that does not parse, and nothing that is not canonical.

use ztwin::trace::Trace;

/// Holds the examples of a page to that, and counts them.
fn examples(name: &str, page: &str) -> usize {
    let mut examples = 0;
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once("```trace\n") {
        let (example, behind) = behind.split_once("```").expect("a closing fence");
        let line = page.len() - rest.len() + before.len();
        let line = page[..line].lines().count() + 2;
        let place = format!("{name} from line {line}");
        let trace =
            Trace::parse(&place, example.as_bytes()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(trace.to_string(), example, "{place}");
        assert!(trace.steps().count() > 0);
        examples += 1;
        rest = behind;
    }
    examples
}

#[test]
fn every_example_of_the_pages_is_a_canonical_trace() {
    let of_traces = examples("docs/traces.md", include_str!("../docs/traces.md"));
    assert!(of_traces >= 8, "{of_traces} examples");
    let of_drivers = examples("docs/drivers.md", include_str!("../docs/drivers.md"));
    assert!(of_drivers >= 1, "{of_drivers} examples");
}
