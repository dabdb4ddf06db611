//! How many samples each step of a query looks at, counted as Prometheus counts them and only where that is asked for.
//!
//! Whoever looks at samples notes it by its own steps; the tree is folded at the end. What doesn't depend on the step is looked at by
//! every step and read by the first. Of a subquery the points that ranges hold are looked at; what is read is what its expression
//! reads, at the first outer step whose range that reaches.

use std::cell::RefCell;

use hashbrown::HashMap;
use hashbrown::hash_map::Entry;
use storage::Samples;

use crate::eval::column::{Column, weight};
use crate::eval::constant::is_constant;
use crate::eval::context::{Context, Limits};
use crate::eval::failure::QueryFailure;
use crate::eval::selections::SelectorKey;
use crate::eval::steps::Steps;
use crate::eval::subquery::inner_steps;
use crate::syntax::{Expr, ExprKind};

/// Samples by step; a histogram counts by its size.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Those that a step looks at.
    pub(crate) queryable: Vec<u64>,
    /// Those of them that no step before has looked at.
    pub(crate) read: Vec<u64>,
}

impl Counts {
    /// At the only step.
    fn once(queryable: u64, read: u64) -> Self {
        Counts { queryable: vec![queryable], read: vec![read] }
    }
}

/// Ranges over samples, one per step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reach {
    /// Where the ranges end.
    pub(crate) ends: Steps,
    /// How far before its end samples count for a step, milliseconds.
    pub(crate) before_ms: i64,
    /// How far behind it, milliseconds.
    pub(crate) behind_ms: i64,
    /// Whether the samples were computed by a subquery, which reads them itself.
    pub(crate) is_computed: bool,
}

/// How far a walk over a series has come.
#[derive(Default)]
struct Passed {
    floats: usize,
    natives: usize,
    weight: usize,
}

impl Passed {
    /// Goes on to a time, and counts all samples until then, with those at it.
    fn count_until(&mut self, time: i64, samples: &Samples) -> u64 {
        while samples.times.get(self.floats).is_some_and(|at| *at <= time) {
            self.floats += 1;
        }
        while let Some(sample) = samples.histograms.get(self.natives).filter(|sample| sample.time <= time) {
            self.natives += 1;
            self.weight += weight(&sample.histogram);
        }
        (self.floats + self.weight) as u64
    }
}

/// What was looked at so far.
pub(crate) struct Tally<'a> {
    limits: &'a Limits,
    seen: RefCell<HashMap<SelectorKey, Counts, foldhash::fast::RandomState>>,
}

impl<'a> Tally<'a> {
    /// Nothing yet.
    pub(crate) fn new(limits: &'a Limits) -> Self {
        Tally { limits, seen: RefCell::default() }
    }

    /// Every step with a point has looked at its sample.
    pub(crate) fn points(&self, key: SelectorKey, column: &Column) -> Result<(), QueryFailure> {
        let floats = column.iter().map(|(at, _)| (at, 1));
        let natives = column.natives().map(|(at, native)| (at, weight(native) as u64));
        self.note(key, column.len(), floats.chain(natives).map(|(at, samples)| (at, samples, samples)))
    }

    /// Every step has looked at its range.
    pub(crate) fn ranges(&self, key: SelectorKey, samples: &Samples, reach: Reach) -> Result<(), QueryFailure> {
        let (mut before, mut until) = (Passed::default(), Passed::default());
        let mut seen = 0;
        let steps = (0..reach.ends.count).map(|at| {
            let end = reach.ends.time(at);
            let from = before.count_until(end.saturating_sub(reach.before_ms), samples);
            let to = until.count_until(end.saturating_add(reach.behind_ms), samples);
            let new = if reach.is_computed { 0 } else { to - from.max(seen).min(to) };
            seen = to;
            (at, to - from, new)
        });
        self.note(key, reach.ends.count, steps)
    }

    fn note(
        &self,
        key: SelectorKey,
        steps: usize,
        counts: impl Iterator<Item = (usize, u64, u64)>,
    ) -> Result<(), QueryFailure> {
        let mut seen = self.seen.borrow_mut();
        let known = match seen.entry(key) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => new.insert(self.none(steps)?),
        };
        for (at, queryable, read) in counts {
            known.queryable[at] += queryable;
            known.read[at] += read;
        }
        Ok(())
    }

    /// No samples yet. There may be millions of steps.
    fn none(&self, steps: usize) -> Result<Counts, QueryFailure> {
        self.limits.hold_bytes(2 * size_of::<u64>() as u64 * steps as u64)?;
        Ok(Counts { queryable: vec![0; steps], read: vec![0; steps] })
    }

    /// The counts of a whole query; `given` is how many samples a range vector as the answer has.
    pub(crate) fn of_query(&self, expr: &Expr, context: &Context, given: u64) -> Result<Counts, QueryFailure> {
        let steps = context.query;
        match &expr.unparen().kind {
            ExprKind::Matrix(..) => Ok(Counts::once(given, given)),
            ExprKind::Subquery(subquery) => {
                let inner = self.of_steps(&subquery.expr, inner_steps(subquery, steps, context), context)?;
                Ok(Counts::once(inner.queryable.iter().sum(), inner.read.iter().sum()))
            }
            _ => self.of_steps(expr, steps, context),
        }
    }

    fn of_steps(&self, expr: &Expr, steps: Steps, context: &Context) -> Result<Counts, QueryFailure> {
        let mut counts = self.none(steps.count)?;
        self.add(expr, steps, context, &mut counts)?;
        Ok(counts)
    }

    /// Adds the counts of an expression that is evaluated at these steps.
    fn add(&self, expr: &Expr, steps: Steps, context: &Context, counts: &mut Counts) -> Result<(), QueryFailure> {
        if steps.count > 1 && is_constant(expr) {
            let first = self.of_steps(expr, steps.only_first(), context)?;
            let (queryable, read): (u64, u64) = (first.queryable.iter().sum(), first.read.iter().sum());
            counts.queryable.iter_mut().for_each(|count| *count += queryable);
            counts.read[0] += read;
            return Ok(());
        }
        match &expr.kind {
            ExprKind::Selector(selector) => self.add_seen(SelectorKey::of(selector), counts),
            ExprKind::Subquery(subquery) => {
                let ends = steps.moved(context.fixed(subquery.at), subquery.offset.ms());
                let inner = inner_steps(subquery, steps, context);
                let read = self.of_steps(&subquery.expr, inner, context)?.read;
                attribute(&read, inner, ends, subquery.range.ms(), counts);
                return Ok(());
            }
            ExprKind::Call(call) => self.add_seen(SelectorKey::of_call(call), counts),
            _ => {}
        }
        expr.children().into_iter().try_for_each(|child| self.add(child, steps, context, counts))
    }

    fn add_seen(&self, key: SelectorKey, counts: &mut Counts) {
        let add = |to: &mut [u64], from: &[u64]| to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        if let Some(seen) = self.seen.borrow().get(&key) {
            add(&mut counts.queryable, &seen.queryable);
            add(&mut counts.read, &seen.read);
        }
    }
}

/// Adds what a subquery reads at each of its steps to the first of the outer steps whose range reaches that far; some reach none.
fn attribute(read: &[u64], inner: Steps, ends: Steps, range_ms: i64, counts: &mut Counts) {
    for (at, samples) in read.iter().enumerate().filter(|(_, samples)| **samples > 0) {
        let time = inner.time(at);
        let outer = ends.first_since(time);
        if time > ends.time(outer).saturating_sub(range_ms) {
            counts.read[outer] += samples;
        }
    }
}
