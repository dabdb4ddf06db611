//! `watershed check relabel`: what relabelling does, rule by rule.

use std::fmt::Write as _;
use std::io::Write;
use std::process::ExitCode;

use anyhow::{Context, Result};
use model::{Labels, format_duration, quote};
use promql::ParseOptions;
use scrape::relabel::{RelabelConfig, steps};
use scrape::{ScrapeConfig, Trial};

use super::config_file;
use crate::arguments::CheckRelabel;

/// Prints the labels before and after each rule, and what is scraped in the end.
pub(crate) fn run(flags: &CheckRelabel) -> Result<ExitCode> {
    let (_, common) = config_file::load(&flags.config_file, ParseOptions::default(), false)?;
    let job = common.scrape.iter().find(|config| config.job_name == flags.job).with_context(|| {
        let jobs: Vec<&str> = common.scrape.iter().map(|config| config.job_name.as_str()).collect();
        format!("{} has no job {:?}, only: {}", flags.config_file.display(), flags.job, jobs.join(", "))
    })?;
    let labels = Labels::from_pairs(flags.labels.iter().map(|(name, value)| (name, value)));
    let (text, is_kept) = if flags.metrics { of_series(job, &labels) } else { of_target(job, &labels) };
    std::io::stdout().write_all(text.as_bytes())?;
    Ok(if is_kept { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn of_target(job: &ScrapeConfig, labels: &Labels) -> (String, bool) {
    let trial = Trial::of(job, labels);
    let mut out = listed("before", &trial.discovered);
    write_steps(&mut out, &job.relabel_configs, &trial.discovered);
    match trial.outcome {
        None => (out + "dropped: the target is not scraped\n", false),
        Some(Err(reason)) => (format!("{out}refused: {reason}\n"), false),
        Some(Ok(scraped)) => {
            let (every, within) = (format_duration(scraped.interval_ms), format_duration(scraped.timeout_ms));
            let after = listed("after", &scraped.labels);
            (format!("{out}{after}scraped: {} every {every}, within {within}\n", scraped.url), true)
        }
    }
}

fn of_series(job: &ScrapeConfig, labels: &Labels) -> (String, bool) {
    let mut out = listed("before", labels);
    let is_kept = write_steps(&mut out, &job.metric_relabel_configs, labels);
    (out + if is_kept { "kept\n" } else { "dropped: the series is not stored\n" }, is_kept)
}

fn listed(title: &str, labels: &Labels) -> String {
    let lines = labels.iter().map(|(name, value)| format!("    {name}={}\n", quote(value)));
    format!("{title}\n{}", lines.collect::<String>())
}

/// Each rule with what it changed, up to the one that drops the label set; whether none does.
fn write_steps(out: &mut String, rules: &[RelabelConfig], labels: &Labels) -> bool {
    let mut before = labels.clone();
    for (at, step) in steps(rules, labels).into_iter().enumerate() {
        let _ = writeln!(out, "rule {}: {}", at + 1, step.rule);
        if !step.is_kept {
            out.push_str("    drops it\n");
            return false;
        }
        let changes = changes(&before, &step.labels);
        out.push_str(if changes.is_empty() { "    changes nothing\n" } else { &changes });
        before = step.labels;
    }
    true
}

fn changes(before: &Labels, after: &Labels) -> String {
    let mut out = String::new();
    for (name, value) in before.iter().filter(|(name, _)| after.get(name).is_none()) {
        let _ = writeln!(out, "  - {name}={}", quote(value));
    }
    for (name, value) in after.iter().filter(|(name, value)| before.get(name) != Some(value)) {
        let sign = if before.get(name).is_some() { '~' } else { '+' };
        let _ = writeln!(out, "  {sign} {name}={}", quote(value));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(text: &str) -> ScrapeConfig {
        let raw = config::load(text, "a.yml").expect("a job");
        let mut report = config::Report::new("a.yml");
        let config = ScrapeConfig::validate(raw, &scrape::GlobalConfig::default(), &mut report);
        report.finish(config).expect("a valid job")
    }

    const JOB: &str = "
job_name: pods
relabel_configs:
- {source_labels: [__meta_pod], target_label: pod}
- {source_labels: [pod], regex: cart-.*, action: keep}
- {source_labels: [__address__], regex: '([^:]+):.*', target_label: __address__, replacement: '$1:9100'}
- {action: labeldrop, regex: __meta_.*}
metric_relabel_configs:
- {source_labels: [__name__], regex: go_.*, action: drop}
";

    #[test]
    fn a_target_is_shown_rule_by_rule() {
        let labels = Labels::from_pairs([("__address__", "10.0.0.7:80"), ("__meta_pod", "cart-1")]);
        let (text, is_kept) = of_target(&job(JOB), &labels);
        let (_, text) = text.split_once("rule 1").expect("rules");
        assert!(is_kept);
        assert_eq!(
            format!("rule 1{text}"),
            "rule 1: replace [__meta_pod] =~ \"(.*)\" -> pod = \"$1\"
  + pod=\"cart-1\"
rule 2: keep [pod] =~ \"cart-.*\"
    changes nothing
rule 3: replace [__address__] =~ \"([^:]+):.*\" -> __address__ = \"$1:9100\"
  ~ __address__=\"10.0.0.7:9100\"
rule 4: labeldrop =~ \"__meta_.*\"
  - __meta_pod=\"cart-1\"
after
    instance=\"10.0.0.7:9100\"
    job=\"pods\"
    pod=\"cart-1\"
scraped: http://10.0.0.7:9100/metrics every 1m, within 10s
"
        );
    }

    #[test]
    fn what_is_dropped_says_by_which_rule() {
        let labels = Labels::from_pairs([("__address__", "10.0.0.7:80"), ("__meta_pod", "shop-1")]);
        let (text, is_kept) = of_target(&job(JOB), &labels);
        assert!(!is_kept);
        let end = "rule 2: keep [pod] =~ \"cart-.*\"\n    drops it\ndropped: the target is not scraped\n";
        assert!(text.ends_with(end), "{text}");
        let series = |name: &str| of_series(&job(JOB), &Labels::from_pairs([("__name__", name)])).1;
        assert_eq!((series("go_goroutines"), series("up")), (false, true));
    }
}
