//! The chunks of one series from several blocks, made into one list without overlaps.

use model::Timestamp;
use storage::chunk::{Chunk, ChunkError, Recoder, TimedValue, Values};

/// Whether the chunks are in order and don't overlap.
pub(super) fn are_apart(chunks: &[Chunk]) -> bool {
    chunks.windows(2).all(|pair| pair[0].max_time < pair[1].min_time)
}

/// Orders chunks by time. What overlaps is merged and encoded anew, what stands alone is handed on as it is. `chunks` come in
/// the order of their blocks; of samples at the same time that of the chunk which begins first counts, and of chunks which
/// begin together that of the earlier block: what a query over the blocks would have shown.
pub(crate) fn without_overlaps(mut chunks: Vec<Chunk>) -> Result<Vec<Chunk>, ChunkError> {
    chunks.sort_by_key(|chunk| chunk.min_time); // stable: the order of the blocks stays
    let mut out = Vec::with_capacity(chunks.len());
    let mut group: Vec<Chunk> = Vec::new();
    let mut end = Timestamp::MIN;
    for chunk in chunks {
        if !group.is_empty() && chunk.min_time > end {
            put_group(&mut group, &mut out)?;
            end = Timestamp::MIN;
        }
        end = end.max(chunk.max_time);
        let is_copy = |other: &Chunk| {
            (other.min_time, other.max_time, other.encoding) == (chunk.min_time, chunk.max_time, chunk.encoding)
                && other.data == chunk.data
        };
        if !group.iter().any(is_copy) {
            group.push(chunk);
        }
    }
    put_group(&mut group, &mut out)?;
    Ok(out)
}

fn put_group(group: &mut Vec<Chunk>, out: &mut Vec<Chunk>) -> Result<(), ChunkError> {
    if group.len() < 2 {
        out.append(group);
        return Ok(());
    }
    let mut recoder = Recoder::default();
    merge_samples(group, |sample| recoder.push_timed(sample))?;
    out.append(&mut recoder.finish());
    group.clear();
    Ok(())
}

/// One chunk's samples with the next of them.
struct Head<'a> {
    values: Values<'a>,
    next: Option<TimedValue>,
}

fn merge_samples(chunks: &[Chunk], mut take: impl FnMut(TimedValue)) -> Result<(), ChunkError> {
    let mut heads = Vec::with_capacity(chunks.len());
    for chunk in chunks {
        let mut values = chunk.values();
        heads.push(Head { next: values.next_timed()?, values });
    }
    while let Some(time) = heads.iter().filter_map(|head| head.next.as_ref().map(|next| next.time)).min() {
        let mut taken = false;
        for head in &mut heads {
            let Some(sample) = head.next.take_if(|next| next.time == time) else { continue };
            if !taken {
                take(sample);
                taken = true;
            }
            head.next = head.values.next_timed()?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use model::TimeRange;
    use storage::Samples;
    use storage::chunk::xor;

    use super::*;

    fn chunk(times: &[i64], value: f64) -> Chunk {
        let mut writer = xor::Writer::default();
        times.iter().for_each(|time| assert!(writer.push(*time, value)));
        writer.finish().expect("not empty")
    }

    fn check(chunks: Vec<Chunk>, want: &[&[(i64, f64)]]) {
        let got: Vec<Vec<(i64, f64)>> = without_overlaps(chunks)
            .expect("readable")
            .iter()
            .map(|chunk| {
                let mut samples = Samples::default();
                chunk.decode(TimeRange::ALL, &mut samples).expect("readable");
                samples.times.iter().copied().zip(samples.values.iter().copied()).collect()
            })
            .collect();
        assert_eq!(got, want);
    }

    #[test]
    fn overlaps_are_merged_and_the_first_counts() {
        check(vec![], &[]);
        check(vec![chunk(&[3, 4], 1.0), chunk(&[1, 2], 2.0)], &[&[(1, 2.0), (2, 2.0)], &[(3, 1.0), (4, 1.0)]]);
        check(
            vec![chunk(&[1, 3, 5], 1.0), chunk(&[3, 4], 2.0), chunk(&[7], 3.0)],
            &[&[(1, 1.0), (3, 1.0), (4, 2.0), (5, 1.0)], &[(7, 3.0)]],
        );
        check(vec![chunk(&[1, 2], 1.0), chunk(&[1, 2], 2.0)], &[&[(1, 1.0), (2, 1.0)]]);
        // The third overlaps the first alone.
        check(
            vec![chunk(&[1, 9], 1.0), chunk(&[2, 3], 2.0), chunk(&[5, 9], 3.0)],
            &[&[(1, 1.0), (2, 2.0), (3, 2.0), (5, 3.0), (9, 1.0)]],
        );
    }

    #[test]
    fn copies_and_what_stands_alone_are_not_encoded_anew() {
        let (alone, twice) = (chunk(&[1, 2], 1.0), chunk(&[3, 4], 2.0));
        let copy = Chunk { data: twice.data.to_vec().into(), ..twice.clone() };
        let out = without_overlaps(vec![alone.clone(), twice.clone(), copy]).expect("readable");
        let places: Vec<_> = out.iter().map(|chunk| chunk.data.as_ptr()).collect();
        assert_eq!(places, [alone.data.as_ptr(), twice.data.as_ptr()]);
    }
}
