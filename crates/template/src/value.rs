//! Go's values as the template engine holds them: what a field is, what an index gives, how a value prints.
//!
//! The engine has one kind of map. Go's templates tell a struct (an unknown field is an error) from a `map[string]string`
//! (a missing key is the empty string, with the option `missingkey=zero` that Prometheus sets), so a struct carries its
//! type's name under [`TYPE_KEY`], which no label can have.

use std::collections::BTreeMap;
use std::sync::Arc;

use gotmpl::Value;
use model::{Labels, format_float};

/// The key under which a map that stands for a Go struct keeps the type's name.
const TYPE_KEY: &str = "\0type";

/// A value that stands for a Go struct.
pub(crate) fn structure<const N: usize>(type_name: &str, fields: [(&str, Value); N]) -> Value {
    let mut map: BTreeMap<Arc<str>, Value> = fields.into_iter().map(|(k, v)| (Arc::from(k), v)).collect();
    map.insert(Arc::from(TYPE_KEY), Value::from(type_name));
    Value::Map(Arc::new(map))
}

/// The type's name of a value that stands for a Go struct.
pub(crate) fn structure_name(value: &Value) -> Option<&str> {
    value.field(TYPE_KEY).and_then(Value::as_str)
}

/// A label set as a `map[string]string`.
pub(crate) fn labels_value(labels: &Labels) -> Value {
    Value::Map(Arc::new(labels.iter().map(|(n, v)| (Arc::from(n), Value::from(v))).collect()))
}

/// What the template sees of a value: a name for error messages.
pub(crate) fn type_name(value: &Value) -> &str {
    structure_name(value).unwrap_or_else(|| value.type_name())
}

/// `.name` on a value.
pub(crate) fn field(value: &Value, name: &str) -> Result<Value, String> {
    match value {
        Value::Map(map) => match map.get(name) {
            Some(found) => Ok(found.clone()),
            None if structure_name(value).is_some() => Err(no_field(value, name)),
            None => Ok(missing_key(map)),
        },
        Value::Nil => Ok(Value::Nil),
        _ => Err(no_field(value, name)),
    }
}

fn no_field(value: &Value, name: &str) -> String {
    format!("can't evaluate field {name} in type {}", type_name(value))
}

/// The zero value of a map: the empty string where all its values are strings, nothing elsewhere.
fn missing_key(map: &BTreeMap<Arc<str>, Value>) -> Value {
    if map.values().all(|v| matches!(v, Value::String(_))) { Value::from("") } else { Value::Nil }
}

/// Go's `index`: one step per index.
pub(crate) fn index(args: &[Value]) -> Result<Value, String> {
    let [first, indices @ ..] = args else {
        return Err("wrong number of args for index: want at least 1 got 0".into());
    };
    indices.iter().try_fold(first.clone(), |value, at| match (&value, at) {
        (Value::Map(map), Value::String(key)) => Ok(map.get(key.as_ref()).cloned().unwrap_or_else(|| missing_key(map))),
        _ => value.index(at).map_err(|e| e.to_string()),
    })
}

/// What an action writes: Go's `%v`, and `<no value>` for nothing.
pub(crate) fn print(value: &Value) -> String {
    match value {
        Value::Nil => "<no value>".to_owned(),
        other => print_inner(other),
    }
}

fn print_inner(value: &Value) -> String {
    match value {
        Value::Float(v) => format_float(*v),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(print_inner).collect();
            format!("[{}]", items.join(" "))
        }
        Value::Map(map) if structure_name(value).is_some() => {
            let fields: Vec<String> =
                map.iter().filter(|(k, _)| k.as_ref() != TYPE_KEY).map(|(_, v)| print_inner(v)).collect();
            format!("{{{}}}", fields.join(" "))
        }
        Value::Map(map) => {
            let pairs: Vec<String> = map.iter().map(|(k, v)| format!("{k}:{}", print_inner(v))).collect();
            format!("map[{}]", pairs.join(" "))
        }
        other => other.to_string(),
    }
}
