//! Zstandard, piece by piece.

use std::io::{self, Write};

use zstd::stream::raw::{DParameter, Decoder, InBuffer, Operation, OutBuffer};

/// A frame that looks further back than 8 MiB is refused, as RFC 9659 has it for HTTP: the window is memory that the sender
/// chooses and the reader has.
const WINDOW_LOG_MAX: u32 = 23;
/// So much is decompressed at once.
const STEP_BYTES: usize = 16 << 10;

/// Decompresses what is written to it into another writer.
pub(crate) struct ZstdDecoder<W> {
    decoder: Decoder<'static>,
    sink: W,
    /// Whether the last frame has ended.
    is_whole: bool,
}

impl<W: Write> ZstdDecoder<W> {
    pub(crate) fn new(sink: W) -> io::Result<Self> {
        let mut decoder = Decoder::new()?;
        decoder.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX))?;
        Ok(ZstdDecoder { decoder, sink, is_whole: false })
    }

    pub(crate) fn sink(&self) -> &W {
        &self.sink
    }

    /// Takes the next piece.
    pub(crate) fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        if piece.is_empty() {
            return Ok(()); // not the beginning of another frame
        }
        let mut step = [0; STEP_BYTES];
        let mut input = InBuffer::around(piece);
        loop {
            let mut output = OutBuffer::around(&mut step[..]);
            let had = input.pos();
            let missing = self.decoder.run(&mut input, &mut output)?;
            let written = output.pos();
            self.is_whole = missing == 0;
            self.sink.write_all(&step[..written])?;
            // A step that was filled may have more behind it, though all of the piece has been taken.
            let is_done = input.pos() == piece.len() && (written < STEP_BYTES || self.is_whole);
            if is_done || (input.pos() == had && written == 0) {
                return Ok(());
            }
        }
    }

    /// The end of what is written.
    pub(crate) fn finish(&self) -> io::Result<()> {
        match self.is_whole {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decompressed(pieces: &[&[u8]]) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        let mut decoder = ZstdDecoder::new(&mut plain)?;
        for piece in pieces {
            decoder.write_all(piece)?;
        }
        decoder.finish()?;
        Ok(plain)
    }

    #[test]
    fn takes_any_pieces_and_only_whole_frames() {
        let plain: Vec<u8> = (0..200_000_u32).flat_map(|n| (n / 7).to_string().into_bytes()).collect();
        let packed = zstd::encode_all(&plain[..], 3).expect("compressed");
        for size in [1, 7, 1000, packed.len()] {
            let mut pieces: Vec<&[u8]> = packed.chunks(size).collect();
            pieces.push(b"");
            assert!(decompressed(&pieces).is_ok_and(|got| got == plain), "pieces of {size}");
        }
        let twice = [packed.as_slice(), &packed].concat();
        assert_eq!(decompressed(&[&twice]).map(|got| got.len()).ok(), Some(plain.len() * 2));
        for len in [0, 1, packed.len() / 2, packed.len() - 1] {
            let error = decompressed(&[&packed[..len]]).expect_err("half a frame");
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{len}");
        }
        assert!(decompressed(&[b"a 1\n"]).is_err());
    }

    #[test]
    fn a_window_is_bounded() {
        let packed = |log| {
            let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
            encoder.window_log(log).expect("a window");
            encoder.write_all(b"a 1\n").expect("written");
            encoder.finish().expect("finished")
        };
        assert_eq!(decompressed(&[&packed(23)]).ok().as_deref(), Some(&b"a 1\n"[..]));
        let error = decompressed(&[&packed(27)]).expect_err("a large window");
        assert!(error.to_string().contains("too much memory"), "{error}");
    }
}
