//! What `/federate` answers, without HTTP.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use futures::future::try_join_all;
use model::{Clock, Labels, Matcher, TimeRange, Timestamp};
use parking_lot::{Mutex, RwLock};
use storage::{ExemplarQueryable, Feed, Newest, Place, Queryable, SelectRequest, merge_sets};

use crate::serve::asked::{Asked, read_session};
use crate::serve::encode::{Pieces, Source};
use crate::serve::error::FederateError;
use crate::serve::follow::{Following, LOOKBACK_MS, Question};
use crate::serve::format::Format;
use crate::serve::newest::newest_samples;
use crate::wire::Cursor;

/// So many lists of selectors are remembered.
const KNOWN_MAX: usize = 64;

type Selectors = Arc<Vec<Vec<Matcher>>>;
type ParseSelector = dyn Fn(&str) -> Result<Vec<Matcher>, String> + Send + Sync;

/// The serving half of federation.
pub struct Federate {
    queryable: Arc<dyn Queryable>,
    clock: Arc<dyn Clock>,
    parse_selector: Box<ParseSelector>,
    external: RwLock<Labels>,
    /// What else the queryable can do, if it can.
    following: Option<Following>,
    newest: Option<Arc<dyn Newest>>,
    /// What selectors mean, of those who asked last: reading them takes longer than a small answer.
    known: Mutex<HashMap<Vec<String>, Selectors>>,
    /// When somebody was last answered, in milliseconds since the epoch; `i64::MIN` before.
    last_pull: AtomicI64,
    /// Whether the log says that native histograms were left out.
    told: AtomicBool,
}

impl Federate {
    /// Answers from `queryable`. Every series gets those of the labels `external` that it doesn't have: they are asked for here, because
    /// whoever pulls before they are known stores its samples under another name. `parse_selector` reads a `match[]`, and its error goes
    /// to the client.
    pub fn new(
        queryable: Arc<dyn Queryable>,
        clock: Arc<dyn Clock>,
        external: Labels,
        parse_selector: impl Fn(&str) -> Result<Vec<Matcher>, String> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Federate::unshared(queryable, clock, external, Box::new(parse_selector)))
    }

    /// Answers from a database that can be followed, so that it can be pulled by cursor, too, and that finds newest samples quickly.
    pub fn of_database<D>(
        database: Arc<D>,
        clock: Arc<dyn Clock>,
        external: Labels,
        parse_selector: impl Fn(&str) -> Result<Vec<Matcher>, String> + Send + Sync + 'static,
    ) -> Arc<Self>
    where
        D: Feed + Newest + Queryable + ExemplarQueryable + 'static,
    {
        Arc::new(Federate {
            following: Some(Following::new(database.clone(), clock.clone())),
            newest: Some(database.clone()),
            ..Federate::unshared(database, clock, external, Box::new(parse_selector))
        })
    }

    fn unshared(
        queryable: Arc<dyn Queryable>,
        clock: Arc<dyn Clock>,
        external: Labels,
        parse_selector: Box<ParseSelector>,
    ) -> Self {
        let (external, known, told) = (RwLock::new(external), Mutex::default(), AtomicBool::default());
        let last_pull = AtomicI64::new(i64::MIN);
        Federate { queryable, clock, parse_selector, external, following: None, newest: None, known, last_pull, told }
    }

    /// When somebody last pulled; `None` where nobody has since the start.
    pub fn last_pull(&self) -> Option<Timestamp> {
        Some(self.last_pull.load(Ordering::Relaxed)).filter(|at| *at != i64::MIN).map(Timestamp::from_ms)
    }

    /// Notes that somebody was answered.
    pub(super) fn pulled(&self) {
        self.last_pull.store(self.clock.now().as_ms(), Ordering::Relaxed);
    }

    /// Whether it can be pulled by cursor.
    pub(super) fn following(&self) -> Option<&Following> {
        self.following.as_ref()
    }

    /// What was committed since a cursor, as the body of an answer. A cursor that can't be read is one of which nothing is known: its
    /// owner gets everything.
    pub(super) async fn follow(&self, following: &Following, asked: &Asked) -> Result<Vec<u8>, FederateError> {
        let unknown = Cursor { place: Place::default(), history: None };
        let question = Question {
            selectors: self.selectors(&asked.selectors)?,
            cursor: asked.cursor.as_deref().map(|cursor| Cursor::decode(cursor).unwrap_or(unknown)),
            session: asked.parse("session", &asked.session, read_session)?,
            since: asked.parse("since", &asked.since, |since| since.parse().ok())?,
        };
        let external = self.external.read().clone();
        following.answer(question, &external).await
    }

    fn selectors(&self, selectors: &[String]) -> Result<Selectors, FederateError> {
        if let Some(known) = self.known.lock().get(selectors) {
            return Ok(known.clone());
        }
        let parsed = selectors.iter().map(|selector| (self.parse_selector)(selector));
        let parsed: Selectors = Arc::new(parsed.collect::<Result<_, _>>().map_err(FederateError::Selector)?);
        let mut known = self.known.lock();
        if known.len() >= KNOWN_MAX {
            known.clear();
        }
        known.insert(selectors.to_vec(), parsed.clone());
        Ok(parsed)
    }

    /// Changes the labels that every series gets that doesn't have them, from the next answer on.
    pub fn set_external_labels(&self, labels: Labels) {
        *self.external.write() = labels;
    }

    /// The newest sample of every series that one of the selectors matches, in pieces. All samples are collected when this returns, so
    /// an answer that has begun doesn't fail. Most databases know them; if not, chunks are read.
    pub(super) async fn answer(&self, selectors: &[String], format: Format) -> Result<Pieces, FederateError> {
        let now = self.clock.now();
        let range = TimeRange::new(now.saturating_sub(LOOKBACK_MS), now);
        let selectors = self.selectors(selectors)?;
        let external = self.external.read().clone();
        if let Some(newest) = &self.newest
            && let Some(samples) = newest.newest(&selectors, range.min).await?
        {
            return Ok(Pieces::new(Source::Known(samples), &external, format));
        }
        let requests: Vec<_> = selectors.iter().map(|selector| SelectRequest::new(selector.clone(), range)).collect();
        let sets = try_join_all(requests.iter().map(|request| self.queryable.select(request))).await?;
        let work = tokio::task::spawn_blocking(move || newest_samples(merge_sets(sets, 0), range, format.kind));
        let current = work.await??;
        if current.left_out > 0 && !self.told.swap(true, Ordering::Relaxed) {
            let series = current.left_out;
            tracing::warn!(series, "native histograms are left out for who doesn't ask for protocol buffers");
        }
        Ok(Pieces::new(Source::Found(current.samples.into_iter()), &external, format))
    }
}
