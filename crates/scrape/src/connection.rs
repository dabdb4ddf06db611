//! The connection to a target: kept from scrape to scrape, and moved on by the one who waits for its answer.
//!
//! A pooled client has a task of its own for each connection, so that a request goes to that task, its answer comes back, and
//! each piece of the body comes back, with a turn of the scheduler each time. Here the scrape is the only task. That holds for
//! HTTP/2 as well, which has one request at a time here.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;

use bytes::Bytes;
use config::chain;
use http_body_util::{BodyExt, Empty};
use http_client::{Connector, Stream, is_same_origin};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use url::Url;

/// So much is read at once, and the head of an answer may not be longer. The buffer is there only while a scrape is under way.
const READ_BYTES: usize = 64 << 10;
/// So much of an answer over HTTP/2 may wait to be read.
const WINDOW_BYTES: u32 = 1 << 20;

/// A connection between two scrapes. One of HTTP/1.1 is only the stream, without buffers.
pub(crate) struct Resting {
    /// Where it leads: scheme, host and port.
    origin: Url,
    generation: Option<u64>,
    is_forwarded: bool,
    wire: Wire,
}

enum Wire {
    Http1(Stream),
    Http2(Box<Http2>),
}

/// A connection that is in use.
pub(crate) struct Connection {
    origin: Url,
    generation: Option<u64>,
    is_forwarded: bool,
    way: Way,
}

#[expect(clippy::large_enum_variant, reason = "a box for HTTP/1.1 would be an allocation per scrape")]
enum Way {
    Http1(Http1),
    Http2(Box<Http2>),
}

struct Http1 {
    sender: http1::SendRequest<Empty<Bytes>>,
    driver: Driver<http1::Connection<TokioIo<Stream>, Empty<Bytes>>>,
}

/// In a box, because few targets speak it and all have room for what they might.
struct Http2 {
    sender: h2::client::SendRequest<Bytes>,
    driver: Driver<h2::client::Connection<Stream>>,
}

/// The body of an answer.
pub(crate) enum Body {
    Http1(Incoming),
    Http2(h2::RecvStream),
}

/// What moves a connection.
struct Driver<C> {
    connection: C,
    is_over: bool,
}

impl<C: Future + Unpin> Driver<C> {
    fn new(connection: C) -> Self {
        Driver { connection, is_over: false }
    }

    /// Waits for `future`, which needs the connection to move.
    async fn drive<F: Future>(&mut self, future: F) -> F::Output {
        let mut future = pin!(future);
        poll_fn(|context| {
            if let Poll::Ready(output) = future.as_mut().poll(context) {
                return Poll::Ready(output);
            }
            if !self.is_over {
                // Its errors reach the future, too.
                self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
            }
            future.as_mut().poll(context)
        })
        .await
    }

    /// Takes in what has come, and tells whether the other side still is there.
    async fn is_open(&mut self) -> bool {
        poll_fn(|context| {
            if !self.is_over {
                self.is_over = Pin::new(&mut self.connection).poll(context).is_ready();
            }
            Poll::Ready(!self.is_over)
        })
        .await
    }
}

impl Connection {
    /// Connects to the host of `url`.
    pub(crate) async fn open(connector: &Connector, url: &Url) -> Result<Self, String> {
        // In a box, so that the task of a target doesn't keep room for handshakes.
        let stream = Box::pin(connector.connect(url)).await.map_err(|e| chain(&e))?;
        let (generation, is_forwarded) = (stream.generation(), stream.is_forwarded());
        let way = if stream.is_http2() { http2(stream).await? } else { http1(stream).await.map_err(|e| chain(&e))? };
        Ok(Connection { origin: url.clone(), generation, is_forwarded, way })
    }

    /// Takes up a connection again, if it still leads to the host of `url`: the other side may have closed it meanwhile.
    pub(crate) async fn resume(resting: Resting, url: &Url) -> Option<Self> {
        if !is_same_origin(&resting.origin, url) {
            return None;
        }
        let way = match resting.wire {
            Wire::Http1(stream) => http1(stream).await.ok()?,
            Wire::Http2(http2) => Way::Http2(http2),
        };
        let Resting { origin, generation, is_forwarded, .. } = resting;
        let mut connection = Connection { origin, generation, is_forwarded, way };
        connection.is_usable().await.then_some(connection)
    }

    /// Puts the connection to rest after an answer that was read to its end, if it leads to the host of `url` and the other
    /// side wants to keep it.
    pub(crate) async fn rest(mut self, url: &Url) -> Option<Resting> {
        if !is_same_origin(&self.origin, url) || !self.is_usable().await {
            return None;
        }
        let wire = match self.way {
            Way::Http1(http1) => {
                let parts = http1.driver.connection.into_parts();
                parts.read_buf.is_empty().then_some(Wire::Http1(parts.io.into_inner()))?
            }
            Way::Http2(http2) => Wire::Http2(http2),
        };
        Some(Resting { origin: self.origin, generation: self.generation, is_forwarded: self.is_forwarded, wire })
    }

    /// Whether requests name the whole URL: a proxy reads them, or they are written in HTTP/2.
    pub(crate) fn wants_whole_url(&self) -> bool {
        self.is_forwarded || self.is_http2()
    }

    /// Whether HTTP/2 is spoken.
    pub(crate) fn is_http2(&self) -> bool {
        matches!(self.way, Way::Http2(_))
    }

    /// Whether another request can be sent.
    async fn is_usable(&mut self) -> bool {
        match &mut self.way {
            Way::Http1(Http1 { sender, driver }) => driver.is_open().await && sender.is_ready(),
            Way::Http2(http2) => {
                let Http2 { sender, driver } = &mut **http2;
                driver.is_open().await
                    && poll_fn(|context| Poll::Ready(matches!(sender.poll_ready(context), Poll::Ready(Ok(()))))).await
            }
        }
    }

    /// Sends a request and waits for the head of the answer.
    pub(crate) async fn send(&mut self, request: Request<Empty<Bytes>>) -> Result<Response<Body>, String> {
        match &mut self.way {
            Way::Http1(Http1 { sender, driver }) => {
                let sending = async {
                    sender.ready().await?;
                    sender.send_request(request).await
                };
                driver.drive(sending).await.map(|answer| answer.map(Body::Http1)).map_err(|e| failed(&e))
            }
            Way::Http2(http2) => {
                let Http2 { sender, driver } = &mut **http2;
                let sending = async {
                    poll_fn(|context| sender.poll_ready(context)).await?;
                    let (answer, _) = sender.send_request(request.map(|_| ()), true)?;
                    answer.await
                };
                driver.drive(sending).await.map(|answer| answer.map(Body::Http2)).map_err(|e| chain(&e))
            }
        }
    }

    /// Waits for `reading`, which reads the body of an answer.
    pub(crate) async fn read<F: Future>(&mut self, reading: F) -> F::Output {
        match &mut self.way {
            Way::Http1(http1) => http1.driver.drive(reading).await,
            Way::Http2(http2) => http2.driver.drive(reading).await,
        }
    }
}

impl Resting {
    /// The count of TLS configurations when it was made.
    pub(crate) fn generation(&self) -> Option<u64> {
        self.generation
    }
}

impl Body {
    /// The next piece.
    pub(crate) async fn next(&mut self) -> Option<Result<Bytes, String>> {
        match self {
            Body::Http1(body) => loop {
                match body.frame().await? {
                    Err(e) => return Some(Err(chain(&e))),
                    Ok(frame) => {
                        if let Ok(piece) = frame.into_data() {
                            return Some(Ok(piece));
                        }
                    }
                }
            },
            Body::Http2(body) => match body.data().await? {
                Err(e) => Some(Err(chain(&e))),
                Ok(piece) => {
                    // Makes room for as much again; fails only if more is given back than was taken.
                    let _ = body.flow_control().release_capacity(piece.len());
                    Some(Ok(piece))
                }
            },
        }
    }
}

async fn http1(stream: Stream) -> hyper::Result<Way> {
    let mut builder = http1::Builder::new();
    let (sender, connection) = builder.read_buf_exact_size(Some(READ_BYTES)).handshake(TokioIo::new(stream)).await?;
    Ok(Way::Http1(Http1 { sender, driver: Driver::new(connection) }))
}

async fn http2(stream: Stream) -> Result<Way, String> {
    let mut builder = h2::client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(WINDOW_BYTES)
        .initial_connection_window_size(WINDOW_BYTES)
        .max_header_list_size(READ_BYTES as u32);
    let (sender, connection) = builder.handshake(stream).await.map_err(|e| chain(&e))?;
    Ok(Way::Http2(Box::new(Http2 { sender, driver: Driver::new(connection) })))
}

/// What was wrong with an answer over HTTP/1.1.
fn failed(error: &hyper::Error) -> String {
    match error.is_parse_too_large() {
        true => format!("the head of the answer has more than {READ_BYTES} bytes or 100 headers"),
        false => chain(error),
    }
}
