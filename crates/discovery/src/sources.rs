//! Everything where targets may be found.

use config::{Report, Spanned};

use crate::dns::{DnsSdConfig, RawDnsSdConfig};
use crate::file::{FileSdConfig, RawFileSdConfig};
use crate::group::{RawTargetGroup, TargetGroup};
use crate::http::{HttpSdConfig, RawHttpSdConfig};
use crate::kubernetes::config::{KubernetesSdConfig, RawKubernetesSdConfig};

/// The keys of a configuration that say where targets are found, as written.
#[derive(Debug, Clone, Default)]
pub struct RawSources {
    /// `static_configs`
    pub fixed: Vec<RawTargetGroup>,
    /// `file_sd_configs`
    pub files: Vec<Spanned<RawFileSdConfig>>,
    /// `dns_sd_configs`
    pub dns: Vec<Spanned<RawDnsSdConfig>>,
    /// `http_sd_configs`
    pub http: Vec<Spanned<RawHttpSdConfig>>,
    /// `kubernetes_sd_configs`
    pub kubernetes: Vec<Spanned<RawKubernetesSdConfig>>,
}

/// Where targets are found, validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Targets in the configuration.
    pub fixed: Vec<TargetGroup>,
    /// Targets in files.
    pub files: Vec<FileSdConfig>,
    /// Targets in the DNS.
    pub dns: Vec<DnsSdConfig>,
    /// Targets that servers tell.
    pub http: Vec<HttpSdConfig>,
    /// Targets in Kubernetes clusters.
    pub kubernetes: Vec<KubernetesSdConfig>,
}

impl Sources {
    /// Checks what was written. An address with a slash in `static_configs` is refused where nothing can relabel it.
    pub fn validate(raw: RawSources, is_relabelled: bool, report: &mut Report) -> Sources {
        let fixed = raw.fixed.into_iter().map(|group| TargetGroup::validate(group, is_relabelled, report)).collect();
        let files =
            raw.files.into_iter().map(|file| FileSdConfig::validate(file.value, file.position, report)).collect();
        let dns = raw.dns.into_iter().map(|dns| DnsSdConfig::validate(dns.value, dns.position, report)).collect();
        let http =
            raw.http.into_iter().filter_map(|http| HttpSdConfig::validate(http.value, http.position, report)).collect();
        let kubernetes = raw.kubernetes.into_iter();
        let kubernetes = kubernetes.filter_map(|raw| KubernetesSdConfig::validate(raw.value, raw.position, report));
        Sources { fixed, files, dns, http, kubernetes: kubernetes.collect() }
    }
}
