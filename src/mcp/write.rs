//! Messages written around values that are JSON already.

use bytes::Bytes;

use crate::mcp::{
    Pieces, Raw,
    object::Object,
    pieces::{Output, Writer},
};

/// Returns the answer that carries this result.
pub fn response(id: Raw<'_>, result: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(around(id) + result.len());
    write_response(&mut out, id, |out| out.own(result));
    out.into()
}

/// Returns the answer that carries a result as it was edited; large values in it are shared with the message it came in.
pub(super) fn response_of(id: Raw<'_>, result: &Object<'_>, source: &Bytes) -> Pieces {
    let mut out = Writer::new(source, around(id) + result.bytes_max());
    write_response(&mut out, id, |out| result.write(out));
    out.end()
}

/// Returns how much room an answer needs around its result.
fn around(id: Raw<'_>) -> usize {
    40 + id.get().len()
}

fn write_response<O: Output>(out: &mut O, id: Raw<'_>, result: impl FnOnce(&mut O)) {
    out.own(br#"{"jsonrpc":"2.0","id":"#);
    out.own(id.as_bytes());
    out.own(br#","result":"#);
    result(out);
    out.own(b"}");
}

/// Returns a request of our own; `params` is a JSON object, left out if empty.
pub fn request(id: u64, method: &str, params: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(64 + method.len() + params.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    unsigned(&mut out, id);
    method_and_params(&mut out, method, params);
    out.into()
}

/// Returns a request under an id that is JSON already; `params` is a JSON object, left out if empty.
pub fn request_as(id: Raw<'_>, method: &str, params: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(64 + id.get().len() + method.len() + params.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    out.extend_from_slice(id.as_bytes());
    method_and_params(&mut out, method, params);
    out.into()
}

/// Returns a notification; `params` is a JSON object, left out if empty.
pub fn notification(method: &str, params: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(48 + method.len() + params.len());
    out.extend_from_slice(br#"{"jsonrpc":"2.0""#);
    method_and_params(&mut out, method, params);
    out.into()
}

fn method_and_params(out: &mut Vec<u8>, method: &str, params: &[u8]) {
    out.extend_from_slice(br#","method":"#);
    string(out, method);
    if !params.is_empty() {
        out.extend_from_slice(br#","params":"#);
        out.extend_from_slice(params);
    }
    out.push(b'}');
}

/// Appends a text as a JSON string.
pub fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a string can be written to memory");
}

/// Returns a text as a JSON string.
pub fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string can be written to memory")
}

/// Appends a whole number.
pub fn integer(out: &mut Vec<u8>, number: i64) {
    if number < 0 {
        out.push(b'-');
    }
    unsigned(out, number.unsigned_abs());
}

/// Appends a whole number that is not negative.
pub fn unsigned(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + u8::try_from(number % 10).expect("a digit is below ten");
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[first..]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for number in [0, 1, -1, 9, 10, -32601, i64::MAX, i64::MIN] {
            let mut out = Vec::new();
            integer(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }

    #[test]
    fn a_request_without_parameters_has_no_params_member() {
        assert_eq!(request(7, "ping", b""), r#"{"jsonrpc":"2.0","id":7,"method":"ping"}"#);
        assert_eq!(
            notification("notifications/x", b"{}"),
            r#"{"jsonrpc":"2.0","method":"notifications/x","params":{}}"#
        );
    }
}
