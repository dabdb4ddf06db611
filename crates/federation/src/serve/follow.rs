//! Answering a pull by cursor: what was committed since, or what lies in the next stretch of time where that is no longer known.

use std::sync::Arc;

use futures::future::try_join_all;
use model::{Clock, Labels, Matcher, TimeRange, Timestamp};
use storage::{
    Change, Changes, ExemplarQueryable, Feed, Follower, Missed, Place, QueryError, Queryable, SelectRequest, SeriesRef,
    merge_sets,
};

use super::answer::Answer;
use super::error::FederateError;
use super::history::{STEP_MS, Step};
use super::session::{Session, Sessions};
use crate::wire::{Cursor, Gap, Header, History, VERSION, WireFloat};

/// An answer of commits has so many samples, and the rest of the commit that has the last of them.
const SAMPLES_PER_ANSWER: usize = 200_000;

/// A sample is current for so long, as in Prometheus.
pub(super) const LOOKBACK_MS: i64 = 5 * 60_000;

/// What a puller asks with.
#[derive(Debug, Clone, Default)]
pub(super) struct Question {
    pub(super) selectors: Arc<Vec<Vec<Matcher>>>,
    /// Where it stands; without it the answer begins at `since`, or as far back as plain federation looks.
    pub(super) cursor: Option<Cursor>,
    /// Session and number of the answer that it expects.
    pub(super) session: Option<(u64, u64)>,
    /// In milliseconds since the epoch.
    pub(super) since: Option<i64>,
}

/// A database that can be followed, with those who follow it.
pub(super) struct Following {
    feed: Arc<dyn Feed>,
    queryable: Arc<dyn Queryable>,
    exemplars: Arc<dyn ExemplarQueryable>,
    clock: Arc<dyn Clock>,
    sessions: Sessions,
}

impl Following {
    pub(super) fn new<D>(database: Arc<D>, clock: Arc<dyn Clock>) -> Self
    where
        D: Feed + Queryable + ExemplarQueryable + 'static,
    {
        Following {
            feed: database.clone(),
            queryable: database.clone(),
            exemplars: database,
            clock,
            sessions: Sessions::default(),
        }
    }

    /// The body of the answer.
    pub(super) async fn answer(&self, question: Question, external: &Labels) -> Result<Vec<u8>, FederateError> {
        let follower = self.feed.follow(&question.selectors).await?;
        match question.cursor {
            Some(Cursor { place, history: None }) => self.commits(&question, place, follower, external).await,
            Some(Cursor { place, history: Some(history) }) => {
                self.history(&question, place, history, None, external).await
            }
            None => {
                // Nothing is at this place, so the answer tells where one stands now.
                let until = match follower.read(Place::default(), 1, &mut Changes::default()) {
                    Ok(progress) => progress.until,
                    Err(missed) => missed.until,
                };
                let from = question.since.unwrap_or(self.clock.now().as_ms() - LOOKBACK_MS);
                self.history(&question, until, History { from, step_ms: STEP_MS }, None, external).await
            }
        }
    }

    fn header(&self, place: Place, session: u64, answer: u64, external: &Labels) -> Header {
        Header {
            version: VERSION,
            run: place.run,
            session,
            answer,
            now: self.clock.now().as_ms(),
            external: external.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    async fn commits(
        &self,
        question: &Question,
        after: Place,
        follower: Arc<dyn Follower>,
        external: &Labels,
    ) -> Result<Vec<u8>, FederateError> {
        let mut changes = Changes::default();
        let progress = match follower.read(after, SAMPLES_PER_ANSWER, &mut changes) {
            Ok(progress) => progress,
            Err(Missed { from, until }) => return self.missed(question, after, from, until, external).await,
        };
        tracing::debug!(
            run = after.run,
            segment = after.segment,
            offset = after.offset,
            until_segment = progress.until.segment,
            until_offset = progress.until.offset,
            samples = changes.len(),
            "commits are told"
        );
        let session = self.sessions.take(question.session, external, self.clock.now().as_ms());
        let header = self.header(progress.until, session.id, session.answer, external);
        let write = move || -> Result<(Session, Vec<u8>), FederateError> {
            let mut session = session;
            let mut answer = Answer::new(&header)?;
            write_changes(changes, follower.as_ref(), &mut session, &mut answer)?;
            let cursor = Cursor { place: progress.until, history: None };
            Ok((session, answer.finish(cursor, progress.more, None)?))
        };
        let (session, body) = tokio::task::spawn_blocking(write).await??;
        self.sessions.give_back(session);
        Ok(body)
    }

    /// Reads by time from `from` on. What was deleted in between is told.
    async fn missed(
        &self,
        question: &Question,
        after: Place,
        from: Timestamp,
        until: Place,
        external: &Labels,
    ) -> Result<Vec<u8>, FederateError> {
        let oldest = self.queryable.min_time();
        if from == Timestamp::MAX || oldest.is_none() {
            let header = self.header(until, 0, 0, external);
            return Ok(Answer::new(&header)?.finish(Cursor { place: until, history: None }, false, None)?);
        }
        let oldest = oldest.unwrap_or(from);
        tracing::info!(
            run = after.run, segment = after.segment, offset = after.offset, from = %from.max(oldest),
            "a puller has been away for long: it is told by time what it has missed"
        );
        let gap = (from > Timestamp::MIN && from < oldest)
            .then(|| Gap { from: from.as_ms(), until: oldest.as_ms().saturating_sub(1) });
        let history = History { from: from.max(oldest).as_ms(), step_ms: STEP_MS };
        self.history(question, until, history, gap, external).await
    }

    /// One step through time. The commits behind `until` come after the last.
    async fn history(
        &self,
        question: &Question,
        until: Place,
        history: History,
        gap: Option<Gap>,
        external: &Labels,
    ) -> Result<Vec<u8>, FederateError> {
        let header = self.header(until, 0, 0, external);
        let now = self.clock.now().as_ms();
        let mut step_ms = history.step_ms;
        loop {
            // What was committed up to `until` may be ahead of the clock: the last step has no end.
            let end = Some(history.from.saturating_add(step_ms - 1)).filter(|end| *end < now);
            let range =
                TimeRange::new(Timestamp::from_ms(history.from), end.map_or(Timestamp::MAX, Timestamp::from_ms));
            let set = self.select(&question.selectors, range).await?;
            let exemplars = self.exemplars.exemplars(&question.selectors, range).await?;
            tracing::debug!(
                segment = until.segment,
                offset = until.offset,
                from = history.from,
                end,
                "what was missed is told by time"
            );
            let may_split = step_ms > 1 && history.from < now;
            let header = header.clone();
            let work = move || -> Result<Option<Vec<u8>>, FederateError> {
                let Some(step) = Step::read(set, range, may_split)? else { return Ok(None) };
                let mut answer = Answer::new(&header)?;
                step.write(&mut answer, &exemplars)?;
                let next = end.map(|end| History { from: end + 1, step_ms: step.next_step_ms(step_ms) });
                Ok(Some(answer.finish(Cursor { place: until, history: next }, true, gap)?))
            };
            if let Some(body) = tokio::task::spawn_blocking(work).await?? {
                return Ok(body);
            }
            step_ms = (step_ms.min(now.saturating_sub(history.from)) / 2).max(1);
        }
    }

    async fn select(&self, selectors: &[Vec<Matcher>], range: TimeRange) -> Result<storage::SeriesSet, QueryError> {
        let requests: Vec<_> = selectors.iter().map(|selector| SelectRequest::new(selector.clone(), range)).collect();
        Ok(merge_sets(try_join_all(requests.iter().map(|request| self.queryable.select(request))).await?, 0))
    }
}

/// Writes commits. Order is by time, so that the columns compress: an answer is stored as a whole, nobody sees half of it.
fn write_changes(
    changes: Changes,
    follower: &dyn Follower,
    session: &mut Session,
    answer: &mut Answer,
) -> Result<(), FederateError> {
    let Changes { floats, mut histograms, exemplars, described } = changes;
    for series in described {
        if let Some(known) = session.get(series)
            && let Some(described) = follower.describe(series)
        {
            answer.define(known.id, &described)?;
        }
    }
    let mut id_of = |series: SeriesRef, answer: &mut Answer| -> Result<u32, FederateError> {
        if let Some(known) = session.get(series) {
            return Ok(known.id);
        }
        let gone = || QueryError::retry("series went away while the answer was made");
        let described = follower.describe(series).ok_or_else(gone)?;
        let id = session.define(series).id;
        answer.define(id, &described)?;
        Ok(id)
    };
    let mut numbered = Vec::with_capacity(floats.len());
    for Change { series, time, value } in floats {
        numbered.push((time, id_of(series, answer)?, value, series));
    }
    histograms.sort_by_key(|change| (change.series, change.time));
    let mut of_histograms = Vec::new();
    for of_series in histograms.chunk_by(|one, next| one.series == next.series) {
        of_histograms.push((id_of(of_series[0].series, answer)?, of_series));
    }
    let mut of_exemplars = Vec::with_capacity(exemplars.len());
    for (series, exemplar) in &exemplars {
        of_exemplars.push((id_of(*series, answer)?, exemplar));
    }
    numbered.sort_unstable_by_key(|(time, id, ..)| (*time, *id));
    for (time, id, value, series) in numbered {
        if let Some(known) = session.get(series) {
            answer.float(WireFloat { id, time, value }, &mut known.last)?;
        }
    }
    for (id, of_series) in of_histograms {
        answer.histograms(id, of_series.iter().map(|change| (change.time, change.value.clone())));
    }
    of_exemplars.into_iter().for_each(|(id, exemplar)| answer.exemplar(id, exemplar));
    Ok(())
}
