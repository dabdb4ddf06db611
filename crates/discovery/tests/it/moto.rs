//! `ec2_sd_configs` against moto, a server that speaks EC2, STS and IAM and checks signatures as AWS does.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::cloud_server::{Followed, wait_until};
use crate::targets;

const PROGRAM: &str = "moto_server";
const REGION: &str = "us-east-1";
/// The server imports a good deal of Python before it listens.
const START_BOUND: Duration = Duration::from_secs(60);
/// What users of EC2 may do here.
const POLICY: &str =
    r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": ["ec2:*", "sts:*"], "Resource": "*"}]}"#;
/// Who may assume the role, and what has to be told.
const TRUST: &str = r#"{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::123456789012:user/reader"}, "Action": "sts:AssumeRole", "Condition": {"StringEquals": {"sts:ExternalId": "abc"}}}]}"#;

struct Moto {
    process: Child,
    url: String,
    client: reqwest::Client,
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

impl Moto {
    /// Starts the server. Without it on the PATH says that `test` is skipped, in the form that `scripts/test` collects.
    #[expect(clippy::print_stdout, reason = "scripts/test reads what was skipped from here")]
    async fn start(test: &str) -> Option<Moto> {
        let Some(program) = find_program() else {
            println!("SKIPPED {test}: {PROGRAM} is not installed");
            return None;
        };
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let port =
            TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
        let process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("starts");
        let url = format!("http://127.0.0.1:{port}");
        let mut moto = Moto { process, url, client: reqwest::Client::new() };
        let listens = async {
            while moto.client.get(format!("{}/moto-api/data.json", moto.url)).send().await.is_err() {
                let ended = moto.process.try_wait().expect("a child of ours");
                assert!(ended.is_none(), "{PROGRAM} ended instead of listening: {ended:?}");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(START_BOUND, listens).await.expect("the server listens in time");
        Some(moto)
    }

    /// A query to a service, before signatures are checked.
    async fn ask(&self, service: &str, words: &[(&str, &str)]) -> String {
        let version = if service == "ec2" { "2016-11-15" } else { "2010-05-08" };
        let scope = format!("AWS4-HMAC-SHA256 Credential=x/20200101/{REGION}/{service}/aws4_request, Signature=x");
        let request = self.client.post(&self.url).header("authorization", scope);
        let answer = request.form(&[&[("Version", version)], words].concat()).send().await.expect("an answer");
        let (status, text) = (answer.status(), answer.text().await.expect("text"));
        assert!(status.is_success(), "{words:?}: {status} {text}");
        text
    }

    async fn run(&self, name: &str) {
        let words = [
            ("Action", "RunInstances"),
            ("ImageId", "ami-12c6146b"),
            ("InstanceType", "m1.small"),
            ("MinCount", "1"),
            ("MaxCount", "1"),
            ("TagSpecification.1.ResourceType", "instance"),
            ("TagSpecification.1.Tag.1.Key", "team/name"),
            ("TagSpecification.1.Tag.1.Value", name),
        ];
        self.ask("ec2", &words).await;
    }

    /// From now on every query must be signed by a user who may do what it does.
    async fn check_signatures(&self) {
        let request = self.client.post(format!("{}/moto-api/reset-auth", self.url)).body("0");
        assert!(request.send().await.expect("an answer").status().is_success());
    }

    async fn follow(&self, words: &str) -> Followed {
        let section = format!(
            "ec2_sd_configs: [{{region: {REGION}, endpoint: '{}', port: 9100, refresh_interval: 200ms, {words}}}]",
            self.url
        );
        let variables = [("AWS_ENDPOINT_URL_STS", self.url.as_str())];
        Followed::start("ec2", &section, &variables, |own| own.with_ec2_pages_of(1)).await
    }
}

fn find_program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|folder| folder.join(PROGRAM)).find(|file| file.is_file())
}

/// The text of an element.
fn element<'a>(xml: &'a str, name: &str) -> &'a str {
    let (_, rest) = xml.split_once(&format!("<{name}>")).expect("the element");
    rest.split('<').next().expect("its text")
}

/// The labels of the instances by their tag.
fn by_name(followed: &Followed) -> BTreeMap<String, BTreeMap<String, String>> {
    let groups = followed.discovery.groups();
    let groups = groups.iter().flat_map(|groups| groups.iter());
    groups
        .map(|group| {
            let label = |(name, value): (&str, &str)| (name.replace("__meta_ec2_", ""), value.to_owned());
            let mut labels: BTreeMap<String, String> = group.labels.iter().map(label).collect();
            labels.insert("__address__".to_owned(), group.targets.join(" "));
            (group.labels.value("__meta_ec2_tag_team_name").to_owned(), labels)
        })
        .collect()
}

#[tokio::test]
async fn instances_of_an_account_are_found() {
    let Some(moto) = Moto::start("instances_of_an_account_are_found").await else { return };
    for name in ["a", "b", "c"] {
        moto.run(name).await;
    }
    moto.ask("iam", &[("Action", "CreateUser"), ("UserName", "reader")]).await;
    let policy = [("UserName", "reader"), ("PolicyName", "p"), ("PolicyDocument", POLICY)];
    moto.ask("iam", &[&[("Action", "PutUserPolicy")], policy.as_slice()].concat()).await;
    let keys = moto.ask("iam", &[("Action", "CreateAccessKey"), ("UserName", "reader")]).await;
    let role = [("Action", "CreateRole"), ("RoleName", "lister"), ("AssumeRolePolicyDocument", TRUST)];
    let role = moto.ask("iam", &role).await;
    let policy = [("RoleName", "lister"), ("PolicyName", "p"), ("PolicyDocument", POLICY)];
    moto.ask("iam", &[&[("Action", "PutRolePolicy")], policy.as_slice()].concat()).await;
    moto.check_signatures().await;

    let (id, key) = (element(&keys, "AccessKeyId"), element(&keys, "SecretAccessKey"));
    let own = format!("access_key: '{id}', secret_key: '{key}'");
    let followed = moto.follow(&own).await;
    wait_until("all instances", || by_name(&followed).len() == 3).await;
    let found = by_name(&followed);
    assert_eq!(found.keys().collect::<Vec<_>>(), ["a", "b", "c"]);
    let a = &found["a"];
    assert_eq!(a["__address__"], format!("{}:9100", a["private_ip"]));
    assert_eq!(a["subnet_id"], format!(",{},", a["primary_subnet_id"]));
    for (label, want) in [
        ("ami", "ami-12c6146b"),
        ("architecture", "x86_64"),
        ("availability_zone", "us-east-1a"),
        ("availability_zone_id", "use1-az6"),
        ("instance_state", "running"),
        ("instance_type", "m1.small"),
        ("owner_id", "123456789012"),
        ("platform", "windows"),
        ("region", REGION),
    ] {
        assert_eq!(a.get(label).map(String::as_str), Some(want), "{label}");
    }
    for (label, beginning) in [
        ("instance_id", "i-"),
        ("vpc_id", "vpc-"),
        ("primary_subnet_id", "subnet-"),
        ("private_dns_name", "ip-"),
        ("public_dns_name", "ec2-"),
    ] {
        assert!(a[label].starts_with(beginning), "{label}: {a:?}");
    }
    assert_eq!(followed.failures(), 0);

    let filtered = moto.follow(&format!("{own}, filters: [{{name: 'tag:team/name', values: [b, c]}}]")).await;
    wait_until("two instances", || by_name(&filtered).keys().eq(["b", "c"])).await;

    let role = format!("{own}, role_arn: '{}'", element(&role, "Arn"));
    let assumed = moto.follow(&format!("{role}, external_id: abc")).await;
    wait_until("all instances", || by_name(&assumed).len() == 3).await;
    assert_eq!(assumed.failures(), 0);

    // A wrong key, one that nobody has, and a role that wants to be told something else.
    for words in [
        format!("{role}, external_id: xyz"),
        format!("access_key: '{id}', secret_key: not{key}"),
        format!("access_key: AKIAXXXXXXXXXXXXXXXX, secret_key: '{key}'"),
    ] {
        let refused = moto.follow(&words).await;
        refused.fails_and_keeps(&[]).await;
    }
    let before = targets(&followed.discovery);
    drop(moto);
    let before: Vec<&str> = before.iter().map(String::as_str).collect();
    followed.fails_and_keeps(&before).await;
}
