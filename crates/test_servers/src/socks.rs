//! SOCKS 5 (RFC 1928) with user and password (RFC 1929).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::TcpStream;

use crate::shared::Shared;

const VERSION: u8 = 5;
const NO_PASSWORD: u8 = 0;
const PASSWORD: u8 = 2;

pub(crate) async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let _version = client.read_u8().await?;
    let methods = counted(&mut client).await?;
    let mut who = String::new();
    if methods.contains(&PASSWORD) {
        client.write_all(&[VERSION, PASSWORD]).await?;
        let _version = client.read_u8().await?;
        let (user, password) = (counted(&mut client).await?, counted(&mut client).await?);
        who = format!("{}:{}@", String::from_utf8_lossy(&user), String::from_utf8_lossy(&password));
        client.write_all(&[1, 0]).await?;
    } else {
        client.write_all(&[VERSION, NO_PASSWORD]).await?;
    }
    let mut request = [0; 4];
    client.read_exact(&mut request).await?;
    let host = match request[3] {
        1 => Ipv4Addr::from(client.read_u32().await?).to_string(),
        3 => String::from_utf8_lossy(&counted(&mut client).await?).into_owned(),
        _ => format!("[{}]", Ipv6Addr::from(client.read_u128().await?)),
    };
    let host = format!("{host}:{}", client.read_u16().await?);
    shared.note(&format!("{who}{host}"));
    let mut server = shared.dial(&host).await?;
    client.write_all(&[VERSION, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
    copy_bidirectional(&mut client, &mut server).await.map(|_| ())
}

/// Bytes behind their number.
async fn counted(client: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; usize::from(client.read_u8().await?)];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}
