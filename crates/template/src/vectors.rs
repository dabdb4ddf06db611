//! Query results in templates: a list of samples, each with labels and a value.

use gotmpl::Value;
use model::Labels;

use crate::value::{field, labels_value, structure, structure_name, type_name};

const SAMPLE: &str = "sample";

/// The result of a query.
pub(crate) fn vector(samples: &[(Labels, f64)]) -> Value {
    let samples: Vec<Value> = samples
        .iter()
        .map(|(labels, value)| structure(SAMPLE, [("Labels", labels_value(labels)), ("Value", Value::Float(*value))]))
        .collect();
    samples.into()
}

/// `first`: the first sample of a result.
pub(crate) fn first(result: &Value) -> Result<Value, String> {
    let samples = samples(result)?;
    samples.first().cloned().ok_or_else(|| "first() called on vector with no elements".to_owned())
}

/// `value`: the value of a sample.
pub(crate) fn value(sample: &Value) -> Result<Value, String> {
    field(checked(sample)?, "Value")
}

/// `label`: one label of a sample.
pub(crate) fn label(name: &Value, sample: &Value) -> Result<Value, String> {
    let name = name.as_str().ok_or_else(|| format!("label: want a label name, got {}", type_name(name)))?;
    field(&field(checked(sample)?, "Labels")?, name)
}

/// `strvalue`: the label that `count_values` and the like leave a text in.
pub(crate) fn strvalue(sample: &Value) -> Result<Value, String> {
    label(&Value::from("__value__"), sample)
}

/// `sortByLabel`: the samples of a result by the value of a label, in the order they had where it is the same.
pub(crate) fn sort_by_label(name: &Value, result: &Value) -> Result<Value, String> {
    let mut keyed = Vec::new();
    for sample in samples(result)? {
        let key = label(name, sample)?.as_str().unwrap_or_default().to_owned();
        keyed.push((key, sample.clone()));
    }
    keyed.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(keyed.into_iter().map(|(_, sample)| sample).collect::<Vec<_>>().into())
}

fn samples(result: &Value) -> Result<&[Value], String> {
    match result {
        Value::List(samples) => Ok(samples),
        Value::Nil => Ok(&[]),
        other => Err(format!("want the result of a query, got {}", type_name(other))),
    }
}

fn checked(sample: &Value) -> Result<&Value, String> {
    if structure_name(sample) == Some(SAMPLE) {
        Ok(sample)
    } else {
        Err(format!("want a sample, got {}", type_name(sample)))
    }
}
