//! A name server on loopback, by UDP.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use discovery::Dns;
use hickory_resolver::proto::op::{Message, OpCode, ResponseCode};
use hickory_resolver::proto::rr::rdata::SRV;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use tokio::net::UdpSocket;

/// What is answered for a name and a kind of records; any other name doesn't exist.
type Zone = HashMap<(String, RecordType), Result<Vec<RData>, ResponseCode>>;

pub(crate) struct NameServer {
    address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
}

impl NameServer {
    pub(crate) async fn start() -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").await.expect("a free port");
        let (address, zone) = (socket.local_addr().expect("an address"), Arc::new(Mutex::new(Zone::new())));
        let known = zone.clone();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            while let Ok((len, asker)) = socket.recv_from(&mut buffer).await {
                let question = Message::from_vec(&buffer[..len]).expect("a question");
                let answer = answer(&question, &known.lock().expect("no panic"));
                let _ = socket.send_to(&answer.to_vec().expect("an answer"), asker).await;
            }
        });
        NameServer { address, zone }
    }

    /// Asks this server.
    pub(crate) fn dns(&self) -> Dns {
        Dns::of_server(self.address)
    }

    /// Answers with these records from now on.
    pub(crate) fn set(&self, name: &str, kind: RecordType, records: Vec<RData>) {
        self.zone.lock().expect("no panic").insert((name.to_owned(), kind), Ok(records));
    }

    /// Answers with an error from now on.
    pub(crate) fn fail(&self, name: &str, kind: RecordType) {
        self.zone.lock().expect("no panic").insert((name.to_owned(), kind), Err(ResponseCode::ServFail));
    }
}

fn answer(question: &Message, zone: &Zone) -> Message {
    let mut answer = Message::response(question.metadata.id, OpCode::Query);
    answer.metadata.recursion_available = true;
    let query = question.queries[0].clone();
    let known = zone.get(&(query.name().to_lowercase().to_utf8(), query.query_type()));
    match known {
        Some(Ok(records)) => {
            let record = |data: &RData| Record::from_rdata(query.name().clone(), 60, data.clone());
            answer.add_answers(records.iter().map(record).collect::<Vec<_>>());
        }
        Some(Err(code)) => answer.metadata.response_code = *code,
        None => answer.metadata.response_code = ResponseCode::NXDomain,
    }
    answer.add_query(query);
    answer
}

pub(crate) fn host(name: &str) -> Name {
    Name::from_utf8(name).expect("a name")
}

pub(crate) fn srv(name: &str, port: u16) -> RData {
    RData::SRV(SRV::new(0, 0, port, host(name)))
}
