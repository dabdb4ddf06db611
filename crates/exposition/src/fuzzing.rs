//! One function for each parser, to be given any bytes: by tests with damaged input, and by the targets in `fuzz/`. The answer is
//! whether the input could be read to its end. What counts is that there is one.

use model::LabelsScratch;

use crate::protobuf::{self, Content, DecodeError};
use crate::{openmetrics, text};

/// Prometheus's text format: every line, and the labels of every series.
pub fn text(input: &[u8]) -> bool {
    let mut scratch = LabelsScratch::default();
    text::Parser::new(input).all(|entry| match entry {
        Ok(text::Entry::Sample(line)) => line.labels(&mut scratch).map(|()| scratch.build()).is_ok(),
        Ok(text::Entry::Remark(remark)) => remark.parse().is_ok(),
        Err(_) => false,
    })
}

/// OpenMetrics as a whole, and in pieces as a file is read that doesn't fit into memory.
pub fn openmetrics(input: &[u8]) -> bool {
    for piece_bytes in [1, 7, 60] {
        read_in_pieces(input, piece_bytes);
    }
    openmetrics::Parser::new(input).all(|entry| entry.is_ok_and(|entry| read(&entry)))
}

fn read(entry: &openmetrics::Entry<'_>) -> bool {
    let openmetrics::Entry::Sample(line) = entry else { return true };
    let mut scratch = LabelsScratch::default();
    let series = line.labels(&mut scratch).map(|()| scratch.build());
    line.exemplar.iter().for_each(|exemplar| drop(exemplar.labels(&mut scratch)));
    series.is_ok()
}

/// Each piece begins where the one before it stopped, and may be longer by `piece_bytes`.
fn read_in_pieces(input: &[u8], piece_bytes: usize) {
    let (mut start, mut end, mut line) = (0, 0, 1);
    while end < input.len() {
        end = (end + piece_bytes).min(input.len());
        let mut parser = openmetrics::Parser::piece(&input[start..end], line, end < input.len());
        let whole = parser.by_ref().all(|entry| entry.is_ok_and(|entry| read(&entry)));
        if !whole && end - start > input.len() / 2 {
            return; // an error, and not only a line that goes on
        }
        (start, line) = (start + parser.position(), parser.line());
    }
}

/// Protocol buffers: every family, and all that is in it.
pub fn protobuf(input: &[u8]) -> bool {
    let mut scratch = LabelsScratch::default();
    protobuf::Parser::new(input).all(|family| family.is_ok_and(|family| read_family(&family, &mut scratch).is_ok()))
}

fn read_family(family: &protobuf::Family<'_>, scratch: &mut LabelsScratch) -> Result<(), DecodeError> {
    for metric in family.metrics() {
        let metric = metric?;
        scratch.clear();
        metric.labels(scratch)?;
        match metric.content()? {
            Content::Number { exemplar, .. } => exemplar.map_or(Ok(()), |exemplar| exemplar.labels(scratch))?,
            Content::Summary(summary) => summary.quantiles().try_for_each(|quantile| quantile.map(drop))?,
            Content::Histogram(histogram) => {
                for bucket in histogram.buckets() {
                    bucket?.exemplar.map_or(Ok(()), |exemplar| exemplar.labels(scratch))?;
                }
                histogram.exemplars().try_for_each(|exemplar| exemplar?.labels(scratch))?;
                let native = histogram.native()?;
                // Whether it contradicts itself is the storage's to say; it must not break it.
                let _ = native.validate();
            }
        }
    }
    Ok(())
}
