//! Results as JUnit's XML, which build servers read.

use std::fmt::Write;
use std::path::PathBuf;
use std::time::Duration;

/// The tests of one file.
#[derive(Debug, Clone, Default)]
pub(super) struct Suite {
    pub(super) file: PathBuf,
    pub(super) cases: Vec<Case>,
    /// Why the file could not be run.
    pub(super) error: Option<String>,
}

/// One test.
#[derive(Debug, Clone, Default)]
pub(super) struct Case {
    pub(super) name: String,
    pub(super) took: Duration,
    pub(super) failures: Vec<String>,
}

/// The whole document.
pub(super) fn document(suites: &[Suite]) -> String {
    let mut xml = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for suite in suites {
        write_suite(&mut xml, suite);
    }
    xml.push_str("</testsuites>\n");
    xml
}

fn write_suite(xml: &mut String, suite: &Suite) {
    let Suite { file, cases, error } = suite;
    let failures = cases.iter().filter(|case| !case.failures.is_empty()).count();
    let time: Duration = cases.iter().map(|case| case.took).sum();
    let (name, errors) = (escaped(&file.display().to_string()), usize::from(error.is_some()));
    let tests = cases.len() + errors;
    let time = time.as_secs_f64();
    // Writing to a string doesn't fail.
    let _ = writeln!(
        xml,
        "  <testsuite name=\"{name}\" tests=\"{tests}\" failures=\"{failures}\" errors=\"{errors}\" time=\"{time:.3}\">"
    );
    if let Some(error) = error {
        let error = escaped(error);
        let _ = writeln!(xml, "    <testcase name=\"{name}\">\n      <error>{error}</error>\n    </testcase>");
    }
    for Case { name, took, failures } in cases {
        let _ = write!(xml, "    <testcase name=\"{}\" time=\"{:.3}\"", escaped(name), took.as_secs_f64());
        if failures.is_empty() {
            xml.push_str("/>\n");
            continue;
        }
        xml.push_str(">\n");
        for failure in failures {
            let title = escaped(failure.lines().next().unwrap_or_default());
            let _ = writeln!(xml, "      <failure message=\"{title}\">{}</failure>", escaped(failure));
        }
        xml.push_str("    </testcase>\n");
    }
    xml.push_str("  </testsuite>\n");
}

/// What XML doesn't take as it is; control characters, which it doesn't take at all, become `?`.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() && !matches!(c, '\n' | '\t') => out.push('?'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_has_every_case() {
        let case = |name: &str, failures: &[&str]| Case {
            name: name.to_owned(),
            took: Duration::from_millis(1500),
            failures: failures.iter().map(|text| (*text).to_owned()).collect(),
        };
        let good =
            Suite { file: "a.yml".into(), cases: vec![case("x", &[]), case("<&\">", &["no\u{1}\n- b"])], error: None };
        let broken = Suite { file: "b.yml".into(), error: Some("b.yml:1:2: no".to_owned()), ..Suite::default() };
        let want = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n  \
            <testsuite name=\"a.yml\" tests=\"2\" failures=\"1\" errors=\"0\" time=\"3.000\">\n    \
            <testcase name=\"x\" time=\"1.500\"/>\n    \
            <testcase name=\"&lt;&amp;&quot;&gt;\" time=\"1.500\">\n      \
            <failure message=\"no?\">no?\n- b</failure>\n    </testcase>\n  </testsuite>\n  \
            <testsuite name=\"b.yml\" tests=\"1\" failures=\"0\" errors=\"1\" time=\"0.000\">\n    \
            <testcase name=\"b.yml\">\n      <error>b.yml:1:2: no</error>\n    </testcase>\n  </testsuite>\n</testsuites>\n";
        assert_eq!(document(&[good, broken]), want);
    }
}
