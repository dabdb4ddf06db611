//! Request parameters: the query string and, of a POST or PUT, the form in the body.

use axum::body::to_bytes;
use axum::extract::{FromRequest, Request};
use axum::http::{Method, header};
use model::{Matcher, TimeRange, Timestamp, parse_duration};

use crate::envelope::ApiError;

/// A form longer than this is refused.
const FORM_BYTES_MAX: usize = 10 << 20;

/// The parameters of a request; a name may come several times.
#[derive(Debug, Default)]
pub(crate) struct Params(Vec<(String, String)>);

impl<S: Sync> FromRequest<S> for Params {
    type Rejection = ApiError;

    async fn from_request(request: Request, _state: &S) -> Result<Self, ApiError> {
        let mut pairs = decode(request.uri().query().unwrap_or("").as_bytes());
        if has_form(request.method()) && is_form(&request) {
            let body = to_bytes(request.into_body(), FORM_BYTES_MAX).await.map_err(|e| {
                ApiError::bad_data(format!("cannot read the form (at most {FORM_BYTES_MAX} bytes): {e}"))
            })?;
            // Go's r.FormValue prefers the body over the URL.
            pairs.splice(0..0, decode(&body));
        }
        Ok(Params(pairs))
    }
}

/// The methods of which Go's `ParseForm` reads the body.
fn has_form(method: &Method) -> bool {
    [Method::POST, Method::PUT, Method::PATCH].contains(method)
}

fn is_form(request: &Request) -> bool {
    let content_type = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    content_type.is_some_and(|value| value.starts_with("application/x-www-form-urlencoded"))
}

fn decode(bytes: &[u8]) -> Vec<(String, String)> {
    url::form_urlencoded::parse(bytes).into_owned().collect()
}

impl Params {
    /// The first value of a parameter, if it is there and not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str()).filter(|v| !v.is_empty())
    }

    /// All values of a parameter.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// A parameter that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).ok_or_else(|| ApiError::parameter(name, "empty value"))
    }

    /// A time, if the parameter is there.
    pub(crate) fn time(&self, name: &str) -> Result<Option<Timestamp>, ApiError> {
        let parse = |text: &str| {
            Timestamp::parse(text)
                .map_err(|_| ApiError::parameter(name, format!("cannot parse \"{text}\" to a valid timestamp")))
        };
        self.get(name).map(parse).transpose()
    }

    /// A duration in milliseconds, given as seconds or in Prometheus's grammar.
    pub(crate) fn duration_ms(&self, name: &str) -> Result<Option<i64>, ApiError> {
        let invalid = |text: &str| ApiError::parameter(name, format!("cannot parse \"{text}\" to a valid duration"));
        let Some(text) = self.get(name) else { return Ok(None) };
        let ms = match text.parse::<f64>() {
            Ok(seconds) => {
                let ms = seconds * 1000.0;
                if !ms.is_finite() || ms.abs() > (i64::MAX / 1_000_000) as f64 {
                    return Err(ApiError::parameter(
                        name,
                        format!("cannot parse \"{text}\" to a valid duration. It overflows int64"),
                    ));
                }
                ms.round() as i64
            }
            Err(_) => parse_duration(text).map_err(|_| invalid(text))?,
        };
        Ok(Some(ms))
    }

    /// What Go's `strconv.ParseBool` takes; false where the parameter is missing.
    pub(crate) fn flag(&self, name: &str) -> Result<bool, ApiError> {
        match self.get(name) {
            None | Some("0" | "f" | "F" | "FALSE" | "false" | "False") => Ok(false),
            Some("1" | "t" | "T" | "TRUE" | "true" | "True") => Ok(true),
            Some(text) => Err(ApiError::parameter(name, format!("unable to parse boolean \"{text}\""))),
        }
    }

    /// A number that isn't negative; 0 where the parameter is missing.
    pub(crate) fn count(&self, name: &str) -> Result<usize, ApiError> {
        let Some(text) = self.get(name) else { return Ok(0) };
        text.parse().map_err(|_| ApiError::parameter(name, format!("cannot parse \"{text}\" to a positive number")))
    }

    /// `start` and `end`, all of time where they are missing; `None` where the end is before the start, which lists take
    /// for a range that holds nothing.
    pub(crate) fn range(&self) -> Result<Option<TimeRange>, ApiError> {
        let (start, end) = (self.time("start")?.unwrap_or(Timestamp::MIN), self.time("end")?.unwrap_or(Timestamp::MAX));
        Ok((start <= end).then(|| TimeRange::new(start, end)))
    }

    /// The selectors of all `match[]`.
    pub(crate) fn selectors(&self) -> Result<Vec<Vec<Matcher>>, ApiError> {
        self.all("match[]")
            .map(|text| promql::parse_selectors(text).map_err(|e| ApiError::parameter("match[]", e)))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn params(query: &str) -> Params {
        Params(decode(query.as_bytes()))
    }

    #[test]
    fn reads_times_and_durations() {
        let p = params("start=1&end=2023-11-14T22:13:20Z&step=15&window=1h30m&bad=x&empty=");
        assert_eq!(p.time("start"), Ok(Some(Timestamp::from_ms(1000))));
        assert_eq!(p.range().map(|r| r.map(|r| r.max.as_ms())), Ok(Some(1_700_000_000_000)));
        assert_eq!(p.duration_ms("step"), Ok(Some(15_000)));
        assert_eq!(p.duration_ms("window"), Ok(Some(5_400_000)));
        assert_eq!(p.duration_ms("empty"), Ok(None));
        let error = p.duration_ms("bad").expect_err("x is no duration");
        assert_eq!(error.message, "invalid parameter \"bad\": cannot parse \"x\" to a valid duration");
        assert_eq!(p.count("bad").map_err(|e| e.kind), Err(crate::envelope::ErrorType::BadData));
        assert_eq!(params("start=2&end=1").range(), Ok(None));
    }

    #[test]
    fn booleans_are_gos() {
        let p = params("a=true&b=F&c=yes");
        assert_eq!((p.flag("a"), p.flag("b"), p.flag("none")), (Ok(true), Ok(false), Ok(false)));
        let error = p.flag("c").expect_err("no boolean");
        assert_eq!(error.message, "invalid parameter \"c\": unable to parse boolean \"yes\"");
    }

    #[test]
    fn a_name_may_come_several_times() {
        let p = params("match[]=a&match%5B%5D=b%2Bc&x=1");
        assert_eq!(p.all("match[]").collect::<Vec<_>>(), ["a", "b+c"]);
        assert!(p.required("query").is_err());
    }
}
