//! `kubernetes_sd_configs` in the configuration.

use config::{HttpClientConfig, Position, Report, Spanned};
use serde::Deserialize;
use url::Url;

use crate::kubernetes::access::ApiServer;
use crate::kubernetes::kind::Kind;
use crate::kubernetes::kubeconfig;
use crate::kubernetes::selector::{check_field_selector, check_label_selector};

config::with_http_client! {
    /// `kubernetes_sd_configs` as written.
    #[derive(Debug, Clone, Default, Deserialize)]
    #[serde(deny_unknown_fields, default)]
    pub struct RawKubernetesSdConfig {
        /// What the targets are.
        pub role: Option<Spanned<String>>,
        /// The URL of the API server; that of the cluster this runs in by default.
        pub api_server: Option<Spanned<String>>,
        /// A kubeconfig file that says where the API server is.
        pub kubeconfig_file: Option<Spanned<String>>,
        /// Where to look; everywhere by default.
        pub namespaces: RawNamespaces,
        /// Which objects; all by default.
        pub selectors: Vec<Spanned<RawSelector>>,
        /// What else targets are labelled with.
        pub attach_metadata: AttachMetadata,
    }
}

/// `namespaces` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawNamespaces {
    /// The namespace of the pod this runs in.
    pub own_namespace: Option<Spanned<bool>>,
    /// Namespaces by name.
    pub names: Vec<String>,
}

/// An entry of `selectors` as written.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RawSelector {
    /// Which objects are selected.
    pub role: Option<Spanned<String>>,
    /// A selector for labels.
    pub label: Option<Spanned<String>>,
    /// A selector for fields.
    pub field: Option<Spanned<String>>,
}

/// `attach_metadata`: what targets are labelled with beside what they are themselves.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AttachMetadata {
    /// The labels and annotations of the node, for pods and endpoints.
    pub node: bool,
    /// The labels and annotations of the namespace, for all but nodes.
    pub namespace: bool,
    /// The deployment of a pod.
    pub deployment: bool,
    /// The job of a pod.
    pub job: bool,
    /// The cron job of a pod.
    pub cronjob: bool,
}

/// What targets are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Nodes: their kubelets.
    Node,
    /// Pods: the ports of their containers.
    Pod,
    /// Services: their ports.
    Service,
    /// The addresses of services, and other ports of the pods behind them.
    Endpoints,
    /// The same out of the objects that take the place of endpoints.
    EndpointSlice,
    /// The hosts and paths of ingresses.
    Ingress,
}

const ROLES: [(&str, Role); 6] = [
    ("pod", Role::Pod),
    ("service", Role::Service),
    ("endpoints", Role::Endpoints),
    ("endpointslice", Role::EndpointSlice),
    ("node", Role::Node),
    ("ingress", Role::Ingress),
];

impl Role {
    fn parse(text: &str) -> Result<Self, String> {
        let found = ROLES.iter().find(|(word, _)| *word == text).map(|(_, role)| *role);
        let words = ROLES.map(|(word, _)| word).join(", ");
        found.ok_or_else(|| format!("unknown Kubernetes SD role {text:?}, expected one of: {words}"))
    }

    fn as_str(self) -> &'static str {
        self.kind().role().unwrap_or_default()
    }

    /// The kind of objects that have the targets.
    pub(crate) fn kind(self) -> Kind {
        match self {
            Role::Node => Kind::Node,
            Role::Pod => Kind::Pod,
            Role::Service => Kind::Service,
            Role::Endpoints => Kind::Endpoints,
            Role::EndpointSlice => Kind::EndpointSlice,
            Role::Ingress => Kind::Ingress,
        }
    }

    /// What may be selected where this is the role.
    fn selected(self) -> &'static [Role] {
        match self {
            Role::Pod => &[Role::Pod, Role::Node],
            Role::Endpoints => &[Role::Pod, Role::Service, Role::Endpoints],
            Role::EndpointSlice => &[Role::Pod, Role::Service, Role::EndpointSlice],
            Role::Service => &[Role::Service],
            Role::Node => &[Role::Node],
            Role::Ingress => &[Role::Ingress],
        }
    }
}

/// An entry of `selectors`: which objects of a role are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Selector {
    /// Which objects are selected.
    pub role: Role,
    /// A selector for labels; empty for all.
    pub label: String,
    /// A selector for fields; empty for all.
    pub field: String,
}

/// `kubernetes_sd_configs`, validated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KubernetesSdConfig {
    /// What the targets are.
    pub role: Role,
    /// Whom to ask.
    pub server: ApiServer,
    /// Where to look; everywhere where there are none and it isn't the own one.
    pub namespaces: Vec<String>,
    /// Whether to look in the namespace of the pod this runs in.
    pub has_own_namespace: bool,
    /// Which objects, at most one for a role.
    pub selectors: Vec<Selector>,
    /// What else targets are labelled with.
    pub attach: AttachMetadata,
}

impl KubernetesSdConfig {
    pub(crate) fn validate(mut raw: RawKubernetesSdConfig, position: Position, report: &mut Report) -> Option<Self> {
        let http = HttpClientConfig::validate(raw.take_http_client(), report);
        let own = raw.namespaces.own_namespace.filter(|own| own.value);
        let server = server(raw.api_server, raw.kubeconfig_file, http, position, report);
        if let (Some(own), Some(server)) = (&own, &server) {
            match server {
                ApiServer::InCluster => {}
                ApiServer::Kubeconfig(_) => {
                    report.error(own, "cannot use 'kubeconfig_file' and 'namespaces.own_namespace' simultaneously");
                }
                ApiServer::Url { .. } => {
                    report.error(own, "cannot use 'api_server' and 'namespaces.own_namespace' simultaneously");
                }
            }
        }
        let Some(role) = raw.role.filter(|role| !role.is_empty()) else {
            report.error(position, "role missing (one of: pod, service, endpoints, endpointslice, node, ingress)");
            return None;
        };
        let role = report.check(&role, Role::parse(&role))?;
        let mut selectors: Vec<Selector> = Vec::new();
        for raw in raw.selectors {
            let Some(selector) = selector(raw, role, &selectors, report) else { continue };
            selectors.push(selector);
        }
        Some(KubernetesSdConfig {
            role,
            server: server?,
            namespaces: raw.namespaces.names,
            has_own_namespace: own.is_some(),
            selectors,
            attach: raw.attach_metadata,
        })
    }

    /// The kinds of objects that are joined because `attach_metadata` says so.
    pub(crate) fn attached(&self) -> Vec<Kind> {
        let has_pods = matches!(self.role, Role::Pod | Role::Endpoints | Role::EndpointSlice);
        let AttachMetadata { node, namespace, deployment, job: _, cronjob } = self.attach;
        let wanted = [
            (Kind::Node, node && has_pods),
            (Kind::Namespace, namespace && self.role != Role::Node),
            (Kind::ReplicaSet, deployment && has_pods),
            (Kind::Job, cronjob && has_pods),
        ];
        wanted.into_iter().filter(|(_, is_wanted)| *is_wanted).map(|(kind, _)| kind).collect()
    }
}

fn server(
    url: Option<Spanned<String>>,
    kubeconfig: Option<Spanned<String>>,
    http: HttpClientConfig,
    position: Position,
    report: &mut Report,
) -> Option<ApiServer> {
    let has_own_http = http != HttpClientConfig::default();
    match (url.filter(|url| !url.is_empty()), kubeconfig.filter(|file| !file.is_empty())) {
        (Some(_), Some(file)) => {
            report.error(&file, "cannot use 'kubeconfig_file' and 'api_server' simultaneously");
            None
        }
        (Some(url), None) => {
            let parsed = report.check(&url, server_url(&url))?;
            Some(ApiServer::Url { url: parsed, http: Box::new(http) })
        }
        (None, Some(file)) => {
            if has_own_http {
                report.error(&file, "cannot use a custom HTTP client configuration together with 'kubeconfig_file'");
            }
            let path = report.resolve(&file);
            // Where the file isn't there yet, following it says so.
            if path.exists() {
                report.check(&file, kubeconfig::read(&path));
            }
            Some(ApiServer::Kubeconfig(path))
        }
        (None, None) => {
            if has_own_http {
                report.error(
                    position,
                    "to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
                );
            }
            Some(ApiServer::InCluster)
        }
    }
}

fn server_url(text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("api_server is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err("api_server must begin with https:// or http:// and name a host".to_owned());
    }
    if url.password().is_some() {
        return Err("credentials don't belong into the URL: use basic_auth".to_owned());
    }
    Ok(url)
}

fn selector(raw: Spanned<RawSelector>, role: Role, others: &[Selector], report: &mut Report) -> Option<Selector> {
    let position = raw.position;
    let RawSelector { role: selected, label, field } = raw.value;
    let selected = match selected {
        Some(selected) => report.check(&selected, Role::parse(&selected))?,
        None => {
            report.error(position, "the selector has no role");
            return None;
        }
    };
    if others.iter().any(|other| other.role == selected) {
        report.error(position, format_args!("duplicated selector role: {}", selected.as_str()));
    }
    if !role.selected().contains(&selected) {
        let allowed: Vec<&str> = role.selected().iter().map(|role| role.as_str()).collect();
        report.error(position, format_args!("{} role supports only {} selectors", role.as_str(), allowed.join(", ")));
    }
    let mut text = |text: Option<Spanned<String>>, check: fn(&str) -> Result<(), String>| match text {
        Some(text) => report.check(&text, check(&text)).map(|()| text.value),
        None => Some(String::new()),
    };
    let (label, field) = (text(label, check_label_selector), text(field, check_field_selector));
    Some(Selector { role: selected, label: label?, field: field? })
}
