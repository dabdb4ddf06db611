//! The answer's text, piece by piece.

use bytes::Bytes;
use exposition::MetricType;
use exposition::text::{Escaping, Writer};
use model::{INSTANCE, Labels, METRIC_NAME};
use storage::NewestSamples;

/// A piece is sent when it has so many bytes.
const PIECE_BYTES: usize = 32 << 10;

/// The labels that name this node to the outside, as they are added to every series that doesn't have them. `instance` is
/// among them, empty if need be: the puller then keeps it empty instead of putting its own there.
pub(super) fn outside_labels(external: &Labels) -> Vec<(String, String)> {
    let mut labels: Vec<(String, String)> = external.iter().map(|(n, v)| (n.to_owned(), v.to_owned())).collect();
    if external.get(INSTANCE).is_none() {
        labels.push((INSTANCE.to_owned(), String::new()));
        labels.sort();
    }
    labels
}

/// Writes series, those of a metric one after the other. Each piece is made when it is wanted.
pub(super) struct Pieces {
    series: Box<dyn NewestSamples>,
    has_more: bool,
    outside: Vec<(String, String)>,
    family: String,
    writer: Writer,
}

impl Pieces {
    pub(super) fn new(series: Box<dyn NewestSamples>, external: &Labels, escaping: Escaping) -> Self {
        Pieces {
            series,
            has_more: true,
            outside: outside_labels(external),
            family: String::new(),
            writer: Writer::new(escaping),
        }
    }
}

impl Pieces {
    /// Whether there are series that were not written yet.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let Pieces { series, has_more, outside, family, writer } = self;
        while writer.len() < PIECE_BYTES && *has_more {
            *has_more = series.next(&mut |labels, sample| {
                let name = labels.iter().find(|(label, _)| *label == METRIC_NAME).map_or("", |(_, name)| name);
                if name != family {
                    writer.metric_type(name, MetricType::Unknown);
                    name.clone_into(family);
                }
                let own = labels.iter().copied().filter(|(label, _)| *label != METRIC_NAME);
                let is_missing = |label: &str| labels.iter().all(|(own, _)| *own != label);
                let added = outside.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, _)| is_missing(n));
                writer.sample(name, own.chain(added), sample.value, Some(sample.time.as_ms()));
            });
        }
        (!writer.is_empty()).then(|| Bytes::from(writer.take()))
    }
}

#[cfg(test)]
mod tests {
    use model::{Sample, Timestamp};

    use super::*;
    use crate::serve::newest::{Collected, Newest};

    fn newest(pairs: &[(&str, &str)], time: i64, value: f64) -> Newest {
        Newest {
            labels: Labels::from_pairs(pairs.iter().copied()),
            sample: Sample::new(Timestamp::from_ms(time), value),
        }
    }

    fn text(series: Vec<Newest>, external: &[(&str, &str)]) -> String {
        let external = Labels::from_pairs(external.iter().copied());
        let pieces: Vec<u8> =
            Pieces::new(Box::new(Collected::new(series)), &external, Escaping::AllowUtf8).flatten().collect();
        String::from_utf8(pieces).expect("text")
    }

    #[test]
    fn writes_families_and_outside_labels_as_prometheus_does() {
        let series = || {
            vec![
                newest(&[("__name__", "a"), ("instance", "h:1"), ("job", "x")], 5, 1.0),
                newest(&[("__name__", "a"), ("zone", "b"), ("z", "1")], 6, f64::INFINITY),
                newest(&[("__name__", "b")], 7, 1e6),
            ]
        };
        assert_eq!(
            text(series(), &[("cluster", "eu"), ("zone", "outside")]),
            "# TYPE a untyped\n\
             a{instance=\"h:1\",job=\"x\",cluster=\"eu\",zone=\"outside\"} 1 5\n\
             a{z=\"1\",zone=\"b\",cluster=\"eu\",instance=\"\"} +Inf 6\n\
             # TYPE b untyped\n\
             b{cluster=\"eu\",instance=\"\",zone=\"outside\"} 1e+06 7\n"
        );
        assert_eq!(
            text(series(), &[("instance", "node")]).lines().last(),
            Some("b{instance=\"node\"} 1e+06 7"),
            "a configured instance is used"
        );
        assert_eq!(text(vec![], &[]), "");
    }

    #[test]
    fn pieces_are_bounded_and_whole_lines() {
        let series: Vec<_> = (0..5000).map(|i| newest(&[("__name__", "a"), ("i", &i.to_string())], i, 1.0)).collect();
        let pieces: Vec<Bytes> =
            Pieces::new(Box::new(Collected::new(series)), &Labels::empty(), Escaping::AllowUtf8).collect();
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 20_000 && piece.ends_with(b"\n")));
        let lines: usize = pieces.iter().map(|piece| piece.iter().filter(|byte| **byte == b'\n').count()).sum();
        assert_eq!(lines, 5001);
    }
}
