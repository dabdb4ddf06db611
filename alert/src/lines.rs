//! A value as a line of text with a checksum: what the journal and the messages between peers are made of.

use serde::Serialize;
use serde::de::DeserializeOwned;

/// Appends a line: the CRC-32C of the JSON in eight hex digits, a space, the JSON, a line feed.
pub(crate) fn write<T: Serialize>(value: &T, out: &mut Vec<u8>) {
    let json = serde_json::to_string(value).expect("a tree of texts and numbers, which JSON can hold");
    out.extend(format!("{:08x} {json}\n", crc32c::crc32c(json.as_bytes())).into_bytes());
}

/// Reads a line with its line feed. `None`: it is cut, damaged, or not what was asked for.
pub(crate) fn read<T: DeserializeOwned>(line: &[u8]) -> Option<T> {
    let line = std::str::from_utf8(line.strip_suffix(b"\n")?).ok()?;
    let (checksum, json) = line.split_once(' ')?;
    (u32::from_str_radix(checksum, 16).ok()? == crc32c::crc32c(json.as_bytes())).then_some(())?;
    serde_json::from_str(json).ok()
}
