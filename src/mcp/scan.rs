//! A strict JSON scanner that keeps the bytes it read.
//!
//! It never builds a tree and never recurses: the kinds of the open brackets are the bits of one
//! number, so that a body of ten thousand brackets costs one comparison too many and no stack.

use std::{borrow::Cow, fmt};

use memchr::memchr2;
use serde_json::value::RawValue;
use thiserror::Error;

/// The deepest nesting accepted, counted in brackets.
pub const DEPTH_MAX: u32 = 128;

/// The most members accepted in the objects whose members are looked at one by one: the envelope,
/// `params` and `_meta`.
pub const MEMBERS_MAX: usize = 256;

/// Says why a text is not JSON that Doorward reads.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum ScanError {
    /// The bytes are not UTF-8.
    #[error("the body is not UTF-8")]
    NotUtf8,
    /// The grammar of JSON is broken.
    #[error("the body is not JSON: unexpected input at byte {at}")]
    Syntax {
        /// Where, in bytes from the beginning.
        at: usize,
    },
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("the body is nested deeper than {DEPTH_MAX} levels")]
    TooDeep,
    /// A member appears twice in an object that Doorward reads.
    #[error("a member appears twice in one object")]
    Duplicate,
    /// An object that Doorward reads has more than [`MEMBERS_MAX`] members.
    #[error("an object has more than {MEMBERS_MAX} members")]
    TooManyMembers,
}

/// A JSON value as the bytes it came in: checked, and never written anew.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The literal `null`.
    pub const NULL: Raw<'static> = Raw("null");

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
    /// Where the name's opening quote is, in bytes from the object's own opening bracket.
    pub(super) key_at: usize,
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
        Some(Member { key, value: Raw(self.text.get(value_at..end_at)?), key_at, end_at })
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
        Some(ByteMember { key: bytes.get(key_at + 1..key_end - 1)?, value: bytes.get(value_at..self.at)? })
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
fn unescape(inner: &str) -> Option<Cow<'_, str>> {
    if !inner.contains('\\') {
        return Some(Cow::Borrowed(inner));
    }
    serde_json::from_str(&format!("\"{inner}\"")).ok().map(Cow::Owned)
}

/// Checks a text from left to right.
pub(super) struct Scanner<'a> {
    text: &'a str,
    at: usize,
    /// Brackets open around what is read next.
    depth: u32,
    /// The names seen in the objects open now that are read member by member.
    names: Vec<Cow<'a, str>>,
}

impl<'a> Scanner<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self { text, at: 0, depth: 0, names: Vec::new() }
    }

    /// Returns the first byte of the next value.
    pub(super) fn peek(&mut self) -> Option<u8> {
        self.space();
        self.byte()
    }

    /// Checks that nothing follows.
    pub(super) fn end(&mut self) -> Result<(), ScanError> {
        self.space();
        if self.at == self.text.len() { Ok(()) } else { Err(self.syntax()) }
    }

    /// Reads one object member by member; `each` reads the value of the member it is told of.
    pub(super) fn object(
        &mut self,
        each: &mut dyn FnMut(&mut Self, &str) -> Result<(), ScanError>,
    ) -> Result<Raw<'a>, ScanError> {
        self.space();
        let start = self.at;
        self.expect(b'{')?;
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return Err(ScanError::TooDeep);
        }
        let first = self.names.len();
        self.space();
        if self.byte() == Some(b'}') {
            self.at += 1;
        } else {
            loop {
                let name = self.key()?;
                if self.names[first..].contains(&name) {
                    return Err(ScanError::Duplicate);
                }
                if self.names.len() - first == MEMBERS_MAX {
                    return Err(ScanError::TooManyMembers);
                }
                self.names.push(name.clone());
                each(self, &name)?;
                self.space();
                match self.byte() {
                    Some(b',') => self.at += 1,
                    Some(b'}') => {
                        self.at += 1;
                        break;
                    }
                    _ => return Err(self.syntax()),
                }
            }
        }
        self.names.truncate(first);
        self.depth -= 1;
        Ok(Raw(&self.text[start..self.at]))
    }

    /// Reads one value of any kind.
    pub(super) fn value(&mut self) -> Result<Raw<'a>, ScanError> {
        self.space();
        let start = self.at;
        let around = self.depth;
        // One bit per open bracket, the innermost lowest: 1 = object.
        let mut open: u128 = 0;
        loop {
            self.space();
            match self.byte() {
                Some(bracket @ (b'{' | b'[')) => {
                    self.at += 1;
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(ScanError::TooDeep);
                    }
                    let is_object = bracket == b'{';
                    open = open << 1 | u128::from(is_object);
                    self.space();
                    if self.byte() != Some(if is_object { b'}' } else { b']' }) {
                        if is_object {
                            self.key()?;
                        }
                        continue;
                    }
                }
                Some(b'"') => drop(self.string()?),
                Some(b'-' | b'0'..=b'9') => self.number()?,
                Some(b't') => self.literal("true")?,
                Some(b'f') => self.literal("false")?,
                Some(b'n') => self.literal("null")?,
                _ => return Err(self.syntax()),
            }
            // A value has ended, or an empty bracket is about to.
            loop {
                if self.depth == around {
                    return Ok(Raw(&self.text[start..self.at]));
                }
                self.space();
                let in_object = open & 1 == 1;
                match self.byte() {
                    Some(b',') => {
                        self.at += 1;
                        if in_object {
                            self.key()?;
                        }
                        break;
                    }
                    Some(b'}') if in_object => {}
                    Some(b']') if !in_object => {}
                    _ => return Err(self.syntax()),
                }
                self.at += 1;
                self.depth -= 1;
                open >>= 1;
            }
        }
    }

    fn byte(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn syntax(&self) -> ScanError {
        ScanError::Syntax { at: self.at }
    }

    fn space(&mut self) {
        while matches!(self.byte(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScanError> {
        if self.byte() != Some(byte) {
            return Err(self.syntax());
        }
        self.at += 1;
        Ok(())
    }

    fn literal(&mut self, word: &str) -> Result<(), ScanError> {
        if !self.text[self.at..].starts_with(word) {
            return Err(self.syntax());
        }
        self.at += word.len();
        Ok(())
    }

    fn digits(&mut self) -> Result<(), ScanError> {
        let start = self.at;
        while matches!(self.byte(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        if self.at == start { Err(self.syntax()) } else { Ok(()) }
    }

    fn number(&mut self) -> Result<(), ScanError> {
        if self.byte() == Some(b'-') {
            self.at += 1;
        }
        if self.byte() == Some(b'0') {
            self.at += 1;
        } else {
            self.digits()?;
        }
        if self.byte() == Some(b'.') {
            self.at += 1;
            self.digits()?;
        }
        if matches!(self.byte(), Some(b'e' | b'E')) {
            self.at += 1;
            if matches!(self.byte(), Some(b'+' | b'-')) {
                self.at += 1;
            }
            self.digits()?;
        }
        Ok(())
    }

    /// Reads a name and the colon behind it.
    fn key(&mut self) -> Result<Cow<'a, str>, ScanError> {
        self.space();
        let inner = self.string()?;
        let name = unescape(inner).ok_or(ScanError::Syntax { at: self.at })?;
        self.space();
        self.expect(b':')?;
        Ok(name)
    }

    /// Reads a string and returns what stands between its quotes.
    fn string(&mut self) -> Result<&'a str, ScanError> {
        self.expect(b'"')?;
        let start = self.at;
        loop {
            self.at = next_special(self.text.as_bytes(), self.at);
            match self.byte() {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(&self.text[start..self.at - 1]);
                }
                Some(b'\\') => self.escape()?,
                _ => return Err(self.syntax()),
            }
        }
    }

    fn escape(&mut self) -> Result<(), ScanError> {
        self.at += 1;
        match self.byte() {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 1,
            Some(b'u') => {
                let digits = self.text.as_bytes().get(self.at + 1..self.at + 5);
                if !digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit)) {
                    return Err(self.syntax());
                }
                self.at += 5;
            }
            _ => return Err(self.syntax()),
        }
        Ok(())
    }
}

/// Returns where the next quote, backslash or control character is, or the end.
fn next_special(bytes: &[u8], mut at: usize) -> usize {
    const STEP: usize = 64;
    let special = |byte: u8| byte < 0x20 || byte == b'"' || byte == b'\\';
    // Whole steps without a branch per byte: the compiler makes vector instructions of this.
    while let Some(step) = bytes.get(at..at + STEP) {
        if step.iter().fold(false, |found, byte| found | special(*byte)) {
            break;
        }
        at += STEP;
    }
    bytes[at..].iter().position(|byte| special(*byte)).map_or(bytes.len(), |found| at + found)
}
