//! An object as the places of its members: looked through once, edited by place, copied once.
//!
//! Results may be mebibytes, and what is changed in them lies beside the large value. Everything that is not edited
//! keeps its bytes, as in [`edit`](super::edit), which is for single edits of small objects.

use std::borrow::Cow;

use super::{
    pieces::Output,
    raw::{ByteMember, ByteMembers},
    write,
};

/// A checked object, and what is to become of its members.
#[derive(Clone, Debug)]
pub(super) struct Object<'a> {
    text: &'a [u8],
    members: Vec<(ByteMember<'a>, Fate<'a>)>,
    added: Vec<(&'static str, Cow<'a, [u8]>)>,
}

#[derive(Clone, Debug)]
enum Fate<'a> {
    Stays,
    Goes,
    Becomes(Cow<'a, [u8]>),
}

impl<'a> Object<'a> {
    /// Looks through an object that was checked before; `None` if the text is none.
    pub(super) fn of(text: &'a [u8]) -> Option<Self> {
        let text = text.trim_ascii();
        let members = text.starts_with(b"{").then(|| ByteMembers::of(text))?;
        let members = members.map(|member| (member, Fate::Stays)).collect();
        Some(Self { text, members, added: Vec::new() })
    }

    /// Returns a member as it came, the last of that name as most readers of JSON do.
    pub(super) fn member(&self, name: &str) -> Option<&'a [u8]> {
        self.members.iter().rev().find(|(member, _)| member.is(name)).map(|(member, _)| member.value)
    }

    /// Says whether nothing but what goes was in it.
    pub(super) fn is_left_empty(&self) -> bool {
        self.added.is_empty() && self.members.iter().all(|(_, fate)| matches!(fate, Fate::Goes))
    }

    /// Takes all members of a name away.
    pub(super) fn remove(&mut self, name: &str) {
        for (_, fate) in self.members.iter_mut().filter(|(member, _)| member.is(name)) {
            *fate = Fate::Goes;
        }
    }

    /// Sets a member to a value that is JSON: in its place if it is there, at the end otherwise. Once for each name.
    pub(super) fn set(&mut self, name: &'static str, value: impl Into<Cow<'a, [u8]>>) {
        let value = value.into();
        match self.members.iter_mut().rev().find(|(member, _)| member.is(name)) {
            Some((member, _)) if member.value == &*value => {}
            Some((_, fate)) => *fate = Fate::Becomes(value),
            None => self.added.push((name, value)),
        }
    }

    /// Returns at most how many bytes it is written in.
    pub(super) fn bytes_max(&self) -> usize {
        let becomes = self.members.iter().map(|(_, fate)| match fate {
            Fate::Becomes(value) => value.len(),
            Fate::Stays | Fate::Goes => 0,
        });
        let added = self.added.iter().map(|(name, value)| name.len() + value.len() + 4);
        self.text.len() + becomes.sum::<usize>() + added.sum::<usize>()
    }

    /// Returns it as it was edited.
    pub(super) fn written(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.bytes_max());
        self.write(&mut out);
        out
    }

    /// Appends it as it was edited.
    pub(super) fn write(&self, out: &mut impl Output) {
        // Where the text not yet copied begins, where the last member ended, and whether one was copied.
        let (mut from, mut end, mut has_members) = (0, 1, false);
        for (member, fate) in &self.members {
            if matches!(fate, Fate::Goes) {
                out.part(&self.text[from..end]);
                from = member.end_at;
            } else {
                if !has_members && from > 1 {
                    // Everything before it was taken away: the comma that followed goes as well.
                    from = member.key_at;
                }
                has_members = true;
                if let Fate::Becomes(value) = fate {
                    out.part(&self.text[from..member.end_at - member.value.len()]);
                    out.own(value);
                    from = member.end_at;
                }
            }
            end = member.end_at;
        }
        if !self.added.is_empty() {
            out.part(&self.text[from..end]);
            from = self.text.len() - 1;
        }
        for (name, value) in &self.added {
            if std::mem::replace(&mut has_members, true) {
                out.own(b",");
            }
            out.own(write::quoted(name).as_bytes());
            out.own(b":");
            out.own(value);
        }
        out.part(&self.text[from..]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edited(text: &str, edit: impl FnOnce(&mut Object<'_>)) -> String {
        let mut object = Object::of(text.as_bytes()).expect("an object");
        edit(&mut object);
        let out = object.written();
        assert!(out.len() <= object.bytes_max());
        let out = String::from_utf8(out).expect("text");
        serde_json::from_str::<serde_json::Value>(&out).expect("JSON");
        out
    }

    #[test]
    fn what_is_not_edited_keeps_its_bytes() {
        for text in ["{}", "{ }", r#"{ "b": 1.0, "name" : "old","a":[1e5 , {"name":1}] }"#] {
            assert_eq!(edited(text, |_| {}), text);
        }
        assert_eq!(edited(" {\"a\":1}\n", |_| {}), r#"{"a":1}"#);
        assert!(["", "5", "null", "[{}]", "\"{}\""].iter().all(|text| Object::of(text.as_bytes()).is_none()));
    }

    #[test]
    fn a_member_is_set_in_its_place_or_at_the_end() {
        let set = |text| edited(text, |object| object.set("x", &b"9007199254740993"[..]));

        assert_eq!(
            set(r#"{ "b": 1.0, "x" : "old","a":[{"x":1}] }"#),
            r#"{ "b": 1.0, "x" : 9007199254740993,"a":[{"x":1}] }"#
        );
        assert_eq!(set(r#"{ "b": 1.0 }"#), r#"{ "b": 1.0,"x":9007199254740993}"#);
        assert_eq!(set("{ }"), r#"{"x":9007199254740993}"#);
        assert_eq!(set(r#"{"x":1,"\u0078":2}"#), r#"{"x":1,"\u0078":9007199254740993}"#);
        assert_eq!(set(r#"{"x":9007199254740993 }"#), r#"{"x":9007199254740993 }"#);
    }

    #[test]
    fn members_are_taken_away_wherever_they_stand() {
        let cases = [
            (r#"{"x":1}"#, r#"{}"#),
            (r#"{"x":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":1}"#, r#"{"a":2}"#),
            (r#"{"a":2,"x":1,"b":3}"#, r#"{"a":2,"b":3}"#),
            (r#"{"x":1,"y":1,"a":2,"x":{"x":1},"b":3,"y":4}"#, r#"{"a":2,"b":3}"#),
            (r#"{"x":1,"y":2}"#, r#"{}"#),
            (r#"{"\u0078":1,"a":2}"#, r#"{"a":2}"#),
            (r#"{"a":2}"#, r#"{"a":2}"#),
            (r#"{}"#, r#"{}"#),
        ];
        for (text, expected) in cases {
            let mut is_empty = false;
            let without = edited(text, |object| {
                object.remove("x");
                object.remove("y");
                is_empty = object.is_left_empty();
            });
            assert_eq!(without, expected, "from {text}");
            assert_eq!(is_empty, expected == "{}", "from {text}");
        }
    }

    #[test]
    fn several_edits_are_made_in_one_copy() {
        let text = "{ \"x\" : 1 , \"a\" : 2 , \"b\" : 3 , \"y\" : 4 }";

        let without = edited(text, |object| {
            object.remove("x");
            object.set("b", b"[true]".to_vec());
            object.remove("y");
            object.set("c", &b"null"[..]);
            object.set("d", &b"{}"[..]);
        });

        assert_eq!(without, "{\"a\" : 2 , \"b\" : [true],\"c\":null,\"d\":{}}");
        let all = edited(r#"{"x":1}"#, |object| {
            object.remove("x");
            object.set("c", &b"1"[..]);
        });
        assert_eq!(all, r#"{"c":1}"#);
    }
}
