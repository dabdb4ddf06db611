use discovery::{FileSdConfig, Source};

use super::*;
use crate::global_config::RawGlobalConfig;

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct File {
    global: RawGlobalConfig,
    scrape_configs: Vec<Spanned<RawScrapeConfig>>,
}

fn read(text: &str) -> Result<(GlobalConfig, Vec<ScrapeConfig>), config::Errors> {
    let file: File = config::load(text, "/etc/w/p.yml")?;
    let mut report = Report::new("/etc/w/p.yml");
    let environment = |name: &str| (name == "ZONE").then(|| "eu".to_owned());
    let global = GlobalConfig::validate(file.global, environment, &mut report);
    let configs = ScrapeConfig::validate_all(file.scrape_configs, &[], &global, &mut report);
    report.finish((global, configs))
}

#[test]
fn fills_in_defaults_from_global() {
    let (global, configs) = read(
        "global:
  scrape_interval: 15s
  external_labels: {zone: '${ZONE}-1', empty: '$NONE'}
  sample_limit: 100
  body_size_limit: 1MB
scrape_configs:
- job_name: a
- job_name: b
  scrape_interval: 5s
  sample_limit: 7
  scheme: https
  params: {module: [x, y]}
  static_configs:
  - targets: ['h:1', 'h:2']
    labels: {env: prod}
  file_sd_configs:
  - files: [targets/*.yml]
  basic_auth: {username: u, password: p}
",
    )
    .unwrap();
    assert_eq!(
        (global.scrape_interval_ms, global.scrape_timeout_ms, global.evaluation_interval_ms),
        (15_000, 10_000, 60_000)
    );
    assert_eq!(global.external_labels.to_string(), "{zone=\"eu-1\"}");
    let (a, b) = (&configs[0], &configs[1]);
    assert_eq!((a.scrape_interval_ms, a.scrape_timeout_ms, a.limits.samples), (15_000, 10_000, 100));
    assert_eq!((a.metrics_path.as_str(), a.scheme, a.honor_timestamps), ("/metrics", Scheme::Http, true));
    assert_eq!((b.scrape_interval_ms, b.scrape_timeout_ms, b.limits.samples), (5000, 5000, 7));
    assert_eq!((b.limits.body_size, b.scheme, b.sources.fixed[0].targets.len()), (1 << 20, Scheme::Https, 2));
    let file = FileSdConfig { files: vec!["/etc/w/targets/*.yml".into()], refresh_interval_ms: 300_000 };
    assert_eq!(b.sources.found, [Source::File(file)]);
    assert!(b.http.authorization.is_some());
}

#[test]
fn takes_every_word_that_is_served() {
    read(
        "scrape_configs:
- job_name: a
  honor_labels: true
  honor_timestamps: false
  track_timestamps_staleness: true
  scrape_protocols: [PrometheusProto, OpenMetricsText1.0.0, OpenMetricsText0.0.1, PrometheusText1.0.0, PrometheusText0.0.4]
  fallback_scrape_protocol: PrometheusText0.0.4
  scrape_native_histograms: true
  always_scrape_classic_histograms: true
  convert_classic_histograms_to_nhcb: true
  scrape_failure_log_file: failed.json
  extra_scrape_metrics: true
  native_histogram_bucket_limit: 10
  native_histogram_min_bucket_factor: 1.1
  enable_compression: false
  enable_http2: true
  follow_redirects: false
  target_limit: 1
  label_limit: 1
  label_name_length_limit: 1
  label_value_length_limit: 1
  keep_dropped_targets: 1
  metric_name_validation_scheme: legacy
  metric_name_escaping_scheme: values
  tls_config: {server_name: x.example, insecure_skip_verify: true}
  http_headers: {X-Scope: {values: [a]}}
  authorization: {credentials: t}
  relabel_configs: [{source_labels: [__address__], target_label: x}]
  dns_sd_configs: [{names: [_web._tcp.example.org]}, {names: [a, b], type: AAAA, port: 9100, refresh_interval: 1m}]
  http_sd_configs: [{url: 'https://x.example/targets', refresh_interval: 30s, basic_auth: {username: a, password: b}}]
  metric_relabel_configs: [{regex: x, action: labeldrop}]
",
    )
    .unwrap();
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &[&str]| {
        let lines: Vec<String> = read(text).unwrap_err().0.iter().map(ToString::to_string).collect();
        let want: Vec<String> = want.iter().map(|line| format!("/etc/w/p.yml:{line}")).collect();
        assert_eq!(lines, want, "{text}");
    };
    let job = |line: &str| format!("scrape_configs:\n- job_name: a\n  {line}\n");
    check("scrape_configs:\n- metrics_path: /x\n", &["2:3: job_name is empty"]);
    check(
        "scrape_configs:\n- job_name: a\n- job_name: a\n",
        &["3:13: found multiple scrape configs with job name \"a\""],
    );
    check(&job("scrap_interval: 5s"), &["3:3: unknown key \"scrap_interval\", did you mean \"scrape_interval\"?"]);
    check(
        &job("scrape_timeout: 2m"),
        &["3:19: scrape timeout greater than scrape interval for scrape config with job name \"a\""],
    );
    check(
        &job("vultr_sd_configs: [{api: x}]\n  kubernetes_sd_configs: [{role: pods}]"),
        &[
            "3:21: vultr_sd_configs is not served: targets are found by static_configs, file_sd_configs, http_sd_configs, \
             dns_sd_configs, kubernetes_sd_configs, consul_sd_configs, nomad_sd_configs, docker_sd_configs, \
             dockerswarm_sd_configs, ec2_sd_configs, aws_sd_configs with the role ec2, gce_sd_configs and azure_sd_configs. Let \
             whoever knows these targets write them into a file for file_sd_configs, or answer http_sd_configs with them",
            "4:34: unknown Kubernetes SD role \"pods\", expected one of: pod, service, endpoints, endpointslice, node, ingress",
        ],
    );
    check(&job("scheme: ftp"), &["3:11: unknown scheme \"ftp\", expected http or https"]);
    check(&job("scrape_protocols: []"), &["3:21: scrape_protocols cannot be empty"]);
    check(
        &job("scrape_protocols: [OpenMetricsText1.0.0, PrometheusProto, OpenMetricsText1.0.0]"),
        &["3:21: duplicated protocol in scrape_protocols"],
    );
    check(
        &job("scrape_fallback_protocol: PrometheusText0.0.4"),
        &["3:29: unknown key \"scrape_fallback_protocol\", did you mean \"fallback_scrape_protocol\"?"],
    );
    check(
        &job("fallback_scrape_protocol: prometheusproto"),
        &["3:29: unknown value \"prometheusproto\", did you mean \"PrometheusProto\"?"],
    );
    check(
        &job("metric_name_validation_scheme: legacy\n  metric_name_escaping_scheme: allow-utf-8"),
        &["4:32: utf8 metric names requested but validation scheme is not set to UTF8"],
    );
    check(
        &job("scrape_protocols: [PrometheusText]"),
        &["3:22: unknown value \"PrometheusText\", expected one of: OpenMetricsText0.0.1, OpenMetricsText1.0.0, \
           PrometheusProto, PrometheusText0.0.4, PrometheusText1.0.0"],
    );
    check(&job("body_size_limit: 5"), &["3:20: not a valid size: \"5\" (want a number with a unit, as 512KB or 10MB)"]);
    check(&job("static_configs: [{targets: ['http://x']}]"), &["3:31: \"http://x\" is not a valid hostname"]);
    check(
        &job("file_sd_configs: [{files: [a.txt]}]"),
        &[
            "3:30: path name \"a.txt\" is not valid for file discovery: it must end in .json, .yml or .yaml and may have \
           one * in its last part",
        ],
    );
    check(
        "global: {scrape_interval: 5s, scrape_timeout: 6s, metric_name_validation_scheme: legacy, external_labels: {a.b: c}}",
        &["1:47: global scrape timeout greater than scrape interval", "1:113: \"a.b\" is not a valid label name"],
    );
}

#[test]
fn formats_follow_histograms_and_global() {
    use Protocol::{OpenMetricsText001, OpenMetricsText100, PrometheusProto, PrometheusText004, PrometheusText100};
    let text = [OpenMetricsText100, OpenMetricsText001, PrometheusText100, PrometheusText004];
    let all = [PrometheusProto, OpenMetricsText100, OpenMetricsText001, PrometheusText100, PrometheusText004];
    let check = |global: &str, job: &str, want: &[Protocol]| {
        let (_, configs) = read(&format!("global: {{{global}}}\nscrape_configs: [{{job_name: a, {job}}}]\n")).unwrap();
        assert_eq!(configs[0].protocols(false), want, "{global} {job}");
        let want_starts = if want == text { &all } else { want };
        assert_eq!(configs[0].protocols(true), want_starts, "{global} {job}");
    };
    check("", "", &text);
    check("", "scrape_native_histograms: true", &all);
    check("scrape_native_histograms: true", "", &all);
    check("scrape_native_histograms: true", "scrape_native_histograms: false", &text);
    check("scrape_protocols: [PrometheusText0.0.4]", "scrape_native_histograms: true", &[PrometheusText004]);
    check("scrape_protocols: [PrometheusText0.0.4]", "scrape_protocols: [PrometheusProto]", &[PrometheusProto]);
}

#[test]
fn histograms_and_their_log_follow_global() {
    let (_, configs) = read(
        "global: {convert_classic_histograms_to_nhcb: true, always_scrape_classic_histograms: true, scrape_failure_log_file: a}
scrape_configs:
- job_name: a
- job_name: b
  always_scrape_classic_histograms: false
  scrape_failure_log_file: /b
  native_histogram_bucket_limit: 7
  native_histogram_min_bucket_factor: 2
",
    )
    .unwrap();
    let (a, b) = (&configs[0], &configs[1]);
    assert_eq!(a.histograms, HistogramForms { native: false, converted: true, classic: true });
    assert_eq!(b.histograms, HistogramForms { native: false, converted: true, classic: false });
    assert_eq!(a.histogram_limits, HistogramLimits { buckets: 0, schema: 8 });
    assert_eq!(b.histogram_limits, HistogramLimits { buckets: 7, schema: 0 });
    let log = |config: &ScrapeConfig| config.scrape_failure_log_file.clone();
    assert_eq!((log(a), log(b)), (Some("/etc/w/a".into()), Some("/b".into())));
}
