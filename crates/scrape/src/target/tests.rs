use super::*;

fn outcomes(yaml: &str) -> Vec<Outcome> {
    let raw: config::Spanned<crate::scrape_config::RawScrapeConfig> = config::load(yaml, "p.yml").unwrap();
    let mut report = config::Report::new("p.yml");
    let config = ScrapeConfig::validate(raw, &crate::global_config::GlobalConfig::default(), &mut report);
    let config = report.finish(config).unwrap();
    config.sources.fixed.iter().flat_map(|group| targets_of(group, &config)).collect()
}

fn only(yaml: &str) -> Result<Target, String> {
    match outcomes(yaml).remove(0) {
        Outcome::Scraped(target) => Ok(*target),
        Outcome::Dropped(_) => Err("dropped".to_owned()),
        Outcome::Invalid { reason, .. } => Err(reason),
    }
}

#[test]
fn makes_labels_and_url() {
    let target = only("{job_name: j, static_configs: [{targets: ['h:9100'], labels: {env: prod}}]}").unwrap();
    assert_eq!(target.labels.to_string(), r#"{env="prod", instance="h:9100", job="j"}"#);
    assert_eq!(target.url.as_str(), "http://h:9100/metrics");
    assert_eq!((target.interval_ms, target.timeout_ms), (60_000, 10_000));
    assert_eq!(
        target.discovered.to_string(),
        r#"{__address__="h:9100", __always_scrape_classic_histograms__="false", __convert_classic_histograms_to_nhcb__="false", __metrics_path__="/metrics", __scheme__="http", __scrape_interval__="1m", __scrape_native_histograms__="false", __scrape_timeout__="10s", env="prod", job="j"}"#
    );
}

#[test]
fn a_url_is_shown_with_its_address_as_given() {
    let check = |scheme: &str, address: &str, want: &str| {
        let yaml = format!("{{job_name: j, scheme: {scheme}, static_configs: [{{targets: ['{address}']}}]}}");
        assert_eq!(only(&yaml).unwrap().shown_url(Some("edge-1")), want, "{address}");
    };
    check("http", "h:80", "http://h:80/metrics");
    check("http", "h", "http://h/metrics");
    check("https", "h:443", "https://h:443/metrics");
    check("https", "h:80", "https://h:80/metrics");
    check("http", "[::2]:80", "http://[::2]:80/metrics");
    check("http", "localhost:80", "http://edge-1:80/metrics");
    check("http", "127.0.0.1:9090", "http://edge-1:9090/metrics");
    check("http", "localhost.example:80", "http://localhost.example:80/metrics");
    check("http", "Host:80", "http://Host:80/metrics");
    check("http", ":9100", "http://:9100/metrics");
    check("http", "user:secret@h:80", "http://h/metrics");
}

#[test]
fn relabelling_decides_what_is_scraped() {
    let check = |rest: &str, url: &str| {
        let yaml = format!("job_name: j\nstatic_configs: [{{targets: ['h:1']}}]\n{rest}");
        assert_eq!(only(&yaml).unwrap().url.as_str(), url, "{rest}");
    };
    check("scheme: https\nmetrics_path: /x/y", "https://h:1/x/y");
    check("params: {module: [a b, c], q: [d]}", "http://h:1/metrics?module=a+b&module=c&q=d");
    // the probe pattern: the address becomes a parameter, the prober the address
    check(
        "params: {module: [m]}\nrelabel_configs:\n- {source_labels: [__address__], target_label: __param_target}\n\
         - {target_label: __address__, replacement: 'prober:9115'}",
        "http://prober:9115/metrics?module=m&target=h%3A1",
    );
    check("relabel_configs: [{target_label: __scheme__, replacement: https}]", "https://h:1/metrics");
    check("relabel_configs: [{target_label: __metrics_path__, replacement: /p}]", "http://h:1/p");
    check("relabel_configs: [{target_label: __address__, replacement: ':2'}]", "http://localhost:2/metrics");
}

#[test]
fn interval_and_timeout_can_be_relabelled() {
    let yaml = "job_name: j\nstatic_configs: [{targets: ['h:1']}]\nrelabel_configs:\n\
                - {target_label: __scrape_interval__, replacement: 5s}\n- {target_label: __scrape_timeout__, replacement: ";
    let target = only(&format!("{yaml}2s}}")).unwrap();
    assert_eq!((target.interval_ms, target.timeout_ms), (5000, 2000));
    assert_eq!(
        only(&format!("{yaml}6s}}")),
        Err("scrape timeout cannot be greater than scrape interval (\"6s\" > \"5s\")".to_owned())
    );
    assert_eq!(only(&format!("{yaml}0s}}")), Err("scrape timeout cannot be 0".to_owned()));
}

#[test]
fn forms_of_histograms_can_be_relabelled() {
    let check = |label: &str, value: &str, want: Result<HistogramForms, &str>| {
        let yaml = format!(
            "{{job_name: j, scrape_native_histograms: true, static_configs: [{{targets: ['h:1']}}], \
             relabel_configs: [{{target_label: {label}, replacement: '{value}'}}]}}"
        );
        let got = only(&yaml).map(|target| target.histograms);
        assert_eq!(got, want.map_err(str::to_owned), "{label} {value}");
    };
    let job = HistogramForms { native: true, ..HistogramForms::default() };
    check(NATIVE, "F", Ok(HistogramForms::default()));
    check(NATIVE, "", Ok(job));
    check(CONVERTED, "1", Ok(HistogramForms { converted: true, ..job }));
    check(CLASSIC, "true", Ok(HistogramForms { classic: true, ..job }));
    let wrong = "error parsing always scrape classic histograms: \"yes\" is neither true nor false";
    check(CLASSIC, "yes", Err(wrong));
}

#[test]
fn refuses_and_drops() {
    let check = |rest: &str, want: &str| {
        let yaml = format!("job_name: j\nstatic_configs: [{{targets: ['h:1']}}]\nrelabel_configs: [{{{rest}}}]");
        assert_eq!(only(&yaml).unwrap_err(), want, "{rest}");
    };
    check("action: drop, source_labels: [__address__], regex: '.*'", "dropped");
    check("target_label: __address__, replacement: ''", "no address");
    check("target_label: __address__, replacement: 'a/b'", "\"a/b\" is not a valid hostname");
    check("target_label: __scheme__, replacement: ftp", "unknown scheme \"ftp\", expected http or https");
}
