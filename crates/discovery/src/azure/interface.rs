//! Network interfaces as the resource manager tells them, and what is remembered of them.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use model::Timestamp;
use parking_lot::Mutex;
use serde::Deserialize;

use crate::meta_labels::or_default;

/// A network interface, as far as addresses need it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Interface {
    properties: Option<InterfaceProperties>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct InterfaceProperties {
    primary: Option<bool>,
    #[serde(deserialize_with = "or_default")]
    ip_configurations: Vec<IpConfiguration>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IpConfiguration {
    #[serde(deserialize_with = "or_default")]
    properties: IpProperties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct IpProperties {
    #[serde(rename = "privateIPAddress")]
    private: Option<String>,
    #[serde(rename = "publicIPAddress", deserialize_with = "or_default")]
    public: PublicAddress,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PublicAddress {
    #[serde(deserialize_with = "or_default")]
    properties: PublicProperties,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PublicProperties {
    #[serde(rename = "ipAddress")]
    address: Option<String>,
}

/// The addresses of a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    pub(crate) private: String,
    pub(crate) public: Option<String>,
}

/// What an interface says of its machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Role {
    /// Another one has the addresses.
    Secondary,
    /// The machine's addresses; nothing where there is no private one, which can't be.
    Primary(Option<Addresses>),
    /// The machine is not allocated: then the word for it is missing.
    Deallocated,
}

impl Interface {
    /// What it says of its machine.
    pub(crate) fn role(self) -> Role {
        let Some(properties) = self.properties else { return Role::Secondary };
        match properties.primary {
            None => Role::Deallocated,
            Some(false) => Role::Secondary,
            Some(true) => {
                let Some(first) = properties.ip_configurations.into_iter().next() else { return Role::Secondary };
                let IpProperties { private, public } = first.properties;
                let private = private.filter(|address| !address.is_empty());
                Role::Primary(private.map(|private| Addresses { private, public: public.properties.address }))
            }
        }
    }
}

/// What interfaces said, for ten rounds and up to three more, so that not all of them are asked anew in one round.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<HashMap<String, (Role, Timestamp)>>);

impl Remembered {
    /// What one said, where that is known.
    pub(crate) fn get(&self, id: &str, now: Timestamp) -> Option<Role> {
        let known = self.0.lock();
        known.get(id).filter(|(_, until)| *until > now).map(|(role, _)| role.clone())
    }

    /// Remembers what one said. What is about to change isn't remembered: a machine that isn't allocated may be so soon.
    pub(crate) fn put(&self, id: &str, role: &Role, now: Timestamp, interval_ms: i64) {
        if matches!(role, Role::Secondary | Role::Primary(Some(_))) {
            let until = now.saturating_add(interval_ms.saturating_mul(10).saturating_add(spread_ms(id, interval_ms)));
            self.0.lock().insert(id.to_owned(), (role.clone(), until));
        }
    }

    /// Forgets what has ended, so that there is nothing of machines that are gone.
    pub(crate) fn tidy(&self, now: Timestamp) {
        self.0.lock().retain(|_, (_, until)| *until > now);
    }
}

/// Up to three intervals, always the same for the same interface.
fn spread_ms(id: &str, interval_ms: i64) -> i64 {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    let most = interval_ms.saturating_mul(3).max(1).unsigned_abs();
    i64::try_from(hasher.finish() % most).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn role(text: &str) -> Role {
        serde_json::from_str::<Interface>(text).expect("an interface").role()
    }

    #[test]
    fn the_primary_interface_has_the_addresses() {
        let check = |text: &str, want: Role| assert_eq!(role(text), want, "{text}");
        let primary = |private: &str, public: Option<&str>| {
            Role::Primary(Some(Addresses { private: private.to_owned(), public: public.map(str::to_owned) }))
        };
        check("{}", Role::Secondary);
        check(r#"{"properties": {"primary": false}}"#, Role::Secondary);
        check(r#"{"properties": {}}"#, Role::Deallocated);
        check(r#"{"properties": {"primary": true, "ipConfigurations": null}}"#, Role::Secondary);
        check(r#"{"properties": {"primary": true, "ipConfigurations": [{"properties": {}}]}}"#, Role::Primary(None));
        check(
            r#"{"properties": {"primary": true, "ipConfigurations": [
                {"properties": {"privateIPAddress": "10.0.0.4", "publicIPAddress": null}},
                {"properties": {"privateIPAddress": "10.0.0.5"}}]}}"#,
            primary("10.0.0.4", None),
        );
        check(
            r#"{"properties": {"primary": true, "ipConfigurations": [{"properties": {"privateIPAddress": "10.0.0.4",
                "publicIPAddress": {"id": "/x", "properties": {"ipAddress": "20.1.2.3"}}}}]}}"#,
            primary("10.0.0.4", Some("20.1.2.3")),
        );
    }

    #[test]
    fn what_was_said_is_remembered_for_a_while() {
        let (remembered, at) = (Remembered::default(), |ms: i64| Timestamp::from_ms(ms));
        for id in ["a", "b"] {
            remembered.put(id, &Role::Secondary, at(0), 100);
        }
        remembered.put("c", &Role::Deallocated, at(0), 100);
        remembered.put("d", &Role::Primary(None), at(0), 100);
        let known = |now: i64| ["a", "b", "c", "d"].map(|id| remembered.get(id, at(now)).is_some());
        assert_eq!(known(999), [true, true, false, false]);
        assert_eq!(known(1300), [false; 4]);
        assert_ne!(spread_ms("a", 100), spread_ms("b", 100));
        remembered.tidy(at(999));
        assert_eq!(remembered.0.lock().len(), 2);
        remembered.tidy(at(1300));
        assert_eq!(remembered.0.lock().len(), 0);
    }
}
