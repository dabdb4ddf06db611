//! The answer's bytes, piece by piece.

use bytes::Bytes;
use model::{INSTANCE, Labels};
use storage::{NewestSample, NewestSamples};

use crate::serve::format::Format;
use crate::serve::newest::Newest;
use crate::serve::page::{Page, Value};

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

/// Where the samples of an answer come from.
pub(super) enum Source {
    /// What a database knows of its series: floats alone.
    Known(Box<dyn NewestSamples>),
    /// What was found in chunks.
    Found(std::vec::IntoIter<Newest>),
}

/// Writes series, those of a metric one after the other. Each piece is made when it is wanted.
pub(super) struct Pieces {
    source: Source,
    has_more: bool,
    page: Page,
}

impl Pieces {
    pub(super) fn new(source: Source, external: &Labels, format: Format) -> Self {
        Pieces { source, has_more: true, page: Page::new(format, outside_labels(external)) }
    }

    /// Whether there are series that were not written yet.
    pub(super) fn has_more(&self) -> bool {
        self.has_more
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let Pieces { source, has_more, page } = self;
        while page.len() < PIECE_BYTES && *has_more {
            *has_more = match source {
                Source::Known(series) => series.next(&mut |NewestSample { labels, same, sample }| {
                    page.series(labels, same, Value::Float(sample.value), sample.time.as_ms());
                }),
                Source::Found(series) => series.next().is_some_and(|newest| {
                    let labels: Vec<_> = newest.labels.iter().collect();
                    page.series(&labels, 0, newest.value.as_value(), newest.time.as_ms());
                    series.len() > 0
                }),
            };
            if !*has_more {
                page.end();
            }
        }
        Some(page.take()).filter(|piece| !piece.is_empty()).map(Bytes::from)
    }
}

#[cfg(test)]
mod tests {
    use model::{Buckets, CUSTOM_BUCKETS_SCHEMA, CounterReset, FloatHistogram, Span, Timestamp};

    use super::*;
    use crate::serve::newest::Found;

    fn newest(pairs: &[(&str, &str)], time: i64, value: f64) -> Newest {
        Newest {
            labels: Labels::from_pairs(pairs.iter().copied()),
            time: Timestamp::from_ms(time),
            value: Found::Float(value),
        }
    }

    fn pieces(series: Vec<Newest>, external: &[(&str, &str)], accept: &str) -> Vec<Bytes> {
        let external = Labels::from_pairs(external.iter().copied());
        Pieces::new(Source::Found(series.into_iter()), &external, Format::negotiate(accept)).collect()
    }

    fn text(series: Vec<Newest>, external: &[(&str, &str)]) -> String {
        String::from_utf8(pieces(series, external, "").concat()).expect("text")
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
        let pieces = pieces(series, &[], "");
        assert!(pieces.len() > 1);
        assert!(pieces.iter().all(|piece| piece.len() < PIECE_BYTES + 20_000 && piece.ends_with(b"\n")));
        let lines: usize = pieces.iter().map(|piece| piece.iter().filter(|byte| **byte == b'\n').count()).sum();
        assert_eq!(lines, 5001);
    }

    const OPENMETRICS: &str = "application/openmetrics-text;version=1.0.0";
    const PROTOBUF: &str = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";

    #[test]
    fn openmetrics_has_an_end() {
        let check = |series: Vec<Newest>, want: &str| {
            let found = pieces(series, &[("cluster", "eu")], OPENMETRICS).concat();
            assert_eq!(String::from_utf8_lossy(&found), want);
        };
        check(vec![], "# EOF\n");
        check(
            vec![newest(&[("__name__", "a"), ("instance", "h:1")], 1_700_000_000_123, 1.0)],
            "# TYPE a unknown\na{instance=\"h:1\",cluster=\"eu\"} 1.0 1700000000.123\n# EOF\n",
        );
    }

    #[test]
    fn listed_bounds_are_classic_buckets_in_text() {
        let histogram = |counter_reset| FloatHistogram {
            counter_reset,
            buckets: Buckets {
                schema: CUSTOM_BUCKETS_SCHEMA,
                positive_spans: vec![Span { offset: 0, length: 2 }],
                custom_values: vec![1.0],
                ..Buckets::default()
            },
            count: 7.0,
            sum: 9.5,
            positive: vec![3.0, 4.0],
            ..FloatHistogram::default()
        };
        let series = |counter_reset| Newest {
            value: Found::Histogram(Box::new(histogram(counter_reset))),
            ..newest(&[("__name__", "h"), ("a", "b"), ("instance", "i")], 5, 0.0)
        };
        let all = || {
            vec![
                newest(&[("__name__", "h"), ("instance", "")], 5, 2.0),
                series(CounterReset::Unknown),
                series(CounterReset::NotReset),
                series(CounterReset::Gauge),
            ]
        };
        let lines = |bounds: [&str; 2]| {
            format!(
                "h_bucket{{a=\"b\",instance=\"i\",le=\"{}\"}} 3 5\nh_bucket{{a=\"b\",instance=\"i\",le=\"{}\"}} 7 5\n\
                 h_sum{{a=\"b\",instance=\"i\"}} 9.5 5\nh_count{{a=\"b\",instance=\"i\"}} 7 5\n",
                bounds[0], bounds[1]
            )
        };
        let classic = lines(["1", "+Inf"]);
        assert_eq!(
            text(all(), &[]),
            format!(
                "# TYPE h untyped\nh{{instance=\"\"}} 2 5\n# TYPE h histogram\n{classic}{classic}# TYPE h histogram\n{classic}"
            )
        );
        let found = String::from_utf8(pieces(all(), &[], OPENMETRICS).concat()).expect("text");
        assert!(
            found.contains("# TYPE h gaugehistogram\nh_bucket{a=\"b\",instance=\"i\",le=\"1.0\"} 3.0 0.005\n"),
            "{found}"
        );
    }

    #[test]
    fn protobuf_is_bounded_as_well() {
        let series = || (0..5000).map(|i| newest(&[("__name__", "a"), ("i", &i.to_string())], i, 1.0)).collect();
        let pieces = pieces(series(), &[], PROTOBUF);
        assert!(pieces.len() > 1);
        // Every piece is one message with its length, and begins with the name and the kind of the family.
        for piece in &pieces {
            assert!(piece.len() < PIECE_BYTES + 20_000);
            assert!(piece.windows(5).take(4).any(|bytes| bytes == *b"\x0a\x01a\x18\x03"), "{:?}", &piece[..8]);
        }
    }
}
