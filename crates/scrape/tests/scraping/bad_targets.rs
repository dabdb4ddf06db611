//! Targets that break the rules: each fails as a whole, says why, holds nothing up and costs little.

use std::io::Write;
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::server::{Answer, Server};
use crate::world::{World, configs, series};

/// What a bomb would be if it went off.
const BOMB_BYTES: usize = 512 << 20;
/// What the process may grow by while targets misbehave; other tests run beside this one.
const GROWTH_BYTES_MAX: usize = 256 << 20;

const HEAD: &str = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n";

/// Scrapes a bad target and a good one of the same job. The bad one is down with `want` as its reason and nothing of it is
/// stored; the good one is up at each scrape meanwhile.
async fn check(address: &str, words: &str, want: &str) {
    let (world, good) = (World::new(), Server::start(Answer::text("a 1\n")).await);
    let before = resident_bytes("VmRSS");
    let both = format!(
        "job_name: j\nscrape_interval: 500ms\nscrape_timeout: 400ms\nstatic_configs: [{{targets: ['{}', '{address}']}}]\n{words}",
        good.address
    );
    world.manager.apply(configs(&[both]), &model::Labels::empty()).await.expect("applied");
    let (up, down) = (series("up", "", &good.address), series("up", "", address));
    world.store.wait(|s| (s.samples(&up).len() >= 3 && s.samples(&down).len() >= 3).then_some(())).await;
    for (name, value) in [(&up, 1.0), (&down, 0.0)] {
        assert!(world.store.samples(name).iter().all(|(_, seen)| *seen == value), "{name} for {want}");
    }
    let stored = world.store.series();
    let of_bad = stored.iter().filter(|labels| labels.contains(address));
    assert!(of_bad.clone().all(|labels| labels.starts_with("up{") || labels.starts_with("scrape_")), "{stored:?}");
    let active = world.manager.targets().active;
    let bad = active.iter().find(|target| target.discovered_labels.value("__address__") == address).expect("a target");
    assert!(bad.last_error.contains(want), "want {want:?}, got {:?}", bad.last_error);
    let growth = resident_bytes("VmHWM").saturating_sub(before);
    assert!(growth < GROWTH_BYTES_MAX, "{want}: {growth} bytes more");
    world.manager.shutdown().await;
}

/// What the process has in memory, now (`VmRSS`) or at most so far (`VmHWM`).
fn resident_bytes(which: &str) -> usize {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix(which)?.strip_prefix(':')).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") << 10
}

/// A server that does something of its own with each request; it ends when this is dropped.
struct Bad {
    address: String,
    task: JoinHandle<()>,
}

impl Bad {
    async fn start<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> Bad
    where
        F: Future<Output = std::io::Result<()>> + Send + 'static,
    {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address").to_string();
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                while !request.ends_with(b"\r\n\r\n") && stream.read_buf(&mut request).await.is_ok_and(|read| read > 0)
                {
                }
                serving.spawn(act(stream));
            }
        });
        Bad { address, task }
    }

    /// Sends this, then the end of the connection.
    async fn sending(bytes: Vec<u8>) -> Bad {
        Bad::start(move |mut stream| {
            let bytes = bytes.clone();
            async move { stream.write_all(&bytes).await }
        })
        .await
    }

    /// Sends a beginning, then the same again and again with a pause in between.
    async fn endless(beginning: String, piece: Vec<u8>, pause: Duration) -> Bad {
        Bad::start(move |mut stream| {
            let (beginning, piece) = (beginning.clone(), piece.clone());
            async move {
                stream.write_all(beginning.as_bytes()).await?;
                loop {
                    stream.write_all(&piece).await?;
                    tokio::time::sleep(pause).await;
                }
            }
        })
        .await
    }
}

impl Drop for Bad {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn with_body(encoding: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("{HEAD}Content-Encoding: {encoding}\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// Many zero lines, without ever having them in memory.
fn written(mut encoder: impl Write) {
    let lines = vec![b'\n'; 1 << 20];
    for _ in 0..BOMB_BYTES / lines.len() {
        encoder.write_all(&lines).expect("compressed");
    }
    encoder.flush().expect("flushed");
}

#[tokio::test]
async fn bombs_do_not_go_off() {
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    written(&mut gzip);
    let gzip = Bad::sending(with_body("gzip", &gzip.finish().expect("compressed"))).await;
    let limit = "body_size_limit: 1MB";
    check(&gzip.address, limit, "more than the 1048576 bytes of body_size_limit").await;

    let mut zstd = zstd::stream::write::Encoder::new(Vec::new(), 1).expect("an encoder");
    written(&mut zstd);
    let zstd = Bad::sending(with_body("zstd", &zstd.finish().expect("compressed"))).await;
    check(&zstd.address, limit, "more than the 1048576 bytes of body_size_limit").await;
}

#[tokio::test]
async fn a_window_as_large_as_memory_is_refused() {
    // Magic number, a head that only tells the window's size (2 GiB), a last raw block of four bytes.
    let frame = b"\x28\xb5\x2f\xfd\x00\xa8\x21\x00\x00a 1\n";
    let server = Bad::sending(with_body("zstd", frame)).await;
    check(&server.address, "", "cannot decompress the body: Frame requires too much memory for decoding").await;
}

#[tokio::test]
async fn half_of_a_body_is_none() {
    let broken = "the body broke off";
    let server = Bad::sending(format!("{HEAD}Content-Length: 9\r\n\r\na 1\n").into_bytes()).await;
    check(&server.address, "", broken).await;
    let server = Bad::sending(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n4\r\na 1\n\r\n").into_bytes()).await;
    check(&server.address, "", broken).await;
    let server = Bad::sending(format!("{HEAD}Transfer-Encoding: chunked\r\n\r\nzz\r\na 1\n\r\n").into_bytes()).await;
    check(&server.address, "", broken).await;
    let packed = zstd::encode_all(&b"a 1\n"[..], 3).expect("compressed");
    let server = Bad::sending(with_body("zstd", &packed[..packed.len() - 1])).await;
    check(&server.address, "", "cannot decompress the body: unexpected end of file").await;
    let server = Bad::sending(with_body("zstd", b"a 1\n")).await;
    check(&server.address, "", "cannot decompress the body: ").await;
}

#[tokio::test]
async fn a_reset_connection_fails_the_scrape() {
    let server = Bad::start(|mut stream| async move {
        stream.write_all(format!("{HEAD}Content-Length: 9\r\n\r\na 1\n").as_bytes()).await?;
        stream.set_zero_linger()
    })
    .await;
    check(&server.address, "", "broke off").await;
    let server = Bad::start(|stream| async move { stream.set_zero_linger() }).await;
    check(&server.address, "", "GET http://").await;
}

#[tokio::test]
async fn a_wrong_length_is_not_believed() {
    // What follows the body isn't an answer to anything.
    let server = Bad::sending(format!("{HEAD}Content-Length: 2\r\n\r\na 1\nb 2\n").into_bytes()).await;
    check(&server.address, "", "line 1").await;
    let server = Bad::sending(format!("{HEAD}Content-Length: 99999999999999999999\r\n\r\na 1\n").into_bytes()).await;
    check(&server.address, "", "GET http://").await;
    let two = format!("{HEAD}Content-Length: 4\r\nContent-Length: 5\r\n\r\na 1\n");
    check(&Bad::sending(two.into_bytes()).await.address, "", "GET http://").await;
}

#[tokio::test]
async fn what_never_ends_ends_with_the_timeout() {
    let timeout = "the scrape took longer than its timeout of 400ms";
    let chunked = format!("{HEAD}Transfer-Encoding: chunked\r\n\r\n");
    let slow = Bad::endless(chunked.clone(), b"1\r\n#\r\n".to_vec(), Duration::from_millis(50)).await;
    check(&slow.address, "", timeout).await;
    let slow_head = Bad::endless("HTTP/1.1 200 OK\r\nX: ".to_owned(), b"x".to_vec(), Duration::from_millis(50)).await;
    check(&slow_head.address, "", timeout).await;
    let silent = Bad::endless(String::new(), Vec::new(), Duration::from_secs(1)).await;
    check(&silent.address, "", timeout).await;
    // As fast as it can: the limit comes first.
    let piece = [format!("{:x}\r\n", 1 << 16).as_bytes(), &[b'\n'; 1 << 16], b"\r\n"].concat();
    let fast = Bad::endless(chunked, piece, Duration::ZERO).await;
    check(&fast.address, "body_size_limit: 1MB", "more than the 1048576 bytes of body_size_limit").await;
}

#[tokio::test]
async fn a_million_labels_are_too_many() {
    let labels: Vec<String> = (0..1_000_000).map(|i| format!("l{i}=\"\"")).collect();
    let long = "x".repeat(2 << 20);
    for line in [format!("m{{{}}} 1\n", labels.join(",")), format!("m{{l=\"{long}\"}} 1\n"), format!("{long} 1\n")] {
        let server = Server::start(Answer::text(&line)).await;
        check(&server.address, "", "bytes, more than 1048576").await;
    }
}

#[tokio::test]
async fn heads_without_end_are_bounded() {
    let want = "the head of the answer has more than 65536 bytes or 100 headers";
    let long = Bad::endless("HTTP/1.1 200 OK\r\nX: ".to_owned(), vec![b'x'; 1 << 16], Duration::ZERO).await;
    check(&long.address, "", want).await;
    let many = Bad::endless("HTTP/1.1 200 OK\r\n".to_owned(), b"X: y\r\n".repeat(1000), Duration::ZERO).await;
    check(&many.address, "", want).await;
}
