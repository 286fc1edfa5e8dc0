//! Results as JUnit XML, which CI systems read.

use std::fmt::Write as _;

/// One trace on one release.
pub struct Case<'a> {
    /// The trace's name.
    pub name: &'a str,
    /// The release: `openzfs-2.3`.
    pub class: String,
    /// What differs, as text; empty when all agrees.
    pub failure: String,
}

/// The document for a suite of cases.
pub fn document(suite: &str, cases: &[Case<'_>]) -> String {
    let failures = cases.iter().filter(|case| !case.failure.is_empty()).count();
    let (suite, tests) = (escape(suite), cases.len());
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    // Writing to a string cannot fail.
    let _ = writeln!(
        xml,
        "<testsuites tests=\"{tests}\" failures=\"{failures}\">"
    );
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{suite}\" tests=\"{tests}\" failures=\"{failures}\">"
    );
    for Case {
        name,
        class,
        failure,
    } in cases
    {
        let (name, class) = (escape(name), escape(class));
        let _ = write!(xml, "    <testcase name=\"{name}\" classname=\"{class}\"");
        if failure.is_empty() {
            xml.push_str("/>\n");
        } else {
            let message = escape(failure.lines().next().unwrap_or_default());
            let _ = writeln!(
                xml,
                ">\n      <failure message=\"{message}\">{}</failure>\n    </testcase>",
                escape(failure)
            );
        }
    }
    xml.push_str("  </testsuite>\n</testsuites>\n");
    xml
}

/// Text as it may stand in XML 1.0, which has no way to write most control characters.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\n' | '\t' => escaped.push(c),
            '\u{fffe}' | '\u{ffff}' => escaped.push('\u{fffd}'),
            c if c.is_control() => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_and_control_characters_are_escaped() {
        let case = |failure: &str| Case {
            name: "a\"b.trace",
            class: "openzfs-2.3".into(),
            failure: failure.into(),
        };
        insta::assert_snapshot!(document("s", &[case(""), case("<a> & \u{1}\nb")]), @r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites tests="2" failures="1">
          <testsuite name="s" tests="2" failures="1">
            <testcase name="a&quot;b.trace" classname="openzfs-2.3"/>
            <testcase name="a&quot;b.trace" classname="openzfs-2.3">
              <failure message="&lt;a&gt; &amp; �">&lt;a&gt; &amp; �
        b</failure>
            </testcase>
          </testsuite>
        </testsuites>
        "#);
    }
}
