//! Writes messages field by field.

pub(crate) type Bytes = Vec<u8>;

fn varint(mut value: u64) -> Bytes {
    let mut out = Vec::new();
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
    out
}

fn field(number: u64, wire: u64, content: Bytes) -> Bytes {
    [varint(number << 3 | wire), content].concat()
}

pub(crate) fn integer(number: u64, value: i64) -> Bytes {
    field(number, 0, varint(value as u64))
}

pub(crate) fn signed(number: u64, value: i64) -> Bytes {
    integer(number, value << 1 ^ value >> 63)
}

pub(crate) fn double(number: u64, value: f64) -> Bytes {
    field(number, 1, value.to_le_bytes().to_vec())
}

pub(crate) fn bytes(number: u64, content: impl AsRef<[u8]>) -> Bytes {
    let content = content.as_ref();
    field(number, 2, [varint(content.len() as u64), content.to_vec()].concat())
}

pub(crate) fn message(number: u64, fields: &[Bytes]) -> Bytes {
    bytes(number, fields.concat())
}

pub(crate) fn family(name: &str, kind: i64, metrics: &[Bytes]) -> Bytes {
    let head = [bytes(1, name), bytes(2, "Help."), integer(3, kind), bytes(5, "units")].concat();
    let body = [head, metrics.concat()].concat();
    [varint(body.len() as u64), body].concat()
}

pub(crate) fn metric(labels: &[(&str, &str)], content: Bytes) -> Bytes {
    message(4, &[label_fields(labels), content])
}

fn label_fields(labels: &[(&str, &str)]) -> Bytes {
    labels.iter().flat_map(|(name, value)| message(1, &[bytes(1, name), bytes(2, value)])).collect()
}

pub(crate) fn exemplar(number: u64, trace: &str, value: f64, seconds: Option<i64>) -> Bytes {
    let time = seconds.map(|seconds| message(3, &[integer(1, seconds)])).unwrap_or_default();
    message(number, &[label_fields(&[("trace_id", trace)]), double(2, value), time])
}

pub(crate) fn bucket(bound: f64, count: i64, exemplar: Bytes) -> Bytes {
    message(3, &[integer(1, count), double(2, bound), exemplar])
}

pub(crate) fn span(number: u64, offset: i64, length: i64) -> Bytes {
    message(number, &[signed(1, offset), integer(2, length)])
}

/// Packed `sint64`.
pub(crate) fn deltas(number: u64, deltas: &[i64]) -> Bytes {
    bytes(number, deltas.iter().flat_map(|delta| varint((delta << 1 ^ delta >> 63) as u64)).collect::<Bytes>())
}
