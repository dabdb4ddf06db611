//! The words of a configuration that say where targets are found, as written.

use config::{Position, Spanned};

use crate::azure::config::RawAzureSdConfig;
use crate::consul::config::RawConsulSdConfig;
use crate::dns::RawDnsSdConfig;
use crate::docker::config::{RawDockerSdConfig, RawDockerSwarmSdConfig};
use crate::ec2::config::RawEc2SdConfig;
use crate::file::RawFileSdConfig;
use crate::gce::config::RawGceSdConfig;
use crate::group::RawTargetGroup;
use crate::http::RawHttpSdConfig;
use crate::kubernetes::config::RawKubernetesSdConfig;
use crate::nomad::RawNomadSdConfig;

/// The keys that say where targets are found, as written.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the keys are Prometheus's; what they mean stands at Source")]
pub struct RawSources {
    pub static_configs: Vec<Spanned<Option<RawTargetGroup>>>,
    pub file_sd_configs: Vec<Spanned<RawFileSdConfig>>,
    pub dns_sd_configs: Vec<Spanned<RawDnsSdConfig>>,
    pub http_sd_configs: Vec<Spanned<RawHttpSdConfig>>,
    pub kubernetes_sd_configs: Vec<Spanned<RawKubernetesSdConfig>>,
    pub consul_sd_configs: Vec<Spanned<RawConsulSdConfig>>,
    pub nomad_sd_configs: Vec<Spanned<RawNomadSdConfig>>,
    pub docker_sd_configs: Vec<Spanned<RawDockerSdConfig>>,
    pub dockerswarm_sd_configs: Vec<Spanned<RawDockerSwarmSdConfig>>,
    pub ec2_sd_configs: Vec<Spanned<RawEc2SdConfig>>,
    pub aws_sd_configs: Vec<Spanned<RawEc2SdConfig>>,
    pub gce_sd_configs: Vec<Spanned<RawGceSdConfig>>,
    pub azure_sd_configs: Vec<Spanned<RawAzureSdConfig>>,
    /// Those that Prometheus knows and this doesn't.
    pub unserved: Vec<(&'static str, Position)>,
}

impl RawSources {
    /// Where the first source is whose targets aren't listed in the configuration itself.
    pub fn first_found(&self) -> Option<Position> {
        let firsts = [
            self.file_sd_configs.first().map(|source| source.position),
            self.dns_sd_configs.first().map(|source| source.position),
            self.http_sd_configs.first().map(|source| source.position),
            self.kubernetes_sd_configs.first().map(|source| source.position),
            self.consul_sd_configs.first().map(|source| source.position),
            self.nomad_sd_configs.first().map(|source| source.position),
            self.docker_sd_configs.first().map(|source| source.position),
            self.dockerswarm_sd_configs.first().map(|source| source.position),
            self.ec2_sd_configs.first().map(|source| source.position),
            self.aws_sd_configs.first().map(|source| source.position),
            self.gce_sd_configs.first().map(|source| source.position),
            self.azure_sd_configs.first().map(|source| source.position),
        ];
        firsts.into_iter().flatten().next()
    }
}

/// Declares a raw configuration section that has Prometheus's words for finding targets among its own, and those of an HTTP client,
/// which stand wherever targets are found; with a method `take_sources` besides
/// [`take_http_client`](config::with_http_client).
#[macro_export]
macro_rules! with_sources {
    ($(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $crate::with_sources! {
            @unserved
            [
                digitalocean_sd_configs ecs_sd_configs elasticache_sd_configs eureka_sd_configs hetzner_sd_configs
                ionos_sd_configs kuma_sd_configs lightsail_sd_configs linode_sd_configs marathon_sd_configs
                msk_sd_configs nerve_sd_configs oci_sd_configs openstack_sd_configs outscale_sd_configs
                ovhcloud_sd_configs puppetdb_sd_configs rds_sd_configs scaleway_sd_configs serverset_sd_configs
                stackit_sd_configs triton_sd_configs uyuni_sd_configs vultr_sd_configs
            ]
            $(#[$meta])*
            $vis struct $name { $($body)* }
        }
    };
    (@unserved [$($unserved:ident)*] $(#[$meta:meta])* $vis:vis struct $name:ident { $($body:tt)* }) => {
        $crate::config::with_http_client! {
            $(#[$meta])*
            $vis struct $name {
                $($body)*
                /// Targets in the configuration.
                pub static_configs: Vec<$crate::config::Spanned<Option<$crate::RawTargetGroup>>>,
                /// Targets in files.
                pub file_sd_configs: Vec<$crate::config::Spanned<$crate::RawFileSdConfig>>,
                /// Targets in the DNS.
                pub dns_sd_configs: Vec<$crate::config::Spanned<$crate::RawDnsSdConfig>>,
                /// Targets that servers tell.
                pub http_sd_configs: Vec<$crate::config::Spanned<$crate::RawHttpSdConfig>>,
                /// Targets in Kubernetes clusters.
                pub kubernetes_sd_configs: Vec<$crate::config::Spanned<$crate::RawKubernetesSdConfig>>,
                /// Instances of services in Consul.
                pub consul_sd_configs: Vec<$crate::config::Spanned<$crate::RawConsulSdConfig>>,
                /// Instances of services in Nomad.
                pub nomad_sd_configs: Vec<$crate::config::Spanned<$crate::RawNomadSdConfig>>,
                /// Containers of Docker daemons.
                pub docker_sd_configs: Vec<$crate::config::Spanned<$crate::RawDockerSdConfig>>,
                /// Services, tasks and nodes of Docker swarms.
                pub dockerswarm_sd_configs: Vec<$crate::config::Spanned<$crate::RawDockerSwarmSdConfig>>,
                /// Targets in EC2.
                pub ec2_sd_configs: Vec<$crate::config::Spanned<$crate::RawEc2SdConfig>>,
                /// The same by another word.
                pub aws_sd_configs: Vec<$crate::config::Spanned<$crate::RawEc2SdConfig>>,
                /// Targets in Google Compute Engine.
                pub gce_sd_configs: Vec<$crate::config::Spanned<$crate::RawGceSdConfig>>,
                /// Targets in Azure.
                pub azure_sd_configs: Vec<$crate::config::Spanned<$crate::RawAzureSdConfig>>,
                $(
                    /// Known, not served.
                    pub $unserved: Option<$crate::config::Spanned<$crate::config::Ignored>>,
                )*
            }
        }

        impl $name {
            /// Takes the words for finding targets out.
            $vis fn take_sources(&mut self) -> $crate::RawSources {
                let unserved = [$((stringify!($unserved), self.$unserved.take())),*];
                $crate::RawSources {
                    static_configs: ::std::mem::take(&mut self.static_configs),
                    file_sd_configs: ::std::mem::take(&mut self.file_sd_configs),
                    dns_sd_configs: ::std::mem::take(&mut self.dns_sd_configs),
                    http_sd_configs: ::std::mem::take(&mut self.http_sd_configs),
                    kubernetes_sd_configs: ::std::mem::take(&mut self.kubernetes_sd_configs),
                    consul_sd_configs: ::std::mem::take(&mut self.consul_sd_configs),
                    nomad_sd_configs: ::std::mem::take(&mut self.nomad_sd_configs),
                    docker_sd_configs: ::std::mem::take(&mut self.docker_sd_configs),
                    dockerswarm_sd_configs: ::std::mem::take(&mut self.dockerswarm_sd_configs),
                    ec2_sd_configs: ::std::mem::take(&mut self.ec2_sd_configs),
                    aws_sd_configs: ::std::mem::take(&mut self.aws_sd_configs),
                    gce_sd_configs: ::std::mem::take(&mut self.gce_sd_configs),
                    azure_sd_configs: ::std::mem::take(&mut self.azure_sd_configs),
                    unserved: unserved.into_iter().filter_map(|(key, value)| Some((key, value?.position))).collect(),
                }
            }
        }
    };
}
