//! Edits of single members of a JSON object, on the bytes it came in.
//!
//! Everything that is not the member named stays as it was: unknown members, the spelling of
//! numbers, the order of keys, white space.

use std::{borrow::Cow, ops::Range};

use crate::mcp::{Raw, object::Object, write};

/// Returns where the value of a member lies, in bytes from the object's opening bracket; `None` if
/// there is no such member.
pub fn member_span(object: Raw<'_>, name: &str) -> Option<Range<usize>> {
    let member = object.members().filter(|member| member.is(name)).last()?;
    Some(member.end_at - member.value.get().len()..member.end_at)
}

/// Returns the object with the member set to a value that is JSON: in its place if it is there, at
/// the end otherwise.
pub fn set_member(object: Raw<'_>, name: &str, value: &str) -> String {
    match member_span(object, name) {
        Some(span) => splice(object.get(), span, value),
        None => append(object, name, value),
    }
}

/// Returns the object without the members of these names.
pub fn remove_members(object: Raw<'_>, names: &[&str]) -> String {
    let Some(mut edited) = Object::of(object.as_bytes()) else { return object.get().to_owned() };
    names.iter().for_each(|name| edited.remove(name));
    whole(edited.written())
}

/// Returns the object without a member.
pub fn remove_member(object: Raw<'_>, name: &str) -> String {
    remove_members(object, &[name])
}

/// Returns the text with the range put in another's place.
pub fn splice(text: &str, range: Range<usize>, replacement: &str) -> String {
    let mut out = String::with_capacity(text.len() - range.len() + replacement.len());
    out.push_str(&text[..range.start]);
    out.push_str(replacement);
    out.push_str(&text[range.end..]);
    out
}

/// Several replacements in one text, which is copied once. Everything between them keeps its bytes.
#[derive(Debug)]
pub struct Splices<'a> {
    text: &'a str,
    /// Ordered and apart from each other.
    replacements: Vec<(Range<usize>, String)>,
}

impl<'a> Splices<'a> {
    /// Begins with no replacement.
    pub fn new(text: Raw<'a>) -> Self {
        Self { text: text.get(), replacements: Vec::new() }
    }

    /// Puts another value in the place of one that lies in the text. A value that lies elsewhere, or
    /// overlaps one replaced before, is left as it is.
    pub fn replace(&mut self, value: Raw<'a>, replacement: String) {
        let start = (value.as_bytes().as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        let Some(end) = start.checked_add(value.get().len()).filter(|end| *end <= self.text.len()) else {
            return;
        };
        let place = self.replacements.partition_point(|(range, _)| range.end <= start);
        if self.replacements.get(place).is_none_or(|(range, _)| range.start >= end) {
            self.replacements.insert(place, (start..end, replacement));
        }
    }

    /// Returns the text with the replacements; the text itself if there are none.
    pub fn finish(self) -> Cow<'a, str> {
        if self.replacements.is_empty() {
            return Cow::Borrowed(self.text);
        }
        let grown: usize = self.replacements.iter().map(|(_, replacement)| replacement.len()).sum();
        let mut out = String::with_capacity(self.text.len() + grown);
        let mut from = 0;
        for (range, replacement) in &self.replacements {
            out.push_str(&self.text[from..range.start]);
            out.push_str(replacement);
            from = range.end;
        }
        out.push_str(&self.text[from..]);
        Cow::Owned(out)
    }
}

fn append(object: Raw<'_>, name: &str, value: &str) -> String {
    let text = object.get();
    let inner = text.strip_suffix('}').unwrap_or(text).trim_end();
    let mut out = Vec::with_capacity(text.len() + name.len() + value.len() + 4);
    out.extend_from_slice(inner.as_bytes());
    if inner.len() > 1 {
        out.push(b',');
    }
    write::string(&mut out, name);
    out.push(b':');
    out.extend_from_slice(value.as_bytes());
    out.push(b'}');
    whole(out)
}

fn whole(text: Vec<u8>) -> String {
    String::from_utf8(text).expect("only whole texts were put together")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn setting_a_member_leaves_every_other_byte_alone() {
        let object = Raw::parse(r#"{ "b": 1.0, "name" : "old","a":[1e5 , {"name":1}] }"#).expect("JSON");

        assert_eq!(
            set_member(object, "name", r#""new""#),
            r#"{ "b": 1.0, "name" : "new","a":[1e5 , {"name":1}] }"#
        );
        assert_eq!(
            set_member(object, "x", "9007199254740993"),
            r#"{ "b": 1.0, "name" : "old","a":[1e5 , {"name":1}],"x":9007199254740993}"#
        );
        assert_eq!(set_member(Raw::parse("{ }").expect("JSON"), "x", "1"), r#"{"x":1}"#);
    }

    #[test]
    fn several_replacements_leave_the_bytes_between_them_alone() {
        let text = Raw::parse(r#"{ "a" : [1.0 , "x"], "b":{"c":null } }"#).expect("JSON");
        let (a, b) = (text.member("a").expect("a"), text.member("b").expect("b"));
        let x = a.elements().nth(1).expect("x");

        let mut splices = Splices::new(text);
        splices.replace(b.member("c").expect("c"), "[1]".to_owned());
        splices.replace(x, "\"y\"".to_owned());
        splices.replace(a, "overlaps".to_owned());
        splices.replace(Raw::NULL, "lies elsewhere".to_owned());

        assert_eq!(splices.finish(), r#"{ "a" : [1.0 , "y"], "b":{"c":[1] } }"#);
        assert!(matches!(Splices::new(text).finish(), Cow::Borrowed(_)));
    }
}
