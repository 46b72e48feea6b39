//! JSON values as the bytes they came in, and walks over what is inside them.

use std::{borrow::Cow, fmt};

use memchr::memchr2;
use serde_json::value::RawValue;

use crate::mcp::scan::{ScanError, Scanner};

/// A JSON value as the bytes it came in: checked, and never written anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The literal `null`.
    pub const NULL: Raw<'static> = Raw("null");

    /// Takes over a text that was checked a moment ago, from its first byte to its last.
    pub(super) fn new(text: &'a str) -> Self {
        Self(text)
    }

    /// Checks a whole text, with white space around it or not.
    pub fn parse(text: &'a str) -> Result<Self, ScanError> {
        let mut scanner = Scanner::new(text);
        let value = scanner.value()?;
        scanner.end()?;
        Ok(value)
    }

    /// Checks a whole body.
    pub fn parse_bytes(body: &'a [u8]) -> Result<Self, ScanError> {
        Self::parse(std::str::from_utf8(body).map_err(|_| ScanError::NotUtf8)?)
    }

    /// Takes over a text that was checked before, or that Doorward wrote.
    ///
    /// Nothing breaks if it was not: methods then return something else than was meant.
    pub fn checked(text: &'a str) -> Self {
        Self(text.trim_matches([' ', '\t', '\n', '\r']))
    }

    /// Takes over what serde has checked.
    pub fn of(value: &'a RawValue) -> Self {
        Self(value.get())
    }

    /// Returns the text, byte for byte.
    pub fn get(self) -> &'a str {
        self.0
    }

    /// Returns the bytes.
    pub fn as_bytes(self) -> &'a [u8] {
        self.0.as_bytes()
    }

    /// Says whether it is an object.
    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    /// Says whether it is an array.
    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    /// Says whether it is a string.
    pub fn is_string(self) -> bool {
        self.0.starts_with('"')
    }

    /// Says whether it is `null`.
    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// Says whether it is a number written without fraction and exponent.
    pub fn is_integer(self) -> bool {
        let digits = self.0.strip_prefix('-').unwrap_or(self.0);
        !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
    }

    /// Says whether it is a number.
    pub fn is_number(self) -> bool {
        self.0.starts_with(|first: char| first == '-' || first.is_ascii_digit())
    }

    /// Returns the text a string stands for; `None` if it is no string, or one with half a
    /// surrogate pair, which stands for no text.
    pub fn as_str(self) -> Option<Cow<'a, str>> {
        let inner = self.0.strip_prefix('"')?.strip_suffix('"')?;
        unescape(inner)
    }

    /// Returns the members of an object in their order; nothing if it is no object.
    pub fn members(self) -> Members<'a> {
        Members { text: self.0, at: if self.is_object() { 1 } else { self.0.len() } }
    }

    /// Returns a member of an object, the last of that name as most readers of JSON do; `None` if
    /// there is none.
    pub fn member(self, name: &str) -> Option<Raw<'a>> {
        self.members().filter(|member| member.is(name)).last().map(|member| member.value)
    }

    /// Returns the elements of an array in their order; nothing if it is no array.
    pub fn elements(self) -> Elements<'a> {
        Elements { text: self.0, at: if self.is_array() { 1 } else { self.0.len() } }
    }

    /// Copies it out of the text it lies in.
    pub fn to_boxed(self) -> Box<RawValue> {
        RawValue::from_string(self.0.to_owned()).expect("a `Raw` was checked when it was made")
    }
}

impl fmt::Debug for Raw<'_> {
    /// Tells the length only: the text may be an argument, which belongs in no log.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Raw({} bytes)", self.0.len())
    }
}

/// One member of an object.
#[derive(Clone, Copy, Debug)]
pub struct Member<'a> {
    /// The name as written between its quotes, escapes and all.
    key: &'a str,
    /// The value.
    pub value: Raw<'a>,
    /// Where the value ends, in bytes from the object's own opening bracket.
    pub(super) end_at: usize,
}

impl<'a> Member<'a> {
    /// Says whether the name is this one.
    pub fn is(&self, name: &str) -> bool {
        self.key == name || (self.key.contains('\\') && unescape(self.key).is_some_and(|key| key == name))
    }

    /// Returns the name.
    pub fn name(&self) -> Cow<'a, str> {
        unescape(self.key).unwrap_or(Cow::Borrowed(self.key))
    }
}

/// Walks over the members of a checked object.
#[derive(Clone, Debug)]
pub struct Members<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let bytes = self.text.as_bytes();
        let key_at = skip_separators(bytes, self.at);
        if *bytes.get(key_at)? != b'"' {
            self.at = bytes.len();
            return None;
        }
        let key_end = skip_checked(bytes, key_at);
        let value_at = skip_separators(bytes, key_end);
        let end_at = skip_checked(bytes, value_at);
        self.at = end_at;
        let key = self.text.get(key_at + 1..key_end - 1)?;
        Some(Member { key, value: Raw(self.text.get(value_at..end_at)?), end_at })
    }
}

/// Walks over the elements of a checked array.
#[derive(Clone, Debug)]
pub struct Elements<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Elements<'a> {
    type Item = Raw<'a>;

    fn next(&mut self) -> Option<Raw<'a>> {
        let bytes = self.text.as_bytes();
        let at = skip_separators(bytes, self.at);
        if matches!(bytes.get(at), None | Some(b']')) {
            self.at = bytes.len();
            return None;
        }
        let end = skip_checked(bytes, at);
        self.at = end;
        Some(Raw(self.text.get(at..end)?))
    }
}

/// Walks over the members of a checked object that is still bytes, so that a large text need not be
/// looked through again only to be a `str`.
#[derive(Clone, Debug)]
pub(super) struct ByteMembers<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> ByteMembers<'a> {
    pub(super) fn of(object: &'a [u8]) -> Self {
        let begins = object.iter().position(|byte| *byte == b'{').map_or(object.len(), |at| at + 1);
        Self { bytes: object, at: begins }
    }
}

/// One member of an object, as bytes.
#[derive(Clone, Copy, Debug)]
pub(super) struct ByteMember<'a> {
    key: &'a [u8],
    pub(super) value: &'a [u8],
    /// Where the name's opening quote is, in bytes from where the text begins.
    pub(super) key_at: usize,
    /// Where the value ends, in bytes from where the text begins.
    pub(super) end_at: usize,
}

impl ByteMember<'_> {
    /// Says whether the name is this one.
    pub(super) fn is(&self, name: &str) -> bool {
        self.key == name.as_bytes()
            || (self.key.contains(&b'\\')
                && std::str::from_utf8(self.key)
                    .is_ok_and(|key| unescape(key).is_some_and(|key| key == name)))
    }
}

impl<'a> Iterator for ByteMembers<'a> {
    type Item = ByteMember<'a>;

    fn next(&mut self) -> Option<ByteMember<'a>> {
        let bytes = self.bytes;
        let key_at = skip_separators(bytes, self.at);
        if *bytes.get(key_at)? != b'"' {
            self.at = bytes.len();
            return None;
        }
        let key_end = skip_checked(bytes, key_at);
        let value_at = skip_separators(bytes, key_end);
        self.at = skip_checked(bytes, value_at);
        let (key, value) = (bytes.get(key_at + 1..key_end - 1)?, bytes.get(value_at..self.at)?);
        Some(ByteMember { key, value, key_at, end_at: self.at })
    }
}

/// Steps over white space, commas and colons of checked JSON.
fn skip_separators(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\t' | b'\n' | b'\r' | b',' | b':')) {
        at += 1;
    }
    at
}

/// Returns where a value of checked JSON ends.
fn skip_checked(bytes: &[u8], start: usize) -> usize {
    match bytes.get(start) {
        Some(b'"') => skip_checked_string(bytes, start),
        Some(b'{' | b'[') => {
            let mut depth = 0_usize;
            let mut at = start;
            while let Some(byte) = bytes.get(at) {
                match byte {
                    b'"' => {
                        at = skip_checked_string(bytes, at);
                        continue;
                    }
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => {
                        depth -= 1;
                        if depth == 0 {
                            return at + 1;
                        }
                    }
                    _ => {}
                }
                at += 1;
            }
            at
        }
        _ => {
            let length = bytes[start..].iter().position(|byte| b" \t\n\r,:]}".contains(byte));
            length.map_or(bytes.len(), |length| start + length)
        }
    }
}

fn skip_checked_string(bytes: &[u8], start: usize) -> usize {
    let mut at = start + 1;
    while let Some(found) = bytes.get(at..).and_then(|rest| memchr2(b'"', b'\\', rest)) {
        at += found;
        if bytes[at] == b'"' {
            return at + 1;
        }
        at += 2;
    }
    bytes.len()
}

/// Reads the escapes of a checked string; `None` for half a surrogate pair.
pub(super) fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(&format!("\"{inner}\"")).ok().map(Cow::Owned)
}
