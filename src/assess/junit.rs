//! An assessment as JUnit XML, which build servers read: a test case for each check and each kind of finding.
#![deny(unsafe_code)]

use std::fmt::Write;

use super::finding::{FindingKind, Judgement, QualityFinding};
use super::report::{Assessment, MetricCheck};

impl Assessment {
    /// The assessment as one JUnit test suite: what fails is a failure, what is warned of is the text of a case that
    /// passes, and kinds without limits and metrics that could not be measured are skipped.
    pub fn junit(&self) -> String {
        let mut cases: Vec<TestCase> = self.checks.iter().map(of_check).collect();
        cases.extend(FindingKind::ALL.iter().map(|kind| self.of_kind(*kind)));
        cases.extend(self.absent.iter().map(|absent| TestCase {
            class: "metrics",
            name: absent.metric.name().to_owned(),
            skipped: Some(absent.why.clone()),
            ..TestCase::default()
        }));
        let failures = cases.iter().filter(|case| case.failure.is_some()).count();
        let skipped = cases.iter().filter(|case| case.skipped.is_some()).count();
        let mut out = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites tests=\"{0}\" failures=\"{failures}\" \
             errors=\"0\">\n<testsuite name=\"{1}\" tests=\"{0}\" failures=\"{failures}\" errors=\"0\" \
             skipped=\"{skipped}\">\n",
            cases.len(),
            escape(&self.file.display().to_string()),
        );
        cases.iter().for_each(|case| case.write(&mut out));
        out + "</testsuite>\n</testsuites>\n"
    }

    fn of_kind(&self, kind: FindingKind) -> TestCase {
        let of = |judgement| {
            let found = self.findings.iter().filter(move |f| f.kind == kind && f.judgement == judgement);
            let lines: Vec<String> = found.map(line).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        };
        let limit = self.thresholds.finding(kind);
        let unlimited = (limit.warn.is_none() && limit.fail.is_none()).then(|| "no limit is set".to_owned());
        TestCase {
            class: "findings",
            name: kind.name().to_owned(),
            failure: of(Judgement::Fail),
            warning: of(Judgement::Warn),
            skipped: unlimited,
        }
    }
}

#[derive(Default)]
struct TestCase {
    class: &'static str,
    name: String,
    failure: Option<String>,
    warning: Option<String>,
    skipped: Option<String>,
}

impl TestCase {
    fn write(&self, out: &mut String) {
        // Writing to a String cannot fail.
        let _ = write!(out, "<testcase classname=\"{}\" name=\"{}\" time=\"0\">", self.class, escape(&self.name));
        if let Some(why) = &self.skipped {
            let _ = write!(out, "<skipped message=\"{}\"/>", escape(why));
        }
        if let Some(text) = &self.failure {
            let first = text.lines().next().unwrap_or_default();
            let _ = write!(out, "<failure message=\"{}\">{}</failure>", escape(first), escape(text));
        }
        if let Some(text) = &self.warning {
            let _ = write!(out, "<system-out>{}</system-out>", escape(text));
        }
        out.push_str("</testcase>\n");
    }
}

fn of_check(check: &MetricCheck) -> TestCase {
    let span = span(check.from_s, check.to_s);
    let limit = |limit: Option<f64>| limit.map_or("none".to_owned(), |limit| limit.to_string());
    let text = format!(
        "{}{} {} is {:.4}; warned of from {}, fails from {}",
        span,
        check.metric,
        check.pooling.name(),
        check.value,
        limit(check.warn),
        limit(check.fail)
    );
    TestCase {
        class: "metrics",
        name: format!("{}.{}", check.metric, check.pooling.name()),
        failure: (check.judgement == Judgement::Fail).then(|| text.clone()),
        warning: (check.judgement == Judgement::Warn).then_some(text),
        skipped: None,
    }
}

fn line(finding: &QualityFinding) -> String {
    let stream = finding.stream.map_or(String::new(), |stream| format!("stream {stream}: "));
    format!("{}{stream}{}", span(finding.from_s, finding.to_s), finding.message)
}

fn span(from_s: Option<f64>, to_s: Option<f64>) -> String {
    match (from_s, to_s) {
        (Some(from), Some(to)) => format!("{from:.3} s to {to:.3} s: "),
        _ => String::new(),
    }
}

/// Text as XML has it; control characters, which it cannot have, become spaces.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' => out.push_str("&#10;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_have_is_escaped_or_gone() {
        assert_eq!(escape("<a> & \"b\"\u{1}\nc"), "&lt;a&gt; &amp; &quot;b&quot; &#10;c");
    }

    #[test]
    fn a_case_says_what_fails_what_is_warned_of_and_what_is_left_out() {
        let mut out = String::new();
        let case = TestCase {
            class: "findings",
            name: "black".to_owned(),
            failure: Some("1 s to 2 s: black\n3 s to 4 s: black".to_owned()),
            ..TestCase::default()
        };
        case.write(&mut out);
        assert_eq!(
            out,
            "<testcase classname=\"findings\" name=\"black\" time=\"0\"><failure message=\"1 s to 2 s: black\">\
             1 s to 2 s: black&#10;3 s to 4 s: black</failure></testcase>\n"
        );
    }
}
