//! The command line of `watershed test`. Words are promtool's where the meaning is the same.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use model::GoRegex;

use crate::feature::{Feature, FeatureParser};

const PROMQL_EXAMPLE: &str = "\
Example:
  load 1m
    http_requests_total{job=\"a\"} 0+60x10

  eval instant at 5m rate(http_requests_total[5m])
    {job=\"a\"} 1

  eval range from 1m to 3m step 1m sum(http_requests_total) > 60
    expect no_info
    {} _ 120 180

  watershed test promql http.test";

const RULES_EXAMPLE: &str = "\
Example:
  rule_files: [alerts.yml]
  tests:
    - name: a target that is down for five minutes is told
      interval: 1m
      input_series:
        - series: up{job=\"api\", instance=\"a:80\"}
          values: 1 0x9
      alert_rule_test:
        - eval_time: 7m
          alertname: InstanceDown
          exp_alerts:
            - exp_labels: {severity: page, job: api, instance: \"a:80\"}
      promql_expr_test:
        - expr: sum(up)
          eval_time: 2m
          exp_samples: [{value: 0}]

  watershed test rules alerts_test.yml";

#[derive(Debug, Subcommand)]
pub(crate) enum Test {
    /// Run scripts in Prometheus's test language for PromQL.
    ///
    /// A script loads series (`load`, `load_with_nhcb`), evaluates queries (`eval instant at`, `eval range from`) and says what is to come
    /// out; `clear` begins anew. Every case that fails is printed with its place, what was expected and what came. Exit
    /// code 1 if a case fails, 2 if a file can't be read or is no script; the other files are run nevertheless.
    #[command(after_long_help = PROMQL_EXAMPLE)]
    Promql(Promql),
    /// Run unit tests of rules, in promtool's format.
    ///
    /// A file names rule files, series in short and what is to come of both: firing alerts and results of expressions. Each test runs
    /// the groups over a storage of its own. Every failing expectation is printed with its place and both results beside each
    /// other: `-` is what was expected, `+` is what came. Exit code 1 if a test fails, 2 if a file can't be read or has errors; the
    /// other files are run nevertheless.
    #[command(after_long_help = RULES_EXAMPLE)]
    Rules(Rules),
}

#[derive(Debug, Args)]
pub(crate) struct Rules {
    /// The files with tests.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Only run tests in whose name this regular expression is found; may be given several times, each adds tests.
    #[arg(long, value_name = "REGEX", value_parser = parse_regex)]
    pub(crate) run: Vec<String>,
    /// Taken as promtool takes it; differences are always shown.
    #[arg(long)]
    pub(crate) diff: bool,
    /// Print how long each test took, and all series at its end.
    #[arg(long)]
    pub(crate) debug: bool,
    /// Write the results to this file, in JUnit's XML.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Features that the rules and tests may use, separated by commas; may be repeated.
    #[arg(long = "enable-feature", value_parser = FeatureParser, value_delimiter = ',')]
    pub(crate) features: Vec<Feature>,
}

#[derive(Debug, Args)]
pub(crate) struct Promql {
    /// The scripts.
    #[arg(required = true)]
    pub(crate) files: Vec<PathBuf>,
    /// Features that the queries may use, separated by commas; may be repeated.
    #[arg(long = "enable-feature", value_parser = FeatureParser, value_delimiter = ',')]
    pub(crate) features: Vec<Feature>,
}

/// A regular expression that is found anywhere in a name.
fn parse_regex(text: &str) -> Result<String, String> {
    let anywhere = format!("(?s:.*)(?:{text})(?s:.*)");
    GoRegex::new(&anywhere).map(|_| anywhere).map_err(|error| error.to_string())
}
