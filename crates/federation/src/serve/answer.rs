//! An answer to a pull by cursor in the making.

use std::io;

use model::{Exemplar, Labels, NativeHistogram};
use serde_bytes::ByteBuf;
use storage::Described;
use storage::chunk::{Recoder, Value};

use crate::wire::{
    BodyWriter, Cursor, Definition, FloatWriter, Frame, Gap, Header, Histograms, Trailer, WireExemplar, WireFloat,
};

/// So many floats are in a frame at most: a reader decodes one frame at a time.
const FLOATS_PER_FRAME: usize = 64 << 10;
/// So many series are defined in a frame at most.
const DEFINITIONS_PER_FRAME: usize = 4096;

/// Collects frames. Definitions come out before the samples that name them.
pub(super) struct Answer {
    body: BodyWriter,
    definitions: Vec<Definition>,
    floats: FloatWriter,
    histograms: Vec<Histograms>,
    exemplars: Vec<WireExemplar>,
    samples: u64,
    defined: u64,
}

impl Answer {
    pub(super) fn new(header: &Header) -> io::Result<Self> {
        Ok(Answer {
            body: BodyWriter::new(header)?,
            definitions: Vec::new(),
            floats: FloatWriter::default(),
            histograms: Vec::new(),
            exemplars: Vec::new(),
            samples: 0,
            defined: 0,
        })
    }

    /// Defines a series.
    pub(super) fn define(&mut self, id: u32, series: &Described) -> io::Result<()> {
        let metadata = series.metadata.as_deref();
        let text = |part: Option<&str>| part.unwrap_or_default().to_owned();
        self.definitions.push(Definition {
            id,
            labels: flat(&series.labels),
            kind: text(metadata.map(|metadata| metadata.kind.as_str())),
            unit: text(metadata.map(|metadata| metadata.unit.as_str())),
            help: text(metadata.map(|metadata| metadata.help.as_str())),
        });
        self.defined += 1;
        if self.definitions.len() >= DEFINITIONS_PER_FRAME { self.flush_definitions() } else { Ok(()) }
    }

    fn flush_definitions(&mut self) -> io::Result<()> {
        let definitions = std::mem::take(&mut self.definitions);
        if definitions.is_empty() { Ok(()) } else { self.body.add(&Frame::Definitions(definitions)) }
    }

    /// Adds a float of a series that is defined.
    pub(super) fn float(&mut self, float: WireFloat, last: &mut f64) -> io::Result<()> {
        self.floats.add(float, last);
        self.samples += 1;
        if self.floats.len() >= FLOATS_PER_FRAME { self.flush_floats() } else { Ok(()) }
    }

    fn flush_floats(&mut self) -> io::Result<()> {
        self.flush_definitions()?;
        if self.floats.len() == 0 { Ok(()) } else { self.body.add(&Frame::Floats(self.floats.take())) }
    }

    /// Adds histograms of a series that is defined, in order of time.
    pub(super) fn histograms(&mut self, id: u32, histograms: impl IntoIterator<Item = (i64, NativeHistogram)>) {
        let mut recoder = Recoder::default();
        for (time, histogram) in histograms {
            recoder.push(time, Value::Histogram(histogram));
            self.samples += 1;
        }
        self.histograms.extend(recoder.finish().into_iter().map(|chunk| Histograms {
            id,
            encoding: chunk.encoding.byte(),
            data: ByteBuf::from(chunk.data.to_vec()),
        }));
    }

    /// Adds an exemplar of a series that is defined.
    pub(super) fn exemplar(&mut self, id: u32, exemplar: &Exemplar) {
        let labels = flat(&exemplar.labels);
        self.exemplars.push(WireExemplar { id, time: exemplar.time.as_ms(), value: exemplar.value, labels });
    }

    /// The answer's bytes.
    pub(super) fn finish(mut self, cursor: Cursor, more: bool, gap: Option<Gap>) -> io::Result<Vec<u8>> {
        self.flush_floats()?;
        if !self.histograms.is_empty() {
            self.body.add(&Frame::Histograms(std::mem::take(&mut self.histograms)))?;
        }
        if !self.exemplars.is_empty() {
            self.body.add(&Frame::Exemplars(std::mem::take(&mut self.exemplars)))?;
        }
        let (samples, definitions) = (self.samples, self.defined);
        let trailer = Trailer { cursor: cursor.encode(), more, samples, definitions, gap, checksum: ByteBuf::new() };
        self.body.finish(trailer)
    }
}

fn flat(labels: &Labels) -> Vec<String> {
    labels.iter().flat_map(|(name, value)| [name.to_owned(), value.to_owned()]).collect()
}
