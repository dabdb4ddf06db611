//! The network of the simulation: HTTP over connections of `turmoil`, which break, and change what they carry, when their link is bad.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use async_trait::async_trait;
use axum::http::{Request, Uri};
use config::{HttpClientConfig, HttpClientError};
use federation::{HttpClient, Network, RequestError};
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{Connected, Connection};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};
use tower_service::Service;
use turmoil::net::TcpStream;

use crate::random::Random;

/// Where every host listens.
pub(crate) const PORT: u16 = 9090;

/// What happened on the links, counted.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) connections: AtomicU64,
    pub(crate) cut: AtomicU64,
    pub(crate) changed: AtomicU64,
    pub(crate) late: AtomicU64,
}

fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

/// The way from a global to a host that it asks.
#[derive(Debug)]
pub(crate) struct Link {
    is_bad: AtomicBool,
    seed: u64,
}

impl Link {
    pub(crate) fn new(seed: u64) -> Self {
        Link { is_bad: AtomicBool::new(false), seed }
    }

    pub(crate) fn set_bad(&self, is_bad: bool) {
        self.is_bad.store(is_bad, Ordering::Relaxed);
    }

    /// What happens now. It depends on the moment alone: one piece more or less changes nothing of what happens later.
    fn now(&self) -> Random {
        Random::new(self.seed.wrapping_add(moment() << 20))
    }
}

/// Milliseconds since the simulation began.
fn moment() -> u64 {
    turmoil::sim_elapsed().and_then(|elapsed| u64::try_from(elapsed.as_millis()).ok()).unwrap_or_default()
}

/// A connection that passes on bytes in pieces. On a bad link it is cut now and then, and a bit is another one.
pub(crate) struct Wire {
    inner: TcpStream,
    link: Option<(Arc<Link>, Arc<Counts>)>,
    random: Random,
    /// When the last piece came, and how many came at that moment.
    moment: (u64, u64),
    piece: usize,
    is_cut: bool,
}

/// What becomes of a piece.
enum Fate {
    Passes,
    Changed,
    /// So many of its bytes are the last.
    Cut(usize),
}

impl Wire {
    /// The end of who was called: what it writes comes in small packets.
    pub(crate) fn accepted(inner: TcpStream) -> Self {
        Wire { inner, link: None, random: Random::new(0), moment: (0, 0), piece: 700, is_cut: false }
    }

    fn calling(inner: TcpStream, link: Arc<Link>, counts: Arc<Counts>) -> Self {
        let mut random = link.now();
        let piece = random.pick(&[64, 500, 4000]);
        Wire { inner, link: Some((link, counts)), random, moment: (0, 0), piece, is_cut: false }
    }

    fn fate(&mut self, bytes: usize) -> Fate {
        let Some((link, counts)) = &self.link else { return Fate::Passes };
        if !link.is_bad.load(Ordering::Relaxed) || bytes == 0 {
            return Fate::Passes;
        }
        let now = moment();
        self.moment = (now, if self.moment.0 == now { self.moment.1 + 1 } else { 0 });
        self.random = Random::new(link.now().next().wrapping_add(self.moment.1));
        match self.random.below(16) {
            0 => {
                count(&counts.changed);
                Fate::Changed
            }
            1 => {
                count(&counts.cut);
                Fate::Cut(self.random.below(bytes as u64) as usize)
            }
            _ => Fate::Passes,
        }
    }

    fn change(&mut self, bytes: &mut [u8]) {
        let at = self.random.below(bytes.len() as u64) as usize;
        bytes[at] ^= 1 << self.random.below(8);
    }
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.is_cut {
            // As a connection ends, or as it breaks.
            let is_end = this.random.one_in(2);
            return Poll::Ready(if is_end { Ok(()) } else { Err(io::ErrorKind::ConnectionReset.into()) });
        }
        let mut bytes = vec![0; this.piece.min(buf.remaining())];
        let mut piece = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut this.inner).poll_read(cx, &mut piece))?;
        let read = piece.filled().len();
        let bytes = &mut bytes[..read];
        match this.fate(read) {
            Fate::Passes => buf.put_slice(bytes),
            Fate::Changed => {
                this.change(bytes);
                buf.put_slice(bytes);
            }
            Fate::Cut(kept) => {
                this.is_cut = true;
                buf.put_slice(&bytes[..kept]);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        if this.is_cut {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let mut piece = bytes[..bytes.len().min(this.piece)].to_vec();
        match this.fate(piece.len()) {
            Fate::Passes => {}
            Fate::Changed => this.change(&mut piece),
            Fate::Cut(_) => {
                this.is_cut = true;
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
        }
        Pin::new(&mut this.inner).poll_write(cx, &piece)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().inner).poll_shutdown(cx)
    }
}

impl Connection for Wire {
    fn connected(&self) -> Connected {
        Connected::new()
    }
}

/// The links of a global, by the names of hosts.
pub(crate) type Links = Arc<BTreeMap<&'static str, Arc<Link>>>;

/// The network as a global sees it.
#[derive(Clone)]
pub(crate) struct SimNetwork {
    pub(crate) links: Links,
    pub(crate) counts: Arc<Counts>,
}

impl Network for SimNetwork {
    fn client(&self, _http: &HttpClientConfig, timeout: Duration) -> Result<Arc<dyn HttpClient>, HttpClientError> {
        let client = Client::builder(TokioExecutor::new()).build(Connector(self.clone()));
        Ok(Arc::new(SimClient { client, timeout, counts: self.counts.clone() }))
    }
}

struct SimClient {
    client: Client<Connector, reqwest::Body>,
    timeout: Duration,
    counts: Arc<Counts>,
}

#[async_trait]
impl HttpClient for SimClient {
    async fn execute(&self, request: reqwest::Request) -> Result<reqwest::Response, RequestError> {
        let deadline = Instant::now() + self.timeout;
        let request = Request::try_from(request)?;
        let answered = timeout_at(deadline, self.client.request(request)).await;
        let response = answered.inspect_err(|_| count(&self.counts.late))??;
        let timed = |body| Timed { body, deadline: Box::pin(sleep_until(deadline)) };
        Ok(response.map(timed).map(reqwest::Body::wrap).into())
    }
}

#[derive(Clone)]
struct Connector(SimNetwork);

impl Service<Uri> for Connector {
    type Response = TokioIo<Wire>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<TokioIo<Wire>>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let SimNetwork { links, counts } = self.0.clone();
        Box::pin(async move {
            let host = uri.host().unwrap_or_default();
            let link = links.get(host).ok_or(io::ErrorKind::HostUnreachable)?.clone();
            count(&counts.connections);
            let stream = TcpStream::connect((host, PORT)).await?;
            Ok(TokioIo::new(Wire::calling(stream, link, counts)))
        })
    }
}

/// A body that must have come by its deadline.
struct Timed {
    body: Incoming,
    deadline: Pin<Box<Sleep>>,
}

impl Body for Timed {
    type Data = Bytes;
    type Error = RequestError;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, RequestError>>> {
        let this = self.get_mut();
        if this.deadline.as_mut().poll(cx).is_ready() {
            return Poll::Ready(Some(Err("the body took too long".into())));
        }
        Pin::new(&mut this.body).poll_frame(cx).map_err(Into::into)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
