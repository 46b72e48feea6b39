//! A strict JSON scanner that keeps the bytes it read.
//!
//! It never builds a tree and never recurses: the kinds of the open brackets are the bits of one
//! number, so that a body of ten thousand brackets costs one comparison too many and no stack.

use std::borrow::Cow;

use thiserror::Error;

use crate::mcp::raw::{Raw, unescape};

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
        Ok(Raw::new(&self.text[start..self.at]))
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
                    return Ok(Raw::new(&self.text[start..self.at]));
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
