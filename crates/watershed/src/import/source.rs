//! A text piece by piece.

use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::Path;

use exposition::openmetrics::{Entry, Parser, SampleLine};
use exposition::text::ParseError;
use model::MetricType;

const PIECE_BYTES: usize = 4 << 20;
/// A longer line is refused. Also, so much is looked at before an error counts that the end of a piece may have caused.
const LINE_BYTES_MAX: usize = 1 << 20;

/// A text that can be read more than once, of any length: only a piece of it is in memory.
#[derive(Debug)]
pub(crate) struct Source {
    file: File,
}

/// Why reading ended early.
#[derive(Debug)]
pub(crate) enum ReadError<E> {
    Io(io::Error),
    Parse(ParseError),
    /// The one who takes the samples refused one.
    Refused(E),
}

impl Source {
    /// Opens a file; `-` is standard input, which is copied into a hidden file in `dir`.
    pub(crate) fn open(path: &Path, dir: &Path) -> io::Result<Self> {
        if path != Path::new("-") {
            return File::open(path).map(|file| Source { file });
        }
        std::fs::create_dir_all(dir)?;
        let mut file = tempfile::tempfile_in(dir)?;
        io::copy(&mut io::stdin().lock(), &mut file)?;
        Ok(Source { file })
    }

    /// How long it is.
    pub(crate) fn byte_len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    /// Hands all samples to `take`, from the beginning, with the kind that was told last. `advance` hears of the bytes that have been read.
    pub(crate) fn for_each_sample<E>(
        &mut self,
        take: impl FnMut(&SampleLine<'_>, MetricType) -> Result<(), E>,
        advance: impl FnMut(u64),
    ) -> Result<(), ReadError<E>> {
        self.file.seek(SeekFrom::Start(0)).map_err(ReadError::Io)?;
        for_each_sample(&mut self.file, PIECE_BYTES, take, advance)
    }
}

fn for_each_sample<E>(
    input: &mut impl Read,
    piece_bytes: usize,
    mut take: impl FnMut(&SampleLine<'_>, MetricType) -> Result<(), E>,
    mut advance: impl FnMut(u64),
) -> Result<(), ReadError<E>> {
    let (mut buffer, mut line, mut at_end) = (Vec::with_capacity(piece_bytes), 1, false);
    let mut kind = MetricType::Unknown;
    loop {
        if !at_end {
            let read = input.by_ref().take(piece_bytes as u64).read_to_end(&mut buffer).map_err(ReadError::Io)?;
            at_end = read < piece_bytes;
            advance(read as u64);
        }
        let mut parser = Parser::piece(&buffer, line, !at_end);
        while let Some(entry) = parser.next() {
            match entry {
                Ok(Entry::Sample(sample)) => take(&sample, kind).map_err(ReadError::Refused)?,
                Ok(Entry::Type { kind: told, .. }) => kind = told,
                Ok(_) => {}
                Err(error) if at_end || buffer.len() - parser.position() > LINE_BYTES_MAX => {
                    return Err(ReadError::Parse(error));
                }
                Err(_) => break, // more of the text shows whether it is one
            }
        }
        line = parser.line();
        let done = parser.position();
        if parser.is_at_eof() && at_end {
            return Ok(());
        }
        if parser.is_at_eof() {
            // The piece ended exactly here: is there anything else?
            let mut more = [0];
            return match input.read(&mut more).map_err(ReadError::Io)? {
                0 => Ok(()),
                _ => Err(ReadError::Parse(error_at(line + 1, "unexpected data after `# EOF`"))),
            };
        }
        buffer.drain(..done);
        if buffer.len() > LINE_BYTES_MAX + piece_bytes {
            return Err(ReadError::Parse(error_at(line, format!("the line is longer than {LINE_BYTES_MAX} bytes"))));
        }
    }
}

fn error_at(line: usize, message: impl Into<String>) -> ParseError {
    ParseError { line, column: 1, message: message.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, piece_bytes: usize) -> Result<Vec<(String, usize)>, String> {
        let mut lines = Vec::new();
        let take = |sample: &SampleLine<'_>, _| {
            lines.push((String::from_utf8_lossy(sample.series).into_owned(), sample.line));
            if sample.value < 0.0 { Err("negative") } else { Ok(()) }
        };
        match for_each_sample(&mut text.as_bytes(), piece_bytes, take, |_| {}) {
            Ok(()) => Ok(lines),
            Err(ReadError::Io(error)) => Err(error.to_string()),
            Err(ReadError::Parse(error)) => Err(error.to_string()),
            Err(ReadError::Refused(word)) => Err(word.to_owned()),
        }
    }

    #[test]
    fn gives_the_same_whatever_the_pieces_are() {
        let check = |text: &str, want: Result<&[(&str, usize)], &str>| {
            let want =
                want.map(|lines| lines.iter().map(|(text, line)| ((*text).to_owned(), *line)).collect::<Vec<_>>());
            for piece_bytes in 1..text.len() + 2 {
                assert_eq!(read(text, piece_bytes), want.clone().map_err(str::to_owned), "{text:?} by {piece_bytes}");
            }
        };
        check("# EOF\n", Ok(&[]));
        check("a 1 2\n# TYPE b gauge\nb{c=\"d\"} 1\n# EOF\n", Ok(&[("a", 1), ("b{c=\"d\"}", 3)]));
        check("{\"a\n\nb\"} 1\nc 1\n# EOF", Ok(&[("{\"a\n\nb\"}", 1), ("c", 4)]));
        check("a 1\nb x\n# EOF\n", Err("line 2, column 3: expected a number"));
        check("a 1\n", Err("line 2, column 1: the exposition does not end with `# EOF`"));
        check("a 1\n# EOF\nb 1\n", Err("line 3, column 1: unexpected data after `# EOF`"));
        check("a 1\nb -1\n# EOF\n", Err("negative"));
        check("a{b=\"c\n", Err("line 1, column 5: the quoted text is not closed"));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let text = format!("a{{b=\"{}", "x".repeat(3 << 20));
        assert!(read(&text, 1000).is_err_and(|error| error.contains("line 1")));
        let text = format!("a 1\n{}", "x".repeat(3 << 20));
        assert_eq!(read(&text, 1000), Err("line 2, column 1: the line is longer than 1048576 bytes".to_owned()));
    }
}
