//! Which series match: sets of series numbers from postings, for the head and for block indexes alike.
//!
//! The semantics are Prometheus's: a label that isn't there has the empty value, so a matcher that accepts the empty value
//! selects series without the label as well. Such matchers subtract what they don't accept; all others intersect.

mod numbers;

use model::{MatchOp, Matcher};

pub(crate) use numbers::skip_below;
pub use numbers::{Numbers, Run};

/// An inverted index. Series are small numbers; every list is ascending, each number once.
pub trait Postings {
    /// What can go wrong while reading.
    type Error;

    /// Every series.
    fn all(&self) -> Result<Numbers<'_>, Self::Error>;

    /// The series with this label.
    fn with_label(&self, name: &str, value: &str) -> Result<Numbers<'_>, Self::Error>;

    /// The series that have the label `name` with a value that begins with `prefix` and that `accepts`.
    fn with_values(
        &self,
        name: &str,
        prefix: &str,
        accepts: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Vec<u32>, Self::Error>;
}

/// The series for which all matchers hold, ascending.
pub fn matching_series<P: Postings + ?Sized>(postings: &P, matchers: &[Matcher]) -> Result<Vec<u32>, P::Error> {
    let mut wanted: Vec<Numbers<'_>> = Vec::new();
    let mut unwanted: Vec<Numbers<'_>> = Vec::new();
    for matcher in matchers {
        if accepts_everything(matcher) {
            continue;
        }
        if matcher.matches_empty() {
            unwanted.push(refused_by(postings, matcher)?);
        } else {
            let list = accepted_by(postings, matcher)?;
            if list.is_empty() {
                return Ok(Vec::new());
            }
            wanted.push(list);
        }
    }
    wanted.sort_by_key(Numbers::len);
    let mut lists = wanted.into_iter();
    let mut found = match lists.next() {
        Some(first) => first.into_vec(),
        None => postings.all()?.into_vec(),
    };
    lists.for_each(|list| list.keep_common(&mut found, true));
    unwanted.iter().for_each(|list| list.keep_common(&mut found, false));
    Ok(found)
}

fn accepts_everything(matcher: &Matcher) -> bool {
    matcher.op() == MatchOp::Regex && matcher.value() == ".*"
}

/// Of a matcher that doesn't accept the empty value: the series it selects.
fn accepted_by<'a, P: Postings + ?Sized>(postings: &'a P, matcher: &Matcher) -> Result<Numbers<'a>, P::Error> {
    match (matcher.op(), matcher.regex()) {
        (MatchOp::Equal, _) => postings.with_label(matcher.name(), matcher.value()),
        (MatchOp::Regex, Some(regex)) => match regex.literals() {
            Some([one]) => postings.with_label(matcher.name(), one),
            Some(several) => union_of_literals(postings, matcher.name(), several),
            None => with_values(postings, matcher, regex.prefix(), true),
        },
        _ => with_values(postings, matcher, "", true),
    }
}

/// Of a matcher that accepts the empty value: the series that have the label with a value it doesn't accept.
fn refused_by<'a, P: Postings + ?Sized>(postings: &'a P, matcher: &Matcher) -> Result<Numbers<'a>, P::Error> {
    match (matcher.op(), matcher.regex()) {
        (MatchOp::NotEqual, _) => postings.with_label(matcher.name(), matcher.value()),
        (MatchOp::NotRegex, Some(regex)) => match regex.literals() {
            Some(several) => union_of_literals(postings, matcher.name(), several),
            None => with_values(postings, matcher, regex.prefix(), false),
        },
        _ => with_values(postings, matcher, "", false),
    }
}

fn with_values<'a, P: Postings + ?Sized>(
    postings: &'a P,
    matcher: &Matcher,
    prefix: &str,
    accepted: bool,
) -> Result<Numbers<'a>, P::Error> {
    postings.with_values(matcher.name(), prefix, &mut |value| matcher.matches(value) == accepted).map(Numbers::from)
}

fn union_of_literals<'a, P: Postings + ?Sized>(
    postings: &'a P,
    name: &str,
    values: &[String],
) -> Result<Numbers<'a>, P::Error> {
    let mut all = Vec::new();
    for value in values {
        postings.with_label(name, value)?.append_to(&mut all);
    }
    sort_union(&mut all);
    Ok(all.into())
}

/// From so many numbers on a set of bits may be quicker than sorting.
const BIT_SET_FROM: usize = 1024;

/// Makes one ascending list of several that were put behind each other.
pub(crate) fn sort_union(all: &mut Vec<u32>) {
    let max = all.iter().copied().max().unwrap_or(0) as usize;
    // The set is at most as large as twice the list, so that walking it costs less than what it saves.
    if all.len() >= BIT_SET_FROM && max / 64 < all.len() {
        sort_dense(all, max);
    } else {
        all.sort_unstable();
        all.dedup();
    }
}

/// The same through a set of bits up to `max`. Benchmark: `head`, the selections with regexes.
fn sort_dense(all: &mut Vec<u32>, max: usize) {
    let mut bits = vec![0_u64; max / 64 + 1];
    for number in &*all {
        bits[*number as usize / 64] |= 1 << (number % 64);
    }
    all.clear();
    for (at, word) in bits.iter().enumerate() {
        let mut rest = *word;
        while rest != 0 {
            all.push(at as u32 * 64 + rest.trailing_zeros());
            rest &= rest - 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use model::Labels;
    use proptest::prelude::*;

    use super::*;

    /// An index over a list of label sets, straight from the definition.
    struct Model(Vec<Labels>);

    impl Model {
        fn where_(&self, accepts: impl Fn(&Labels) -> bool) -> Vec<u32> {
            (0..self.0.len() as u32).filter(|i| accepts(&self.0[*i as usize])).collect()
        }
    }

    impl Postings for Model {
        type Error = Infallible;

        fn all(&self) -> Result<Numbers<'_>, Infallible> {
            Ok(self.where_(|_| true).into())
        }

        fn with_label(&self, name: &str, value: &str) -> Result<Numbers<'_>, Infallible> {
            Ok(self.where_(|labels| labels.get(name) == Some(value)).into())
        }

        fn with_values(
            &self,
            name: &str,
            prefix: &str,
            accepts: &mut dyn FnMut(&str) -> bool,
        ) -> Result<Vec<u32>, Infallible> {
            let mut out = Vec::new();
            for (id, labels) in self.0.iter().enumerate() {
                if labels.get(name).is_some_and(|v| v.starts_with(prefix) && accepts(v)) {
                    out.push(id as u32);
                }
            }
            Ok(out)
        }
    }

    fn any_matcher() -> impl Strategy<Value = Matcher> {
        let op =
            prop_oneof![Just(MatchOp::Equal), Just(MatchOp::NotEqual), Just(MatchOp::Regex), Just(MatchOp::NotRegex)];
        let value =
            prop_oneof![Just(""), Just("1"), Just("2"), Just("1|2"), Just(".*"), Just(".+"), Just("1?"), Just("1.*")];
        (op, "[abc]", value).prop_map(|(op, name, value)| Matcher::new(op, name, value).expect("valid"))
    }

    proptest! {
        #[test]
        fn agrees_with_asking_every_series(
            series in proptest::collection::vec(proptest::collection::btree_map("[abc]", "[12]{0,2}", 0..3), 0..40),
            matchers in proptest::collection::vec(any_matcher(), 0..4),
        ) {
            let model = Model(series.iter().map(|pairs| Labels::from_pairs(pairs.iter())).collect());
            let Ok(got) = matching_series(&model, &matchers);
            let want = model.where_(|labels| matchers.iter().all(|m| m.matches_labels(labels)));
            prop_assert_eq!(got, want);
        }

        #[test]
        fn a_set_of_bits_sorts_as_sorting_does(list in proptest::collection::vec(0..5000_u32, 0..3000)) {
            let (mut want, mut dense, mut either) = (list.clone(), list.clone(), list);
            want.sort_unstable();
            want.dedup();
            sort_dense(&mut dense, 5000);
            sort_union(&mut either);
            prop_assert_eq!(&dense, &want);
            prop_assert_eq!(&either, &want);
        }
    }
}
