//! A target: an HTTP/1.1 server that answers as it is told.

use std::sync::Arc;

use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

#[derive(Clone)]
pub(crate) enum Answer {
    /// A good exposition.
    Text(String),
    /// These bytes, then the end of the connection.
    Raw(Vec<u8>),
    /// These bytes, then nothing more.
    Stall(Vec<u8>),
    /// Nothing, ever.
    Silence,
}

impl Answer {
    pub(crate) fn text(text: &str) -> Answer {
        Answer::Text(text.to_owned())
    }

    /// An answer with these header lines and this body.
    pub(crate) fn with(head: &str, body: &[u8]) -> Answer {
        let mut raw = format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\n\r\n", body.len()).into_bytes();
        raw.extend_from_slice(body);
        Answer::Raw(raw)
    }
}

pub(crate) struct Server {
    pub(crate) address: String,
    answer: Arc<Mutex<Answer>>,
    requests: Arc<Mutex<Vec<String>>>,
    connections: Arc<Mutex<usize>>,
    task: tokio::task::JoinHandle<()>,
}

impl Server {
    pub(crate) async fn start(answer: Answer) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (answer, requests) = (Arc::new(Mutex::new(answer)), Arc::new(Mutex::new(Vec::new())));
        let connections = Arc::new(Mutex::new(0));
        let (shared_answer, shared_requests, count) = (answer.clone(), requests.clone(), connections.clone());
        let task = tokio::spawn(async move {
            let mut serving = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                *count.lock() += 1;
                serving.spawn(serve(stream, shared_answer.clone(), shared_requests.clone()));
            }
        });
        Server { address, answer, requests, connections, task }
    }

    pub(crate) fn answer(&self, answer: Answer) {
        *self.answer.lock() = answer;
    }

    /// The last request, head only.
    pub(crate) fn last_request(&self) -> String {
        self.requests.lock().last().cloned().unwrap_or_default()
    }

    pub(crate) fn connection_count(&self) -> usize {
        *self.connections.lock()
    }

    /// Stops listening and cuts all connections.
    pub(crate) async fn stop(self) {
        self.task.abort();
        let _ = self.task.await;
    }
}

async fn serve(mut stream: TcpStream, answer: Arc<Mutex<Answer>>, requests: Arc<Mutex<Vec<String>>>) {
    let mut received = Vec::new();
    loop {
        while !received.ends_with(b"\r\n\r\n") {
            match stream.read_buf(&mut received).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        requests.lock().push(String::from_utf8_lossy(&received).into_owned());
        received.clear();
        let answer = answer.lock().clone();
        let bytes = match &answer {
            Answer::Text(text) => {
                let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: ";
                format!("{head}{}\r\n\r\n{text}", text.len()).into_bytes()
            }
            Answer::Raw(bytes) | Answer::Stall(bytes) => bytes.clone(),
            Answer::Silence => std::future::pending().await,
        };
        let stalls = matches!(answer, Answer::Stall(_));
        if stream.write_all(&bytes).await.is_err() || matches!(answer, Answer::Raw(_)) {
            return;
        }
        if stalls {
            std::future::pending::<()>().await;
        }
    }
}
