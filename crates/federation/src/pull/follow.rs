//! From an answer by cursor to samples in a transaction.
//!
//! The cursor is noted in the same transaction as the samples before it, so that after a crash both are there or neither is. What
//! belongs to a session is only in memory; whoever has lost it, or an answer of it, begins a new one.

use model::{Exemplar, Labels, Metadata, MetricType, Timestamp};
use serde_bytes::ByteBuf;
use storage::chunk::{Chunk, Encoding, Value};
use storage::{AppendError, Appendable, Appender};
use url::Url;

use crate::pull::error::{BODY_BYTES_MAX, PullError};
use crate::pull::ingest::Brought;
use crate::pull::series::PulledSeries;
use crate::pull::spec::ReplicaSpec;
use crate::wire::{
    BodyReader, Definition, FIRST_VALUE, FloatReader, Floats, Frame, Gap, Header, Histograms, WireError, WireExemplar,
    with_checksum,
};

/// How far the pulls of a replica have come.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Standing {
    cursor: Option<String>,
    /// Session and number of the answer that comes next.
    session: Option<(u64, u64)>,
}

impl Standing {
    /// The cursor, empty before the first answer.
    pub(super) fn cursor(&self) -> &str {
        self.cursor.as_deref().unwrap_or_default()
    }

    /// Whether there was an answer by cursor, in this run or in an earlier one.
    pub(super) fn has_cursor(&self) -> bool {
        self.cursor.is_some()
    }

    /// The address to ask at. Without a cursor the answer is to begin `since` a time in milliseconds, if there is one.
    pub(super) fn url(&self, mut url: Url, since: Option<i64>) -> Url {
        let since = since.filter(|_| self.cursor.is_none()).map(|since| since.to_string());
        let session = self.session.map(|(session, next)| format!("{session}.{next}"));
        let parameters =
            [("cursor", self.cursor.as_deref()), ("session", session.as_deref()), ("since", since.as_deref())];
        url.query_pairs_mut().extend_pairs(parameters.into_iter().filter_map(|(name, value)| Some((name, value?))));
        let query = with_checksum(url.query().unwrap_or_default());
        url.set_query(Some(&query));
        url
    }
}

/// Labels that name a replica to the outside, with their values.
pub(super) type External = Vec<(String, String)>;

/// What is known of a replica that is pulled by cursor.
#[derive(Debug, Default)]
pub(super) struct FollowIngest {
    standing: Standing,
    /// The labels that name the replica to the outside.
    external: External,
    /// Whether these don't concern what it sends: the other global of a pair calls itself as we do.
    ignores_external: bool,
    /// The series of the session, by their numbers.
    series: Vec<Known>,
}

#[derive(Debug)]
struct Known {
    of_series: PulledSeries,
    /// The last float of the session.
    last: f64,
}

/// What an answer says beside its samples.
#[derive(Debug)]
pub(super) struct Followed {
    pub(super) brought: Brought,
    pub(super) more: bool,
    pub(super) gap: Option<Gap>,
    /// The clock of who answered.
    pub(super) now: i64,
    /// The labels that name the replica to the outside.
    pub(super) external: External,
    /// What holds once the transaction is stored.
    standing: Standing,
    series: Option<Vec<Known>>,
}

impl FollowIngest {
    /// Goes on where a transaction of an earlier run noted that it stood.
    pub(super) fn resume(appendable: &dyn Appendable, spec: &ReplicaSpec) -> Self {
        let cursor = appendable.note(&spec.cursor_note()).and_then(|cursor| String::from_utf8(cursor).ok());
        let external = appendable.note(&spec.external_note());
        FollowIngest {
            standing: Standing { cursor: cursor.filter(|cursor| !cursor.is_empty()), session: None },
            external: external.and_then(|noted| rmp_serde::from_slice(&noted).ok()).unwrap_or_default(),
            ignores_external: spec.is_peer,
            series: Vec::new(),
        }
    }

    /// The labels that name the replica to the outside, as far as they are known and concern what it sends.
    pub(super) fn external(&self) -> &External {
        &self.external
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    /// Appends an answer and notes the cursor. It holds after [`FollowIngest::settle`]; if that doesn't come, the next pull
    /// asks for the same again.
    pub(super) fn append(
        &mut self,
        body: &[u8],
        spec: &ReplicaSpec,
        appender: &mut dyn Appender,
    ) -> Result<Followed, PullError> {
        // Whatever goes wrong, the session is over.
        let session = self.standing.session.take();
        let known = std::mem::take(&mut self.series);
        let mut reader = BodyReader::new(body, BODY_BYTES_MAX)?;
        let mut header = reader.header().clone();
        if self.ignores_external {
            header.external.clear();
        }
        let (is_local, series) = match header.session {
            0 => (true, Vec::new()),
            _ if session == Some((header.session, header.answer)) => (false, known),
            _ if header.answer == 0 => (false, Vec::new()),
            _ => return Err(WireError::Order("the answer goes on with a session that is over").into()),
        };
        let mut transaction =
            Transaction { series, header: &header, described: Vec::new(), brought: Brought::default(), appender };
        while let Some(frame) = reader.next()? {
            transaction.take(frame)?;
        }
        let Transaction { series, brought, .. } = transaction.finish();
        let trailer = reader.trailer();
        if trailer.more && self.standing.cursor.as_ref() == Some(&trailer.cursor) {
            return Err(WireError::Order("the answer has more and goes no further").into());
        }
        appender.set_note(&spec.cursor_note(), trailer.cursor.as_bytes()).map_err(PullError::Note)?;
        if header.external != self.external {
            let noted = rmp_serde::to_vec(&header.external).unwrap_or_default(); // plain texts can't fail
            appender.set_note(&spec.external_note(), &noted).map_err(PullError::Note)?;
        }
        let next = (header.session, header.answer.saturating_add(1));
        Ok(Followed {
            brought,
            more: trailer.more,
            gap: trailer.gap,
            now: header.now,
            standing: Standing { cursor: Some(trailer.cursor.clone()), session: (!is_local).then_some(next) },
            series: (!is_local).then_some(series),
            external: header.external,
        })
    }

    /// The transaction is stored.
    pub(super) fn settle(&mut self, followed: Followed) -> Brought {
        self.standing = followed.standing;
        self.external = followed.external;
        self.series = followed.series.unwrap_or_default();
        followed.brought
    }

    /// Ends all series that are known: the replica is no longer pulled.
    pub(super) fn end_all(&mut self, at: Timestamp, spec: &ReplicaSpec, appender: &mut dyn Appender) {
        self.series.iter_mut().for_each(|known| known.of_series.end(at, appender));
        for note in [spec.cursor_note(), spec.external_note()] {
            if let Err(error) = appender.set_note(&note, &[]) {
                tracing::debug!(%error, note, "a note that is of no more use stays");
            }
        }
    }

    /// The value of the first of these labels that the replica has.
    pub(super) fn label_value(&self, names: &[String]) -> Option<&str> {
        let of = |name: &String| self.external.iter().find(|(label, _)| label == name);
        names.iter().find_map(of).map(|(_, value)| value.as_str())
    }
}

/// An answer on its way into the storage.
struct Transaction<'a> {
    header: &'a Header,
    appender: &'a mut dyn Appender,
    series: Vec<Known>,
    /// What is new of series, until they have references.
    described: Vec<(u32, Metadata)>,
    brought: Brought,
}

impl<'a> Transaction<'a> {
    fn take(&mut self, frame: Frame) -> Result<(), PullError> {
        match frame {
            Frame::Definitions(definitions) => definitions.into_iter().try_for_each(|one| self.define(one)),
            Frame::Floats(floats) => self.floats(&floats),
            Frame::Histograms(all) => all.into_iter().try_for_each(|chunk| self.histograms(chunk)),
            Frame::Exemplars(all) => all.into_iter().try_for_each(|exemplar| self.exemplar(exemplar)),
        }
    }

    fn define(&mut self, definition: Definition) -> Result<(), PullError> {
        let Definition { id, labels, kind, unit, help } = definition;
        let at = id as usize;
        // Numbers are given one after the other, so that nobody makes us hold room for what isn't there.
        if at > self.series.len() {
            return Err(WireError::Order("the number of a series is not the next one").into());
        }
        let (own, rest) = labels.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(WireError::Order("a label has no value").into());
        }
        let is_missing = |name: &str| own.iter().all(|[own, _]| own != name);
        let external = self.header.external.iter().filter(|(name, _)| is_missing(name));
        let pairs = own.iter().map(|[name, value]| (name.as_str(), value.as_str()));
        let labels = Labels::from_pairs(pairs.chain(external.map(|(name, value)| (name.as_str(), value.as_str()))));
        match self.series.get(at) {
            Some(known) if known.of_series.labels == labels => {}
            Some(_) => return Err(WireError::Order("a series is defined anew as another one").into()),
            None => {
                self.brought.series_added += 1;
                self.series.push(Known { of_series: PulledSeries::new(labels), last: FIRST_VALUE });
            }
        }
        if !kind.is_empty() {
            let kind = MetricType::from_word(&kind).unwrap_or_default();
            self.described.push((id, Metadata { kind, unit, help }));
        }
        Ok(())
    }

    fn floats(&mut self, floats: &Floats) -> Result<(), PullError> {
        let mut reader = FloatReader::new(floats)?;
        while let Some((id, time)) = reader.next()? {
            let known = self.series.get_mut(id as usize).ok_or(WireError::Unknown(id))?;
            let value = reader.value(&mut known.last)?;
            let stored = known.of_series.append(Timestamp::from_ms(time), value, self.appender);
            count(&mut self.brought, time, stored);
        }
        Ok(())
    }

    fn histograms(&mut self, Histograms { id, encoding, data }: Histograms) -> Result<(), PullError> {
        let known = self.series.get_mut(id as usize).ok_or(WireError::Unknown(id))?;
        let broken = |reason: String| PullError::from(WireError::Chunk(id, reason));
        let encoding = Encoding::from_byte(encoding).map_err(|error| broken(error.to_string()))?;
        let data = ByteBuf::into_vec(data).into();
        let chunk = Chunk { min_time: Timestamp::MIN, max_time: Timestamp::MAX, encoding, data };
        let mut values = chunk.values();
        while let Some((time, value)) = values.next().map_err(|error| broken(error.to_string()))? {
            let stored = match value {
                Value::Float(value) => known.of_series.append(Timestamp::from_ms(time), value, self.appender),
                Value::Histogram(histogram) => {
                    let at = Timestamp::from_ms(time);
                    self.appender
                        .append_histogram(&known.of_series.labels, at, histogram)
                        .map(|series| known.of_series.series = Some(series))
                }
            };
            count(&mut self.brought, time, stored);
        }
        Ok(())
    }

    /// An exemplar that is not taken is none the worse: there are newer ones.
    fn exemplar(&mut self, exemplar: WireExemplar) -> Result<(), PullError> {
        let WireExemplar { id, time, value, labels } = exemplar;
        let known = self.series.get(id as usize).ok_or(WireError::Unknown(id))?;
        let (pairs, rest) = labels.as_chunks::<2>();
        if !rest.is_empty() {
            return Err(WireError::Order("a label has no value").into());
        }
        let labels = Labels::from_pairs(pairs.iter().map(|[name, value]| (name, value)));
        let exemplar = Exemplar { labels, value, time: Timestamp::from_ms(time) };
        if let Some(series) = known.of_series.series
            && let Err(error) = self.appender.append_exemplar(series, &exemplar)
        {
            tracing::debug!(%error, series = %known.of_series.labels, "exemplar not stored");
        }
        Ok(())
    }

    /// Hands on what is known of the series' metrics, now that they have references.
    fn finish(self) -> Self {
        for (id, metadata) in &self.described {
            let PulledSeries { labels, series } = &self.series[*id as usize].of_series;
            if let Some(series) = series
                && let Err(error) = self.appender.append_metadata(*series, metadata)
            {
                tracing::debug!(%error, series = %labels, "metadata not stored");
            }
        }
        self
    }
}

fn count(brought: &mut Brought, time: i64, stored: Result<(), AppendError>) {
    brought.samples += 1;
    brought.newest = brought.newest.max(Some(time));
    match stored {
        Ok(()) => brought.appended += 1,
        Err(reason) => brought.skipped.count(&reason),
    }
}
