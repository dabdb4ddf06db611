//! Addresses of nodes, as configurations have them.

use url::Url;

/// Reads the base URL of a node; `what` says in errors which one it is.
pub(super) fn base_url(what: &str, text: &str) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("the {what} is not a URL: {error}"))?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none_or(str::is_empty) {
        return Err(format!("the {what}'s URL must begin with http:// or https:// and name a host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(format!("credentials don't belong into the {what}'s URL: use basic_auth"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(format!("the {what}'s URL is the address of the node, without a query"));
    }
    Ok(url)
}
