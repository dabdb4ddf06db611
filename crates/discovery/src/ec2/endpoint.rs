//! Where the APIs of AWS are.

use url::Url;

use crate::cloud::surroundings::Surroundings;
use crate::ec2::config::endpoint_url;

/// The ends of hosts' names in regions that aren't in AWS's common network, by how those regions' names begin.
const DOMAINS: [(&str, &str); 6] = [
    ("cn-", "amazonaws.com.cn"),
    ("us-iso-", "c2s.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov"),
    ("us-isof-", "csp.hci.ic.gov"),
    ("eu-isoe-", "cloud.adc-e.uk"),
    ("eusc-", "amazonaws.eu"),
];

/// Why it isn't known where an API is.
#[derive(Debug, thiserror::Error)]
#[error("{what} doesn't say where the API is: {reason}")]
pub(crate) struct EndpointError {
    what: String,
    reason: String,
}

/// The URL of a service in a region: what the environment says (`AWS_ENDPOINT_URL_EC2`, `AWS_ENDPOINT_URL`), or the public one.
pub(crate) fn endpoint(service: &str, region: &str, surroundings: &Surroundings) -> Result<Url, EndpointError> {
    let variables = [format!("AWS_ENDPOINT_URL_{}", service.to_uppercase()), "AWS_ENDPOINT_URL".to_owned()];
    for name in variables {
        if let Some(text) = surroundings.variable(&name) {
            return endpoint_url(&text).map_err(|reason| EndpointError { what: name, reason });
        }
    }
    let domain = DOMAINS.iter().find(|(beginning, _)| region.starts_with(beginning));
    let domain = domain.map_or("amazonaws.com", |(_, domain)| domain);
    let text = format!("https://{service}.{region}.{domain}/");
    endpoint_url(&text).map_err(|reason| EndpointError { what: format!("the region {region:?}"), reason })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use model::SystemClock;

    use super::*;

    #[test]
    fn each_region_has_its_hosts() {
        let check = |variables: &[(&'static str, &'static str)], service: &str, region: &str, want: &str| {
            let surroundings = Surroundings::new(variables.iter().copied(), Arc::new(SystemClock));
            let got = endpoint(service, region, &surroundings);
            assert_eq!(got.map_or_else(|error| error.to_string(), |url| url.to_string()), want);
        };
        check(&[], "ec2", "eu-west-1", "https://ec2.eu-west-1.amazonaws.com/");
        check(&[], "sts", "cn-north-1", "https://sts.cn-north-1.amazonaws.com.cn/");
        check(&[], "ec2", "us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com/");
        check(&[("AWS_ENDPOINT_URL", "http://a:1")], "ec2", "eu-west-1", "http://a:1/");
        let both = [("AWS_ENDPOINT_URL", "http://a:1"), ("AWS_ENDPOINT_URL_STS", "http://b:2")];
        check(&both, "sts", "eu-west-1", "http://b:2/");
        check(
            &[("AWS_ENDPOINT_URL", "a")],
            "ec2",
            "eu-west-1",
            "AWS_ENDPOINT_URL doesn't say where the API is: not a valid URL: relative URL without a base",
        );
    }
}
