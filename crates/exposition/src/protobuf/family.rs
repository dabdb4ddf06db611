//! Family by family through an exposition.

use model::MetricType;

use super::metric::Metric;
use super::wire::{DecodeError, Fields, Message};

/// Walks the families of an exposition. After an error there is nothing more.
#[derive(Debug, Clone)]
pub struct Parser<'a> {
    fields: Fields<'a>,
}

/// A family that has metrics.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family<'a> {
    /// Its name, never empty.
    pub name: &'a str,
    /// What it means.
    pub help: &'a str,
    /// In what it is measured; mostly empty.
    pub unit: &'a str,
    /// What it is.
    pub kind: MetricType,
    message: Message<'a>,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of `input`.
    pub fn new(input: &'a [u8]) -> Self {
        Parser { fields: Message { body: input, start: 0 }.fields() }
    }

    /// The next family; `None` for one without metrics, which says nothing.
    fn family(&mut self) -> Result<Option<Family<'a>>, DecodeError> {
        Family::read(self.fields.delimited()?)
    }
}

impl<'a> Iterator for Parser<'a> {
    type Item = Result<Family<'a>, DecodeError>;

    fn next(&mut self) -> Option<Self::Item> {
        let end = self.fields.message.body.len();
        while self.fields.pos < end {
            match self.family() {
                Ok(None) => {}
                Ok(Some(family)) => return Some(Ok(family)),
                Err(error) => {
                    self.fields.pos = end;
                    return Some(Err(error));
                }
            }
        }
        None
    }
}

impl<'a> Family<'a> {
    fn read(message: Message<'a>) -> Result<Option<Self>, DecodeError> {
        let mut family = Family { name: "", help: "", unit: "", kind: MetricType::Counter, message };
        let (mut has_metrics, mut number) = (false, 0);
        for field in message.fields() {
            let field = field?;
            match field.number {
                1 => family.name = field.text()?,
                2 => family.help = field.text()?,
                3 => number = field.integer()?,
                4 => has_metrics = true,
                5 => family.unit = field.text()?,
                _ => {}
            }
        }
        if !has_metrics {
            return Ok(None);
        }
        if family.name.is_empty() {
            return Err(message.error("the family has no name"));
        }
        family.kind = kind_of(number)
            .ok_or_else(|| message.error(format!("unknown metric type {number} of {:?}", family.name)))?;
        Ok(Some(family))
    }

    /// Its metrics.
    pub fn metrics(&self) -> impl Iterator<Item = Result<Metric<'a>, DecodeError>> + use<'a> {
        let kind = self.kind;
        self.message.repeated(4).map(move |message| Metric::read(message?, kind))
    }

    /// An error of the family as a whole.
    pub fn error(&self, message: impl Into<String>) -> DecodeError {
        self.message.error(message)
    }
}

/// From the enum `MetricType`.
fn kind_of(number: u64) -> Option<MetricType> {
    Some(match number {
        0 => MetricType::Counter,
        1 => MetricType::Gauge,
        2 => MetricType::Summary,
        3 => MetricType::Unknown,
        4 => MetricType::Histogram,
        5 => MetricType::GaugeHistogram,
        _ => return None,
    })
}
