//! Asking a node, ours or a peer's, over HTTP.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde_json::Value;

/// The samples of each series: time in milliseconds and the value as it was printed.
pub type Points = BTreeMap<String, Vec<(i64, String)>>;

/// Asks one node.
#[derive(Debug, Clone)]
pub struct Client {
    /// The node's URL without a slash at its end.
    pub url: String,
    http: reqwest::Client,
}

impl Client {
    /// Asks the node at `url`.
    pub fn new(url: impl Into<String>) -> Result<Self> {
        // Fails where another test of this process was first, which is as good.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let http = reqwest::Client::builder().timeout(Duration::from_secs(30)).build()?;
        Ok(Client { url: url.into(), http })
    }

    /// The body of a path, which must be answered with 200.
    pub async fn text(&self, path: &str) -> Result<String> {
        let answer = self.http.get(format!("{}{path}", self.url)).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if status.is_success() { Ok(body) } else { bail!("{path}: {status}: {body}") }
    }

    /// The status and the JSON body of a path, whatever they are; with a form it is a POST.
    pub async fn answer(&self, path: &str, form: Option<&str>) -> Result<(u16, Value)> {
        let url = format!("{}{path}", self.url);
        let request = match form {
            Some(form) => {
                let content_type = "application/x-www-form-urlencoded";
                self.http.post(url).header("content-type", content_type).body(form.to_owned())
            }
            None => self.http.get(url),
        };
        let answer = request.send().await?;
        let (status, body) = (answer.status().as_u16(), answer.text().await?);
        Ok((status, serde_json::from_str(&body).with_context(|| format!("{path}: {status}: {body}"))?))
    }

    /// Sends a POST without a body.
    pub async fn post(&self, path: &str) -> Result<String> {
        let answer = self.http.post(format!("{}{path}", self.url)).send().await?;
        let (status, body) = (answer.status(), answer.text().await?);
        if status.is_success() { Ok(body) } else { bail!("{path}: {status}: {body}") }
    }

    /// The `data` of an API answer.
    pub async fn api(&self, path: &str) -> Result<Value> {
        let mut answer: Value = serde_json::from_str(&self.text(&format!("/api/v1/{path}")).await?)?;
        if answer["status"] != "success" {
            bail!("{path}: {answer}");
        }
        Ok(answer["data"].take())
    }

    /// The `result` of an instant query, now or at a time in seconds.
    pub async fn query(&self, expr: &str, time: Option<f64>) -> Result<Value> {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        query.append_pair("query", expr);
        if let Some(time) = time {
            query.append_pair("time", &time.to_string());
        }
        Ok(self.api(&format!("query?{}", query.finish())).await?["result"].take())
    }

    /// The first value of an instant query, or an error where the answer is empty.
    pub async fn value(&self, expr: &str) -> Result<f64> {
        let result = self.query(expr, None).await?;
        let text = result[0]["value"][1].as_str().with_context(|| format!("{expr} gives nothing"))?;
        Ok(text.parse()?)
    }

    /// All stored samples of a selector in the `seconds` before `time`.
    pub async fn samples(&self, selector: &str, seconds: u64, time: f64) -> Result<Points> {
        points(&self.query(&format!("{selector}[{seconds}s]"), Some(time)).await?)
    }

    /// Whether the node says it is ready.
    pub async fn ready(&self) -> Result<()> {
        self.text("/-/ready").await.map(drop)
    }
}

/// The samples in the `result` of a query that gave a matrix.
pub fn points(result: &Value) -> Result<Points> {
    let mut out = Points::new();
    for series in result.as_array().context("no list of series")? {
        let values = series["values"].as_array().context("no values")?;
        let point = |value: &Value| Some(((value[0].as_f64()? * 1000.0).round() as i64, value[1].as_str()?.to_owned()));
        let points = values.iter().map(|value| point(value).context("no point")).collect::<Result<_>>()?;
        out.insert(series["metric"].to_string(), points);
    }
    Ok(out)
}
