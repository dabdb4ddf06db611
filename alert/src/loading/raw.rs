//! The file as written. Keys that Alertmanager knows and we don't serve are listed, so that they are refused as such.

use std::collections::BTreeMap;

use config::{DurationMs, Ignored, RawHttpClientConfig, Report, Spanned};
use serde::Deserialize;

/// Declares a section with keys that are known and not served, and a method that refuses those that are set.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[$field_meta:meta])* $field:ident: $type:ty,)* } refuses { $($known:ident)* }) => {
        $(#[$meta])*
        #[derive(Debug, Default, Deserialize)]
        #[serde(deny_unknown_fields, default)]
        pub(super) struct $name {
            $($(#[$field_meta])* pub(super) $field: $type,)*
            $($known: Option<Spanned<Ignored>>,)*
        }

        impl $name {
            pub(super) fn refuse_unsupported(&self, report: &mut Report) {
                $(report.unsupported(stringify!($known), self.$known.as_ref());)*
            }
        }
    };
}

section! {
    /// The whole file.
    RawConfig {
        global: Option<RawGlobal>,
        route: Option<Spanned<RawRoute>>,
        receivers: Vec<RawReceiver>,
        inhibit_rules: Vec<Spanned<RawInhibitRule>>,
        /// Files with texts for receivers that have texts; a webhook has none.
        templates: Vec<String>,
    } refuses { time_intervals mute_time_intervals tracing }
}

section! {
    /// `global`.
    RawGlobal {
        resolve_timeout: Option<Spanned<DurationMs>>,
        http_config: Option<Spanned<RawHttpClientConfig>>,
    } refuses {
        smtp_from smtp_hello smtp_smarthost smtp_auth_username smtp_auth_password smtp_auth_password_file smtp_auth_secret
        smtp_auth_secret_file smtp_auth_identity smtp_require_tls smtp_tls_config smtp_force_implicit_tls slack_api_url
        slack_api_url_file slack_app_token slack_app_token_file slack_app_url pagerduty_url opsgenie_api_url opsgenie_api_key
        opsgenie_api_key_file wechat_api_url wechat_api_secret wechat_api_secret_file wechat_api_corp_id victorops_api_url
        victorops_api_key victorops_api_key_file telegram_api_url telegram_bot_token telegram_bot_token_file webex_api_url
        jira_api_url mattermost_webhook_url mattermost_webhook_url_file rocketchat_api_url rocketchat_token
        rocketchat_token_file rocketchat_token_id rocketchat_token_id_file
    }
}

section! {
    /// `route`, and each of its `routes`.
    RawRoute {
        receiver: Option<Spanned<String>>,
        group_by: Option<Vec<Spanned<String>>>,
        matchers: Vec<Spanned<String>>,
        r#match: BTreeMap<String, Spanned<String>>,
        match_re: BTreeMap<String, Spanned<String>>,
        r#continue: Option<Spanned<bool>>,
        group_wait: Option<Spanned<DurationMs>>,
        group_interval: Option<Spanned<DurationMs>>,
        repeat_interval: Option<Spanned<DurationMs>>,
        routes: Vec<Spanned<RawRoute>>,
    } refuses { mute_time_intervals active_time_intervals }
}

section! {
    /// One of `receivers`.
    RawReceiver {
        name: Option<Spanned<String>>,
        webhook_configs: Vec<Spanned<RawWebhook>>,
    } refuses {
        discord_configs email_configs incidentio_configs jira_configs mattermost_configs msteams_configs msteamsv2_configs
        opsgenie_configs pagerduty_configs pushover_configs rocketchat_configs slack_configs sns_configs telegram_configs
        victorops_configs webex_configs wechat_configs
    }
}

section! {
    /// One of `webhook_configs`.
    RawWebhook {
        url: Option<Spanned<String>>,
        url_file: Option<Spanned<String>>,
        send_resolved: Option<bool>,
        max_alerts: Option<u64>,
        timeout: Option<Spanned<DurationMs>>,
        http_config: Option<Spanned<RawHttpClientConfig>>,
    } refuses { payload }
}

/// One of `inhibit_rules`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawInhibitRule {
    pub(super) source_matchers: Vec<Spanned<String>>,
    pub(super) source_match: BTreeMap<String, Spanned<String>>,
    pub(super) source_match_re: BTreeMap<String, Spanned<String>>,
    pub(super) target_matchers: Vec<Spanned<String>>,
    pub(super) target_match: BTreeMap<String, Spanned<String>>,
    pub(super) target_match_re: BTreeMap<String, Spanned<String>>,
    pub(super) equal: Vec<Spanned<String>>,
}
