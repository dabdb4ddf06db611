//! Whether a chunk takes a sample, and what has to change for it.

use model::{CounterReset, Span};

use super::numbers::{Numbers, Why};
use super::spans::{Missing, differ, follow, union};

/// The spans that the chunk must be encoded anew with before it takes the sample: positive, negative.
pub(super) type NewSpans = Option<(Vec<Span>, Vec<Span>)>;

/// Whether a chunk of which `last` is the last sample takes `sample`.
pub(super) fn fit<H: Numbers>(last: &H, gauge_chunk: bool, sample: &H) -> Result<NewSpans, Why> {
    let gauge = sample.counter_reset() == CounterReset::Gauge;
    if gauge != gauge_chunk {
        return Err(Why::Kind);
    }
    if sample.counter_reset() == CounterReset::Reset {
        return Err(Why::Reset);
    }
    if sample.is_stale() {
        return Ok(None); // it has no buckets
    }
    if last.is_stale() {
        return Err(Why::Stale);
    }
    let less = sample.counts_less(last);
    if !gauge && less.all {
        return Err(Why::Reset);
    }
    let (old, new) = (last.shape(), sample.shape());
    if old.schema != new.schema || old.zero_threshold != new.zero_threshold {
        return Err(Why::Shape);
    }
    if !new.same_bounds(old) {
        return Err(if gauge { Why::Shape } else { Why::Reset });
    }
    if !gauge && less.zero {
        return Err(Why::Reset);
    }
    let (positive, negative) = match gauge {
        true => (differ(&old.positive_spans, &new.positive_spans), differ(&old.negative_spans, &new.negative_spans)),
        false => follow_both(last, sample).ok_or(Why::Reset)?,
    };
    if !positive.in_chunk && !negative.in_chunk {
        return Ok(None);
    }
    // The sample's own spans where they hold all buckets. A gauge's are told anew on both sides if either lacks some.
    let both = gauge && (positive.in_sample || negative.in_sample);
    let spans = |missing: Missing, old: &[Span], new: &[Span]| {
        if both || missing.in_sample { union(old, new) } else { new.to_vec() }
    };
    Ok(Some((
        spans(positive, &old.positive_spans, &new.positive_spans),
        spans(negative, &old.negative_spans, &new.negative_spans),
    )))
}

fn follow_both<H: Numbers>(last: &H, sample: &H) -> Option<(Missing, Missing)> {
    let (old, new) = (last.shape(), sample.shape());
    let ((old_positive, old_negative), (new_positive, new_negative)) = (last.buckets(), sample.buckets());
    let positive =
        follow((&old.positive_spans, H::counts(old_positive)), (&new.positive_spans, H::counts(new_positive)))?;
    let negative =
        follow((&old.negative_spans, H::counts(old_negative)), (&new.negative_spans, H::counts(new_negative)))?;
    Some((positive, negative))
}
