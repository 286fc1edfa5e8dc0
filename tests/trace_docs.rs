//! The page that teaches the format shows nothing that does not parse, and nothing that is not canonical.

use ztwin::trace::Trace;

#[test]
fn every_example_of_the_page_is_a_canonical_trace() {
    let page = include_str!("../docs/traces.md");
    let mut examples = 0;
    let mut rest = page;
    while let Some((before, behind)) = rest.split_once("```trace\n") {
        let (example, behind) = behind.split_once("```").expect("a closing fence");
        let line = page.len() - rest.len() + before.len();
        let line = page[..line].lines().count() + 2;
        let trace = Trace::parse(
            &format!("docs/traces.md from line {line}"),
            example.as_bytes(),
        )
        .unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(
            trace.to_string(),
            example,
            "docs/traces.md from line {line}"
        );
        assert!(trace.steps().count() > 0);
        examples += 1;
        rest = behind;
    }
    assert!(examples >= 8, "{examples} examples");
}
