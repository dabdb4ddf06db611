//! `ec2_sd_configs` against a server that speaks the APIs of EC2, STS and the metadata services: pages, faults, credentials.

use axum::http::Method;
use model::Timestamp;

use crate::cloud_server::{Asked, CloudServer, Followed, Knob, SILENCE, beginning, wait_until};
use crate::{validate, wait_for};

const KEYS: &str = "region: eu-west-1, access_key: AKID, secret_key: hunter2";

fn section(words: &str, url: &str) -> String {
    format!("ec2_sd_configs: [{{{words}, endpoint: '{url}', refresh_interval: 50ms}}]")
}

/// A page with one instance, whose number is its address.
fn page(instance: u8, next: &str) -> String {
    format!(
        "<DescribeInstancesResponse><reservationSet><item><ownerId>1</ownerId><instancesSet><item>\
         <instanceId>i-{instance}</instanceId><privateIpAddress>10.0.0.{instance}</privateIpAddress>\
         <placement><availabilityZone>eu-west-1a</availabilityZone></placement></item></instancesSet></item></reservationSet>\
         <nextToken>{next}</nextToken></DescribeInstancesResponse>"
    )
}

fn target(instance: u8) -> String {
    format!(
        r#"10.0.0.{instance}:80 {{__meta_ec2_availability_zone="eu-west-1a", __meta_ec2_availability_zone_id="euw1-az3", __meta_ec2_instance_id="i-{instance}", __meta_ec2_owner_id="1", __meta_ec2_private_ip="10.0.0.{instance}", __meta_ec2_region="eu-west-1"}}"#
    )
}

fn zones() -> String {
    "<DescribeAvailabilityZonesResponse><availabilityZoneInfo><item><zoneName>eu-west-1a</zoneName><zoneId>euw1-az3</zoneId></item>\
     </availabilityZoneInfo></DescribeAvailabilityZonesResponse>"
        .to_owned()
}

fn refusal(code: &str) -> String {
    format!("<Response><Errors><Error><Code>{code}</Code><Message>no</Message></Error></Errors></Response>")
}

fn is_list(asked: &Asked) -> bool {
    asked.word("Action") == "DescribeInstances"
}

#[tokio::test]
async fn pages_are_joined_and_faults_keep_the_last_targets() {
    let fault = Knob::new((200, String::new()));
    let told = fault.clone();
    let server = CloudServer::start(move |asked| match (told.get(), asked.word("Action"), asked.word("NextToken")) {
        (_, "DescribeAvailabilityZones", _) => (200, zones()),
        ((200, body), "DescribeInstances", "") if body.is_empty() => (200, page(1, "b+/=")),
        (_, "DescribeInstances", "b+/=") => (200, page(2, "c")),
        (fault, "DescribeInstances", "c") if fault.1.is_empty() => (200, page(3, "")),
        (fault, ..) => fault,
    })
    .await;
    let words = format!("{KEYS}, filters: [{{name: 'tag:a', values: [x, 'y z']}}, {{name: n, values: [v]}}]");
    let followed = Followed::start("ec2", &section(&words, &server.url), &[], |own| own).await;
    let all = [1, 2, 3].map(target);
    let all = all.each_ref().map(String::as_str);
    wait_for(&followed.discovery, &all).await;
    let first = server.asked().into_iter().find(is_list).expect("a list");
    let filters: Vec<String> = first
        .words
        .iter()
        .filter_map(|(name, value)| Some(format!("{}={value}", name.strip_prefix("Filter.")?)))
        .collect();
    assert_eq!(filters, ["1.Name=tag:a", "1.Value.1=x", "1.Value.2=y z", "2.Name=n", "2.Value.1=v"]);
    assert_eq!((first.word("Version"), first.word("MaxResults")), ("2016-11-15", "1000"));
    let authorization = first.header("authorization");
    let scope = "AWS4-HMAC-SHA256 Credential=AKID/20260102/eu-west-1/ec2/aws4_request, SignedHeaders=content-type;host;x-amz-date, ";
    assert!(authorization.starts_with(scope), "{authorization}");

    for bad in [
        (403, refusal("UnauthorizedOperation")),
        (500, "<html>".to_owned()),
        (200, "garbage".to_owned()),
        (200, page(9, "").replace("</instanceId>", "")),
        (SILENCE, "x".to_owned()),
    ] {
        fault.set(bad);
        followed.fails_and_keeps(&all).await;
    }
    fault.set((200, String::new()));
    wait_for(&followed.discovery, &all).await;
    assert_eq!(
        server.count(|asked| asked.word("Action") == "DescribeAvailabilityZones"),
        1,
        "zones are asked for once"
    );
    assert!(!format!("{:?}", followed.discovery).contains("hunter2"), "the secret shows itself");
}

#[tokio::test]
async fn a_busy_server_is_asked_again_in_the_same_round() {
    let refusals = Knob::new(2);
    let left = refusals.clone();
    let server = CloudServer::start(move |asked| match (asked.word("Action"), left.get()) {
        ("DescribeInstances", 0) => (200, page(1, "")),
        ("DescribeInstances", n) => {
            left.set(n - 1);
            (400, refusal("RequestLimitExceeded"))
        }
        _ => (200, zones()),
    })
    .await;
    let followed = Followed::start("ec2", &section(KEYS, &server.url), &[], |own| own).await;
    wait_for(&followed.discovery, &[&target(1)]).await;
    assert_eq!(followed.failures(), 0);
}

#[tokio::test]
async fn zones_that_may_not_be_asked_for_are_left_out() {
    let server = CloudServer::start(|asked| match asked.word("Action") {
        "DescribeInstances" => (200, page(1, "")),
        _ => (403, refusal("UnauthorizedOperation")),
    })
    .await;
    let followed = Followed::start("ec2", &section(KEYS, &server.url), &[], |own| own).await;
    let want = target(1).replace(r#"__meta_ec2_availability_zone_id="euw1-az3", "#, "");
    wait_for(&followed.discovery, &[&want]).await;
    assert_eq!(followed.failures(), 0);
}

/// Temporary credentials in JSON, which end so many seconds after the beginning.
fn json(id: &str, secs: i64) -> String {
    let until = beginning().saturating_add(secs * 1000).to_rfc3339();
    format!(
        r#"{{"Code": "Success", "AccessKeyId": "{id}", "SecretAccessKey": "s", "Token": "session-{id}", "Expiration": "{until}"}}"#
    )
}

/// The same in the XML of STS.
fn xml(action: &str, id: &str, until: Timestamp) -> String {
    let until = until.to_rfc3339();
    format!(
        "<{action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><{action}Result><Credentials>\
         <AccessKeyId>{id}</AccessKeyId><SecretAccessKey>s</SecretAccessKey><SessionToken>session-{id}</SessionToken>\
         <Expiration>{until}</Expiration></Credentials></{action}Result></{action}Response>"
    )
}

/// Whether a query is signed with these temporary credentials.
fn is_signed(asked: &Asked, id: &str, service: &str) -> bool {
    let scope = format!("Credential={id}/20260102/eu-west-1/{service}/aws4_request");
    let names = "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token";
    let authorization = asked.header("authorization");
    authorization.contains(&scope)
        && authorization.contains(names)
        && asked.header("x-amz-security-token") == format!("session-{id}")
}

/// The answer of EC2 to one who has signed with some of these credentials.
fn answer_to(asked: &Asked, ids: &[&str]) -> (u16, String) {
    match asked.word("Action") {
        _ if !ids.iter().any(|id| is_signed(asked, id, "ec2")) => (400, refusal("RequestExpired")),
        "DescribeInstances" => (200, page(1, "")),
        _ => (200, zones()),
    }
}

#[tokio::test]
async fn an_instance_has_its_region_and_credentials_from_its_metadata() {
    const CREDENTIALS: &str = "/latest/meta-data/iam/security-credentials/";
    let (given, taken) = (Knob::new(("ASIA1", 3600)), Knob::new(vec!["ASIA1", "ASIA2"]));
    let (giving, taking) = (given.clone(), taken.clone());
    let server = CloudServer::start(move |asked| {
        let has_token = asked.header("x-aws-ec2-metadata-token") == "tok";
        match (&asked.method, asked.path.as_str()) {
            (&Method::PUT, "/latest/api/token") => {
                assert_eq!(asked.header("x-aws-ec2-metadata-token-ttl-seconds"), "21600");
                (200, "tok".to_owned())
            }
            (&Method::GET, _) if !has_token => (401, String::new()),
            (_, "/latest/dynamic/instance-identity/document") => (200, r#"{"region": "eu-west-1"}"#.to_owned()),
            (_, CREDENTIALS) => (200, "my role\nother".to_owned()),
            (_, "/latest/meta-data/iam/security-credentials/my%20role") => {
                let (id, secs) = giving.get();
                (200, json(id, secs))
            }
            (&Method::POST, "/") => answer_to(asked, &taking.get()),
            _ => (404, String::new()),
        }
    })
    .await;
    let variables = [("AWS_EC2_METADATA_SERVICE_ENDPOINT", server.url.as_str())];
    let followed = Followed::start("ec2", &section("port: 80", &server.url), &variables, |own| own).await;
    wait_for(&followed.discovery, &[&target(1)]).await;
    let fetched = || server.count(|asked| asked.path == CREDENTIALS);
    let lists = server.count(is_list);
    wait_until("three more rounds", || server.count(is_list) > lists + 3).await;
    assert_eq!(fetched(), 1, "they are kept");

    // New ones are fetched before the old ones end.
    let uses = |id: &str| server.count(|asked| is_signed(asked, id, "ec2"));
    given.set(("ASIA2", 2 * 3600));
    followed.clock.advance(3_541_000);
    wait_until("new ones are used", || uses("ASIA2") > 1).await;
    assert_eq!((fetched(), followed.failures()), (2, 0));

    // And when AWS doesn't take them any more.
    given.set(("ASIA3", 2 * 3600));
    taken.set(vec!["ASIA3"]);
    wait_until("new ones are used after a refusal", || uses("ASIA3") > 1).await;
    assert_eq!(fetched(), 3);
    assert!(followed.failures() >= 1);
    wait_for(&followed.discovery, &[&target(1)]).await;
}

#[tokio::test]
async fn a_container_has_credentials_from_its_host() {
    let server = CloudServer::start(|asked| match asked.path.as_str() {
        "/v2/credentials" if asked.header("authorization") == "pod token" => {
            (200, json("ASIAC", 3600).replace(r#""Code": "Success", "#, ""))
        }
        "/" => answer_to(asked, &["ASIAC"]),
        _ => (401, String::new()),
    })
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    std::fs::write(&file, "pod token\n").expect("a file");
    let variables = [
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{}/v2/credentials", server.url)),
        ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", file.display().to_string()),
        ("AWS_REGION", "eu-west-1".to_owned()),
    ];
    let variables = variables.each_ref().map(|(name, value)| (*name, value.as_str()));
    let followed = Followed::start("ec2", &section("port: 80", &server.url), &variables, |own| own).await;
    wait_for(&followed.discovery, &[&target(1)]).await;
    assert_eq!(followed.failures(), 0);
}

#[tokio::test]
async fn a_token_in_a_file_is_good_for_a_role_and_that_for_another() {
    let server = CloudServer::start(move |asked| {
        let until = beginning().saturating_add(900_000);
        match asked.word("Action") {
            action @ "AssumeRoleWithWebIdentity" => {
                let words = ["RoleArn", "RoleSessionName", "WebIdentityToken"].map(|name| asked.word(name));
                assert_eq!(words, ["arn:aws:iam::1:role/pod", "me", "jwt"]);
                assert_eq!(asked.header("authorization"), "", "the token is the proof");
                (200, xml(action, "ASIAW", until))
            }
            action @ "AssumeRole" => {
                assert!(is_signed(asked, "ASIAW", "sts"), "{asked:?}");
                let words = ["RoleArn", "ExternalId", "DurationSeconds"].map(|name| asked.word(name));
                assert_eq!(words, ["arn:aws:iam::2:role/reader", "abc", "900"]);
                (200, xml(action, "ASIAR", until))
            }
            _ => answer_to(asked, &["ASIAR"]),
        }
    })
    .await;
    let dir = tempfile::tempdir().expect("a folder");
    let file = dir.path().join("token");
    std::fs::write(&file, "jwt\n").expect("a file");
    let path = file.display().to_string();
    let variables = [
        ("AWS_WEB_IDENTITY_TOKEN_FILE", path.as_str()),
        ("AWS_ROLE_ARN", "arn:aws:iam::1:role/pod"),
        ("AWS_ROLE_SESSION_NAME", "me"),
        ("AWS_ENDPOINT_URL_STS", &server.url),
    ];
    let words = "region: eu-west-1, role_arn: 'arn:aws:iam::2:role/reader', external_id: abc";
    let followed = Followed::start("ec2", &section(words, &server.url), &variables, |own| own).await;
    wait_for(&followed.discovery, &[&target(1)]).await;
    assert_eq!(followed.failures(), 0);
}

#[tokio::test]
async fn where_there_are_no_credentials_nothing_is_asked_and_it_is_counted() {
    let server = CloudServer::start(|_| (200, page(1, ""))).await;
    let variables = [("AWS_EC2_METADATA_DISABLED", "true")];
    let words = section("region: eu-west-1", &server.url);
    let followed = Followed::start("ec2", &words, &variables, |own| own).await;
    followed.fails_and_keeps(&[]).await;
    assert_eq!(server.count(|_| true), 0);
}

#[test]
fn refuses_with_the_place() {
    let check = |text: &str, want: &str| assert_eq!(validate(text).expect_err(text), want, "{text}");
    check(
        "ec2_sd_configs: [{filters: [{name: a, values: []}]}]",
        "a.yml:1:29: EC2 SD configuration filter values cannot be empty",
    );
    check("ec2_sd_configs: [{port: 70000}]", "a.yml:1:25: 70000 is not a port");
    check("ec2_sd_configs: [{refresh_interval: 0s}]", "a.yml:1:37: refresh_interval must be longer than 0");
    check(
        "ec2_sd_configs: [{region: 'EU/west'}]",
        "a.yml:1:27: \"EU/west\" is not a region: it has lowercase letters, digits and hyphens, as eu-west-1",
    );
    check("ec2_sd_configs: [{endpoint: example.org}]", "a.yml:1:29: not a valid URL: relative URL without a base");
    check("ec2_sd_configs: [{role: ec2}]", "a.yml:1:25: unknown field `role`: it is a word of aws_sd_configs");
    check("ec2_sd_configs: [{clusters: [a]}]", "a.yml:1:29: unknown field `clusters`: it is a word of aws_sd_configs");
    check("aws_sd_configs: [{}]", "a.yml:1:18: unknown AWS SD role \"\"");
    check("aws_sd_configs: [{role: moon}]", "a.yml:1:25: unknown AWS SD role \"moon\"");
    check(
        "aws_sd_configs: [{role: ecs, clusters: [a]}]",
        "a.yml:1:25: the role ecs is not served, only ec2: let whoever knows these targets write them into a file for file_sd_configs, \
         or answer http_sd_configs with them",
    );
    let secrets = "ec2_sd_configs: [{access_key: AKID, secret_key: hunter2, endpoint: 'http://a:geheim@x'}]";
    assert!(validate(secrets).is_err_and(|error| !error.contains("geheim") && !error.contains("hunter2")));
    let aws =
        validate("aws_sd_configs: [{role: ec2, region: a, access_key: AKID, secret_key: hunter2}]").expect("valid");
    let ec2 = validate("ec2_sd_configs: [{region: a, access_key: AKID, secret_key: hunter2}]").expect("valid");
    assert_eq!(aws, ec2);
    let shown = format!("{aws:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("AKID"), "{shown}");
}
