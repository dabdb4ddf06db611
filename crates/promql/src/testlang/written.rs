//! Values in the notation in which a script would expect them.

use model::{Labels, Timestamp, format_float, is_stale};

use crate::engine::{MatrixSeries, QueryResult, Value, VectorSample};
use crate::testlang::literal::written;
use crate::testlang::script::When;

/// What came, line by line: annotations first, then one line a series. Of a range query the lines are as a script would expect them; the
/// samples of a range vector stand with their times in milliseconds.
pub(crate) fn lines(result: &QueryResult, when: When) -> Vec<String> {
    let warnings = result.warnings.iter().map(|text| format!("expect warn msg: {text}"));
    let infos = result.infos.iter().map(|text| format!("expect info msg: {text}"));
    warnings.chain(infos).chain(value_lines(&result.value, when)).collect()
}

fn value_lines(value: &Value, when: When) -> Vec<String> {
    match value {
        Value::Scalar(sample) => vec![number(sample.value)],
        Value::String(_, text) => vec![format!("expect string {}", model::quote(text))],
        Value::Vector(vector) => {
            let value = |sample: &VectorSample| {
                sample.histogram.as_ref().map_or_else(|| number(sample.value), |native| written(native))
            };
            vector.iter().map(|sample| format!("{} {}", name(&sample.labels), value(sample))).collect()
        }
        Value::Matrix(matrix) => matrix.iter().map(|series| series_line(series, when)).collect(),
    }
}

fn series_line(series: &MatrixSeries, when: When) -> String {
    let mut line = name(&series.labels);
    let floats = series.samples.iter().map(|sample| (sample.time, number(sample.value)));
    let natives = series.samples.histograms.iter();
    let natives = natives.map(|sample| (Timestamp::from_ms(sample.time), written(&sample.histogram)));
    let mut samples: Vec<(Timestamp, String)> = floats.chain(natives).collect();
    samples.sort_by_key(|(time, _)| *time);
    match when {
        When::Range(start, end, step_ms) => {
            let times = std::iter::successors(Some(start), |time| Some(*time + step_ms).filter(|next| *next <= end));
            let mut samples = samples.into_iter().peekable();
            for time in times {
                line.push(' ');
                let value = samples.next_if(|(at, _)| *at == time);
                line.push_str(value.as_ref().map_or("_", |(_, text)| text));
            }
        }
        When::Instant(_) => {
            for (time, value) in samples {
                line.push_str(&format!(" {value}@{}", Timestamp::as_ms(time)));
            }
        }
    }
    line
}

fn name(labels: &Labels) -> String {
    labels.to_string()
}

fn number(value: f64) -> String {
    if is_stale(value) { "stale".to_owned() } else { format_float(value) }
}
