//! Reads the fields of a message where they lie: nothing is copied, and what is skipped costs its length.

/// What is wrong with an exposition, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("byte {offset}: {message}")]
pub struct DecodeError {
    /// Bytes of the exposition before the place.
    pub offset: usize,
    /// What was expected there.
    pub message: String,
}

/// The bytes of a message, or of anything else that has a length, and where in the exposition they begin.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Message<'a> {
    pub(super) body: &'a [u8],
    pub(super) start: usize,
}

impl<'a> Message<'a> {
    pub(super) fn fields(self) -> Fields<'a> {
        Fields { message: self, pos: 0 }
    }

    /// The messages in the fields of one number, in their order.
    pub(super) fn repeated(self, number: u32) -> impl Iterator<Item = Result<Message<'a>, DecodeError>> + 'a {
        self.fields().filter_map(move |field| match field {
            Ok(field) if field.number == number => Some(field.message()),
            Ok(_) => None,
            Err(error) => Some(Err(error)),
        })
    }

    /// The bytes as text.
    pub(super) fn text(self) -> Result<&'a str, DecodeError> {
        std::str::from_utf8(self.body)
            .map_err(|error| DecodeError { offset: self.start + error.valid_up_to(), message: "invalid UTF-8".into() })
    }

    pub(super) fn error(self, message: impl Into<String>) -> DecodeError {
        DecodeError { offset: self.start, message: message.into() }
    }
}

/// A field of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field<'a> {
    pub(super) number: u32,
    /// Where in the exposition it begins.
    start: usize,
    wire: Wire<'a>,
}

/// What is in a field, by the way it is stored.
#[derive(Debug, Clone, Copy)]
enum Wire<'a> {
    Varint(u64),
    Fixed64(u64),
    Fixed32,
    Bytes(Message<'a>),
}

impl<'a> Field<'a> {
    /// A number, a flag or a word of an enum.
    pub(super) fn integer(&self) -> Result<u64, DecodeError> {
        match self.wire {
            Wire::Varint(value) => Ok(value),
            _ => Err(self.mistaken("an integer")),
        }
    }

    /// `sint32`; as everywhere in this format, what doesn't fit is cut off.
    pub(super) fn signed(&self) -> Result<i32, DecodeError> {
        self.integer().map(|value| unzigzag(value) as i32)
    }

    pub(super) fn double(&self) -> Result<f64, DecodeError> {
        match self.wire {
            Wire::Fixed64(bits) => Ok(f64::from_bits(bits)),
            _ => Err(self.mistaken("a double")),
        }
    }

    pub(super) fn message(&self) -> Result<Message<'a>, DecodeError> {
        match self.wire {
            Wire::Bytes(message) => Ok(message),
            _ => Err(self.mistaken("a message or a text")),
        }
    }

    pub(super) fn text(&self) -> Result<&'a str, DecodeError> {
        self.message()?.text()
    }

    /// Doubles of a repeated field, packed or one of them.
    pub(super) fn doubles(&self, out: &mut Vec<f64>) -> Result<(), DecodeError> {
        let Wire::Bytes(packed) = self.wire else {
            out.push(self.double()?);
            return Ok(());
        };
        let (numbers, rest) = packed.body.as_chunks::<8>();
        if !rest.is_empty() {
            return Err(packed.error("packed doubles break off"));
        }
        out.extend(numbers.iter().map(|bytes| f64::from_le_bytes(*bytes)));
        Ok(())
    }

    /// `sint64` of a repeated field, packed or one of them.
    pub(super) fn deltas(&self, out: &mut Vec<i64>) -> Result<(), DecodeError> {
        let Wire::Bytes(packed) = self.wire else {
            out.push(unzigzag(self.integer()?));
            return Ok(());
        };
        let mut numbers = packed.fields();
        while numbers.pos < packed.body.len() {
            out.push(unzigzag(numbers.varint()?));
        }
        Ok(())
    }

    fn mistaken(&self, wanted: &str) -> DecodeError {
        DecodeError { offset: self.start, message: format!("field {} is not {wanted}", self.number) }
    }
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Walks the fields of a message. After an error there is nothing more.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    pub(super) message: Message<'a>,
    pub(super) pos: usize,
}

impl<'a> Fields<'a> {
    #[inline]
    fn field(&mut self) -> Result<Field<'a>, DecodeError> {
        let start = self.message.start + self.pos;
        let tag = self.varint()?;
        let number = match u32::try_from(tag >> 3) {
            Ok(number) if number > 0 => number,
            _ => return Err(no_field(start)),
        };
        let wire = match tag & 7 {
            0 => Wire::Varint(self.varint()?),
            1 => Wire::Fixed64(u64::from_le_bytes(*self.fixed()?)),
            2 => Wire::Bytes(self.delimited()?),
            5 => self.fixed::<4>().map(|_| Wire::Fixed32)?,
            _ => return Err(unknown_form(start, number)),
        };
        Ok(Field { number, start, wire })
    }

    /// A number in groups of seven bits, the lowest first; the high bit says that more follow.
    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, DecodeError> {
        match self.message.body.get(self.pos) {
            Some(byte) if *byte < 0x80 => {
                self.pos += 1;
                Ok(u64::from(*byte))
            }
            _ => self.varint_slow(),
        }
    }

    /// The twin of [`varint`](Self::varint) for numbers of several bytes.
    fn varint_slow(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for (shift, byte) in (0..u64::BITS).step_by(7).zip(&self.message.body[self.pos..]) {
            value |= u64::from(byte & 0x7f) << shift;
            if *byte < 0x80 {
                self.pos += shift as usize / 7 + 1;
                return Ok(value);
            }
        }
        Err(self.fail("expected a number, found one that doesn't end"))
    }

    fn fixed<const BYTES: usize>(&mut self) -> Result<&'a [u8; BYTES], DecodeError> {
        let body: &'a [u8] = self.message.body;
        let bytes = body[self.pos..].first_chunk().ok_or_else(|| self.fail(format!("expected {BYTES} bytes more")))?;
        self.pos += BYTES;
        Ok(bytes)
    }

    /// A length and as many bytes.
    #[inline]
    pub(super) fn delimited(&mut self) -> Result<Message<'a>, DecodeError> {
        let start = self.pos;
        let len = self.varint()?;
        let rest: &'a [u8] = &self.message.body[self.pos..];
        let Some(body) = usize::try_from(len).ok().and_then(|len| rest.get(..len)) else {
            return Err(too_short(self.message.start + start, len, rest.len()));
        };
        let message = Message { body, start: self.message.start + self.pos };
        self.pos += body.len();
        Ok(message)
    }

    fn fail(&self, message: impl Into<String>) -> DecodeError {
        DecodeError { offset: self.message.start + self.pos, message: message.into() }
    }
}

#[cold]
fn no_field(offset: usize) -> DecodeError {
    DecodeError { offset, message: "expected a field".to_owned() }
}

#[cold]
fn unknown_form(offset: usize, number: u32) -> DecodeError {
    DecodeError { offset, message: format!("field {number} has an unknown form") }
}

#[cold]
fn too_short(offset: usize, wanted: u64, found: usize) -> DecodeError {
    DecodeError { offset, message: format!("expected {wanted} bytes, found {found}") }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<Field<'a>, DecodeError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.pos >= self.message.body.len() {
            return None;
        }
        let field = self.field();
        if field.is_err() {
            self.pos = self.message.body.len();
        }
        Some(field)
    }
}
