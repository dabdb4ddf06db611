//! A connection as bytes, whatever lies beneath.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper_util::client::legacy::connect::{Connected, Connection};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};
use tokio_rustls::client::TlsStream;

/// The way to the machine that was dialled, a server or a proxy.
#[derive(Debug)]
pub(crate) enum Leg {
    Tcp(TcpStream),
    /// A socket in the file system.
    Unix(UnixStream),
    /// To a proxy that is spoken to over TLS.
    Tls(Box<TlsStream<TcpStream>>),
}

/// A connection to a server, directly or through a proxy.
#[derive(Debug)]
pub struct Stream {
    wire: Wire,
    is_forwarded: bool,
    /// Of what of the TLS files the connection was made.
    generation: Option<u64>,
}

#[derive(Debug)]
enum Wire {
    Plain(Leg),
    Tls(Box<TlsStream<Leg>>),
}

impl Stream {
    pub(crate) fn plain(leg: Leg, is_forwarded: bool, generation: Option<u64>) -> Self {
        Stream { wire: Wire::Plain(leg), is_forwarded, generation }
    }

    pub(crate) fn secured(stream: TlsStream<Leg>, generation: u64) -> Self {
        Stream { wire: Wire::Tls(Box::new(stream)), is_forwarded: false, generation: Some(generation) }
    }

    /// Whether both sides agreed on HTTP/2.
    pub fn is_http2(&self) -> bool {
        matches!(&self.wire, Wire::Tls(stream) if stream.get_ref().1.alpn_protocol() == Some(b"h2"))
    }

    /// Whether a proxy reads the requests: they name the whole URL.
    pub fn is_forwarded(&self) -> bool {
        self.is_forwarded
    }

    /// The count of TLS configurations when the connection was made; none where it isn't secured.
    pub fn generation(&self) -> Option<u64> {
        self.generation
    }
}

impl Connection for Stream {
    fn connected(&self) -> Connected {
        let connected = Connected::new().proxy(self.is_forwarded);
        if self.is_http2() { connected.negotiated_h2() } else { connected }
    }
}

/// Does the same with whatever a stream is.
macro_rules! each {
    ($value:expr, $stream:ident => $what:expr) => {
        match $value {
            Wire::Plain(Leg::Tcp($stream)) => $what,
            Wire::Plain(Leg::Unix($stream)) => $what,
            Wire::Plain(Leg::Tls($stream)) => $what,
            Wire::Tls($stream) => $what,
        }
    };
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.wire, stream => Pin::new(stream).poll_read(cx, buf))
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        each!(&mut self.wire, stream => Pin::new(stream).poll_write(cx, buf))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.wire, stream => Pin::new(stream).poll_flush(cx))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        each!(&mut self.wire, stream => Pin::new(stream).poll_shutdown(cx))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        each!(&mut self.wire, stream => Pin::new(stream).poll_write_vectored(cx, bufs))
    }

    fn is_write_vectored(&self) -> bool {
        each!(&self.wire, stream => stream.is_write_vectored())
    }
}

impl AsyncRead for Leg {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Leg::Tcp(stream) => Pin::new(stream).poll_read(cx, buf),
            Leg::Unix(stream) => Pin::new(stream).poll_read(cx, buf),
            Leg::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Leg {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Leg::Tcp(stream) => Pin::new(stream).poll_write(cx, buf),
            Leg::Unix(stream) => Pin::new(stream).poll_write(cx, buf),
            Leg::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Leg::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Leg::Unix(stream) => Pin::new(stream).poll_flush(cx),
            Leg::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Leg::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Leg::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
            Leg::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
