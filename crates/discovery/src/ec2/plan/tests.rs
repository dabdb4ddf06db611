use std::sync::Arc;

use config::{Report, Spanned};
use model::SystemClock;

use super::*;
use crate::ec2::config::RawEc2SdConfig;

const CONFIG: &str = "\
[default]
region = eu-west-1
[profile chain]
role_arn = arn:c
external_id = x
source_profile = middle
[profile middle]
role_arn = arn:m
role_session_name = me
source_profile = base
[profile base]
aws_access_key_id = AKB
aws_secret_access_key = b
[profile itself]
role_arn = arn:i
source_profile = itself
aws_access_key_id = AKI
aws_secret_access_key = i
[profile circle]
role_arn = arn:1
source_profile = circle2
[profile circle2]
role_arn = arn:2
source_profile = circle
[profile web]
role_arn = arn:w
web_identity_token_file = /run/token
[profile instance]
role_arn = arn:p
credential_source = Ec2InstanceMetadata
[profile odd]
credential_source = Moon
[profile mfa]
role_arn = arn:p
mfa_serial = 1
source_profile = base
[profile sso]
sso_session = x
[profile process]
credential_process = /bin/false
[profile lost]
role_arn = arn:l
source_profile = nowhere
";

struct Case {
    _dir: tempfile::TempDir,
    surroundings: Surroundings,
}

fn case(variables: &[(&str, &str)]) -> Case {
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("config");
    std::fs::write(&file, CONFIG).expect("a file");
    let own = [("AWS_CONFIG_FILE", file.to_str().expect("text"))];
    let surroundings = Surroundings::new(own.into_iter().chain(variables.iter().copied()), Arc::new(SystemClock));
    Case { _dir: dir, surroundings }
}

fn section(words: &str) -> Ec2SdConfig {
    let raw: Spanned<RawEc2SdConfig> = config::load(&format!("{{{words}}}"), "a.yml").expect("a section");
    let mut report = Report::new("a.yml");
    let config = Ec2SdConfig::validate(raw.value, &mut report);
    report.finish(config).expect("valid").expect("valid")
}

/// A plan in a few words; credentials by the IDs of their keys.
fn told(plan: &Plan) -> String {
    let role = |role: &Role| {
        let more = [&role.external_id, &role.session_name].map(|text| text.clone().unwrap_or_default()).concat();
        if more.is_empty() { role.arn.clone() } else { format!("{}({more})", role.arn) }
    };
    let origin = match &plan.origin {
        Origin::Keys(keys) => {
            let session = keys.session_token.as_ref().map_or("", |_| "+session");
            format!("{}{session}", keys.access_key.expose())
        }
        Origin::WebIdentity { token_file, role: first } => format!("{} for {}", token_file.display(), role(first)),
        Origin::Container(url) => url.to_string(),
        Origin::Instance => "instance".to_owned(),
    };
    [origin].into_iter().chain(plan.roles.iter().map(role)).collect::<Vec<_>>().join(" > ")
}

fn check(words: &str, variables: &[(&str, &str)], want: &str) {
    let case = case(variables);
    let got = plan(&section(words), &case.surroundings);
    assert_eq!(got.map_or_else(|error| error.to_string(), |plan| told(&plan)), want, "{words} {variables:?}");
}

const KEYS: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKE"), ("AWS_SECRET_ACCESS_KEY", "e")];

#[test]
fn the_first_place_that_has_credentials_counts() {
    check("access_key: AKC, secret_key: s", &KEYS, "AKC");
    check("access_key: AKC", &KEYS, "AKE"); // a key without its other half is none, as in Prometheus
    check("profile: base", &KEYS, "AKB");
    check("", &KEYS, "AKE");
    check("", &[&KEYS[..], &[("AWS_SESSION_TOKEN", "t")]].concat(), "AKE+session");
    let web = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/run/t"), ("AWS_ROLE_ARN", "arn:r"), ("AWS_ROLE_SESSION_NAME", "n")];
    check("", &web, "/run/t for arn:r(n)");
    check("", &[&web[..], &KEYS].concat(), "AKE");
    check("", &[("AWS_PROFILE", "base")], "AKB");
    check("", &[("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "/v2/x")], "http://169.254.170.2/v2/x");
    check("", &[], "instance");
    check("role_arn: arn:x, external_id: y", &[], "instance > arn:x(y)");
}

#[test]
fn profiles_refer_to_each_other() {
    check("profile: chain", &[], "AKB > arn:m(me) > arn:c(x)");
    check("profile: chain, role_arn: arn:last", &[], "AKB > arn:m(me) > arn:c(x) > arn:last");
    check("profile: itself", &[], "AKI > arn:i");
    check("profile: web", &[], "/run/token for arn:w");
    check("profile: instance", &KEYS, "instance > arn:p");
    check("profile: circle", &[], "the profile \"circle\" is its own source by source_profile");
    check("profile: lost", &[], "there is no profile \"nowhere\" in AWS's files config and credentials");
    check("profile: none", &[], "there is no profile \"none\" in AWS's files config and credentials");
    check("", &[("AWS_PROFILE", "none")], "there is no profile \"none\" in AWS's files config and credentials");
    check(
        "profile: odd",
        &[],
        "the profile \"odd\" has a credential_source \"Moon\", expected Environment, Ec2InstanceMetadata or EcsContainer",
    );
    for (profile, key) in [("mfa", "mfa_serial"), ("sso", "sso_session"), ("process", "credential_process")] {
        let want = format!(
            "the profile {profile:?} has {key}, which is not served: give a profile with keys, with a role or with a web identity, or \
             let whoever logs in write keys into AWS's file credentials"
        );
        check(&format!("profile: {profile}"), &[], &want);
    }
}

#[test]
fn credentials_of_containers_come_from_near_or_over_tls() {
    let refused = "AWS_CONTAINER_CREDENTIALS_FULL_URI must have https:// or name this host, and \
                   AWS_CONTAINER_CREDENTIALS_RELATIVE_URI be a path";
    let check = |uri: &str, want: &str| check("", &[("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri)], want);
    check("http://127.0.0.1:8080/c", "http://127.0.0.1:8080/c");
    check("http://169.254.170.23/v1/credentials", "http://169.254.170.23/v1/credentials");
    check("http://[fd00:ec2::23]/v1/credentials", "http://[fd00:ec2::23]/v1/credentials");
    check("https://example.org/c", "https://example.org/c");
    check("http://example.org/c", refused);
    check("http://127.0.0.1.example.org/c", refused);
    check("c", refused);
}

#[test]
fn without_metadata_it_is_said_what_to_do() {
    let case = case(&[("AWS_EC2_METADATA_DISABLED", "True")]);
    let error = plan(&section(""), &case.surroundings).expect_err("nothing");
    assert!(error.to_string().starts_with("there are no credentials: give access_key"), "{error}");
}

#[test]
fn the_region_is_the_first_that_is_said() {
    let check = |words: &str, variables: &[(&str, &str)], want: Option<&str>| {
        let case = case(variables);
        let got = region(&section(words), &case.surroundings).expect("files that can be read");
        assert_eq!(got.as_deref(), want, "{words} {variables:?}");
    };
    let variables = [("AWS_REGION", "b"), ("AWS_DEFAULT_REGION", "c")];
    check("region: a", &variables, Some("a"));
    check("", &variables, Some("b"));
    check("", &variables[1..], Some("c"));
    check("", &[], Some("eu-west-1"));
    check("profile: base", &[], None);
}
