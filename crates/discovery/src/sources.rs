//! Everything where targets may be found.

use config::{Report, Spanned};

use crate::azure::config::AzureSdConfig;
use crate::consul::config::ConsulSdConfig;
use crate::dns::DnsSdConfig;
use crate::docker::config::{DockerSdConfig, DockerSwarmSdConfig};
use crate::ec2::config::Ec2SdConfig;
use crate::file::{FileSdConfig, read_groups};
use crate::gce::config::GceSdConfig;
use crate::group::TargetGroup;
use crate::http::HttpSdConfig;
use crate::kubernetes::config::KubernetesSdConfig;
use crate::nomad::NomadSdConfig;
use crate::sources_raw::RawSources;

/// Where targets are found, validated.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sources {
    /// Targets in the configuration.
    pub fixed: Vec<TargetGroup>,
    /// Who is asked for others.
    pub found: Vec<Source>,
}

/// Somebody who knows of targets.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "each is its configuration, which says what it is")]
pub enum Source {
    File(FileSdConfig),
    Dns(DnsSdConfig),
    Http(Box<HttpSdConfig>),
    Kubernetes(Box<KubernetesSdConfig>),
    Consul(Box<ConsulSdConfig>),
    Nomad(Box<NomadSdConfig>),
    Docker(Box<DockerSdConfig>),
    DockerSwarm(Box<DockerSwarmSdConfig>),
    Ec2(Box<Ec2SdConfig>),
    Gce(Box<GceSdConfig>),
    Azure(Box<AzureSdConfig>),
}

/// What is served, as a refusal of the rest tells it.
const SERVED: &str = "static_configs, file_sd_configs, http_sd_configs, dns_sd_configs, kubernetes_sd_configs, consul_sd_configs, \
                      nomad_sd_configs, docker_sd_configs, dockerswarm_sd_configs, ec2_sd_configs, aws_sd_configs with the role \
                      ec2, gce_sd_configs and azure_sd_configs";

impl Sources {
    /// What is wrong with the files of targets that are there now.
    pub fn check_files(&self) -> Vec<config::Error> {
        let files = self.found.iter().filter_map(|source| match source {
            Source::File(config) => Some(config.matching_files()),
            _ => None,
        });
        files.flatten().filter_map(|file| read_groups(&file).err()).flat_map(|error| error.errors().0).collect()
    }

    /// Checks what was written. An address with a slash in `static_configs` is refused where nothing can relabel it.
    pub fn validate(raw: RawSources, is_relabelled: bool, report: &mut Report) -> Sources {
        for (key, position) in raw.unserved {
            report.error(
                position,
                format_args!(
                    "{key} is not served: targets are found by {SERVED}. Let whoever knows these targets write them into a \
                     file for file_sd_configs, or answer http_sd_configs with them"
                ),
            );
        }
        let (mut fixed, mut found) = (Vec::new(), Vec::new());
        for Spanned { value, position } in raw.static_configs {
            match value {
                Some(group) => fixed.push(TargetGroup::validate(group, is_relabelled, report)),
                None => report.error(position, "an empty entry, a mapping with targets was expected"),
            }
        }
        for Spanned { value, position } in raw.file_sd_configs {
            found.push(Source::File(FileSdConfig::validate(value, position, report)));
        }
        for Spanned { value, position } in raw.dns_sd_configs {
            found.push(Source::Dns(DnsSdConfig::validate(value, position, report)));
        }
        for Spanned { value, position } in raw.http_sd_configs {
            found.extend(HttpSdConfig::validate(value, position, report).map(|http| Source::Http(Box::new(http))));
        }
        for Spanned { value, position } in raw.kubernetes_sd_configs {
            let config = KubernetesSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::Kubernetes(Box::new(config))));
        }
        for Spanned { value, position } in raw.consul_sd_configs {
            let config = ConsulSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::Consul(Box::new(config))));
        }
        for Spanned { value, position } in raw.nomad_sd_configs {
            let config = NomadSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::Nomad(Box::new(config))));
        }
        for Spanned { value, position } in raw.docker_sd_configs {
            let config = DockerSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::Docker(Box::new(config))));
        }
        for Spanned { value, position } in raw.dockerswarm_sd_configs {
            let config = DockerSwarmSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::DockerSwarm(Box::new(config))));
        }
        for Spanned { value, .. } in raw.ec2_sd_configs {
            found.extend(Ec2SdConfig::validate(value, report).map(|ec2| Source::Ec2(Box::new(ec2))));
        }
        for Spanned { value, position } in raw.aws_sd_configs {
            found.extend(Ec2SdConfig::validate_aws(value, position, report).map(|ec2| Source::Ec2(Box::new(ec2))));
        }
        for Spanned { value, position } in raw.gce_sd_configs {
            found.push(Source::Gce(Box::new(GceSdConfig::validate(value, position, report))));
        }
        for Spanned { value, position } in raw.azure_sd_configs {
            let config = AzureSdConfig::validate(value, position, report);
            found.extend(config.map(|config| Source::Azure(Box::new(config))));
        }
        Sources { fixed, found }
    }
}
