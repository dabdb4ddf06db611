//! The query of a request for alerts or silences.

use model::{GoRegex, Matcher};

use crate::api::answer::ApiError;
use crate::matcher_text::parse_matchers;
use crate::state::AlertView;

/// Which alerts are asked for.
#[derive(Debug)]
pub(super) struct Filter {
    /// Those that all of these match.
    pub(super) matchers: Vec<Matcher>,
    active: bool,
    silenced: bool,
    inhibited: bool,
    unprocessed: bool,
    receiver: Option<GoRegex>,
}

impl Filter {
    /// Reads the part of the URL behind the question mark. Keys that mean nothing here are passed over.
    pub(super) fn parse(query: Option<&str>) -> Result<Self, ApiError> {
        let (active, silenced, inhibited, unprocessed) = (true, true, true, true);
        let mut filter = Filter { matchers: Vec::new(), active, silenced, inhibited, unprocessed, receiver: None };
        for (key, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match key.as_ref() {
                "filter" => filter.matchers.extend(parse_matchers(&value).map_err(ApiError::bad_request)?),
                "active" => filter.active = boolean(&key, &value)?,
                "silenced" => filter.silenced = boolean(&key, &value)?,
                "inhibited" => filter.inhibited = boolean(&key, &value)?,
                "unprocessed" => filter.unprocessed = boolean(&key, &value)?,
                "receiver" => filter.receiver = Some(GoRegex::new(&value).map_err(ApiError::bad_request)?),
                _ => {}
            }
        }
        Ok(filter)
    }

    /// Whether alerts of this receiver are asked for.
    pub(super) fn takes_receiver(&self, name: &str) -> bool {
        self.receiver.as_ref().is_none_or(|regex| regex.is_match(name))
    }

    /// Whether this alert is asked for, its receivers aside.
    pub(super) fn takes(&self, view: &AlertView) -> bool {
        (self.active || view.is_suppressed())
            && (self.silenced || view.silenced_by.is_empty())
            && (self.inhibited || view.inhibited_by.is_empty())
            && self.matchers.iter().all(|m| m.matches_labels(&view.alert.labels))
    }
}

fn boolean(key: &str, value: &str) -> Result<bool, ApiError> {
    match value {
        "true" | "1" => Ok(true),
        "false" | "0" => Ok(false),
        _ => Err(ApiError::bad_request(format_args!("bad value {value:?} for {key}: want true or false"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_amtool_sends() {
        let query = "active=true&filter=alertname%3D%22Down%22&filter=job%3D~%22a.*%22&inhibited=false&silenced=false&receiver=ho.*";
        let filter = Filter::parse(Some(query)).unwrap();
        assert_eq!(crate::matcher_text::print_matchers(&filter.matchers), r#"{alertname="Down",job=~"a.*"}"#);
        assert!(filter.active && !filter.inhibited && !filter.silenced);
        assert!(filter.takes_receiver("hook") && !filter.takes_receiver("mail"));
        assert!(Filter::parse(Some("active=maybe")).unwrap_err().1.contains("want true or false"));
        assert!(Filter::parse(Some("filter=%3D")).unwrap_err().1.contains("bad matcher"));
    }
}
