//! The answer's text, piece by piece.

use bytes::Bytes;
use exposition::MetricType;
use exposition::text::{Escaping, Writer};
use model::{INSTANCE, Labels, METRIC_NAME};

use crate::serve::newest::Newest;

/// A piece is sent when it has so many bytes.
const PIECE_BYTES: usize = 64 << 10;

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

/// Writes series, sorted by name, as one family after another. Each piece is made when it is wanted.
pub(super) struct Pieces {
    series: std::vec::IntoIter<Newest>,
    outside: Vec<(String, String)>,
    family: String,
    writer: Writer,
}

impl Pieces {
    pub(super) fn new(series: Vec<Newest>, external: &Labels, escaping: Escaping) -> Self {
        Pieces {
            series: series.into_iter(),
            outside: outside_labels(external),
            family: String::new(),
            writer: Writer::new(escaping),
        }
    }

    fn write(&mut self, newest: &Newest) {
        let Newest { labels, sample } = newest;
        let name = labels.metric_name();
        if name != self.family {
            self.writer.metric_type(name, MetricType::Unknown);
            name.clone_into(&mut self.family);
        }
        let own = labels.iter().filter(|(label, _)| *label != METRIC_NAME);
        let added = self.outside.iter().map(|(n, v)| (n.as_str(), v.as_str())).filter(|(n, _)| labels.get(n).is_none());
        self.writer.sample(name, own.chain(added), sample.value, Some(sample.time.as_ms()));
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        while self.writer.len() < PIECE_BYTES
            && let Some(newest) = self.series.next()
        {
            self.write(&newest);
        }
        (!self.writer.is_empty()).then(|| Bytes::from(self.writer.take()))
    }
}

#[cfg(test)]
mod tests {
    use model::{Sample, Timestamp};

    use super::*;

    fn newest(pairs: &[(&str, &str)], time: i64, value: f64) -> Newest {
        Newest {
            labels: Labels::from_pairs(pairs.iter().copied()),
            sample: Sample::new(Timestamp::from_ms(time), value),
        }
    }

    fn text(series: Vec<Newest>, external: &[(&str, &str)]) -> String {
        let external = Labels::from_pairs(external.iter().copied());
        let pieces: Vec<u8> = Pieces::new(series, &external, Escaping::AllowUtf8).flatten().collect();
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
        let pieces: Vec<Bytes> = Pieces::new(series, &Labels::empty(), Escaping::AllowUtf8).collect();
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 100 && piece.ends_with(b"\n")));
        let lines: usize = pieces.iter().map(|piece| piece.iter().filter(|byte| **byte == b'\n').count()).sum();
        assert_eq!(lines, 5001);
    }
}
