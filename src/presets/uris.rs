//! Which resource of which source a URI leads to, and how callers see a source's URIs. Pure.
//!
//! A URI is a part of what a source means, so callers see it as it is. Only where two sources of a
//! preset claim the same one, the source that came later gets a mark of its own behind the scheme,
//! as in `file://doorward-3f2a9c01b7d4//etc/hosts`, in lists and in everything else that names it.
//! The scheme stays, since `ui://` has a meaning. A URI that looks marked is always marked, so that
//! no source can pass for another.

use std::{
    borrow::Cow,
    collections::{HashMap, HashSet},
};

use sha2::{Digest, Sha256};

use crate::{
    model::{SourceId, SourceName},
    presets::template::Template,
};

/// What every mark begins with.
const MARK: &str = "doorward-";
/// How many hexadecimal digits of the source's own follow.
const MARK_DIGITS: usize = 12;

/// What one source brings into a preset.
#[derive(Debug)]
pub(super) struct Brought<'a> {
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: &'a SourceName,
    /// The URIs of the resources taken from it, and the `ui://` URIs its published tools name.
    pub resources: Vec<&'a str>,
    /// The templates taken from it.
    pub templates: Vec<&'a str>,
    /// Whether everything it has is taken, also what it does not list.
    pub all: bool,
}

/// Where a URI leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResourceRoute<'t> {
    /// The source.
    pub source: SourceId,
    /// What its owner calls it.
    pub source_name: &'t SourceName,
    /// The URI, or the template, as the source knows it.
    pub uri: Cow<'t, str>,
}

/// The URIs of one preset.
#[derive(Clone, Debug, Default)]
pub(super) struct Uris {
    sources: Vec<Owner>,
    /// Exposed URI to the place of its source and the source's own URI.
    resources: HashMap<Box<str>, (usize, Box<str>)>,
    /// In the order of their sources.
    templates: Vec<Exposed>,
    /// The only source of which everything is taken: it is asked for what nobody lists.
    rest: Option<usize>,
}

#[derive(Clone, Debug)]
struct Owner {
    id: SourceId,
    name: SourceName,
    mark: String,
    /// Its own URIs that callers see marked.
    marked: HashSet<Box<str>>,
    /// Its own URIs that callers see as they are.
    plain: HashSet<Box<str>>,
    /// Whether callers see any URI or template of it marked.
    changes: bool,
}

#[derive(Clone, Debug)]
struct Exposed {
    source: usize,
    own: Box<str>,
    template: Template,
    marked: bool,
}

impl Uris {
    /// Settles who owns which URI: the source that was there first.
    pub(super) fn new(mut brought: Vec<Brought<'_>>) -> Self {
        brought.sort_by_key(|one| one.source);
        let mut uris = Self::default();
        for (index, one) in brought.iter().enumerate() {
            let (mut marked, mut plain) = (HashSet::new(), HashSet::new());
            let mark = mark(one.source);
            for &uri in &one.resources {
                let taken = carries_mark(uri)
                    || uris.resources.get(uri).is_some_and(|(owner, _)| *owner != index)
                    || uris.plain_templates(index).any(|other| other.template.matches(uri));
                let exposed = if taken { insert_mark(uri, &mark).into() } else { Box::from(uri) };
                if taken {
                    marked.insert(uri.into())
                } else {
                    plain.insert(uri.into())
                };
                uris.resources.insert(exposed, (index, uri.into()));
            }
            for &own in &one.templates {
                let template = Template::parse(own);
                let taken = carries_mark(own)
                    || uris.plain_templates(index).any(|other| other.template.may_meet(&template))
                    || uris.sources.iter().any(|owner| owner.plain.iter().any(|uri| template.matches(uri)));
                uris.templates.push(Exposed { source: index, own: own.into(), template, marked: taken });
            }
            let changes =
                !marked.is_empty() || uris.templates.iter().any(|one| one.source == index && one.marked);
            let (id, name) = (one.source, one.source_name.clone());
            uris.sources.push(Owner { id, name, mark, marked, plain, changes });
        }
        let mut complete = brought.iter().enumerate().filter(|(_, one)| one.all).map(|(index, _)| index);
        uris.rest = match (complete.next(), complete.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        uris
    }

    /// Returns where a URI leads that a caller names; `None` if it is nobody's.
    pub(super) fn resource<'t>(&'t self, uri: &str) -> Option<ResourceRoute<'t>> {
        if let Some((source, own)) = self.resources.get(uri) {
            return Some(self.route(*source, Cow::Borrowed(own)));
        }
        if let Some((source, own)) = self.unmarked(uri) {
            let is_its = |one: &&Exposed| one.source == source && one.marked && one.template.matches(&own);
            return self.templates.iter().find(is_its).map(|_| self.route(source, Cow::Owned(own)));
        }
        let found = self.templates.iter().find(|one| !one.marked && one.template.matches(uri));
        let source = found.map(|one| one.source).or(self.rest)?;
        Some(self.route(source, Cow::Owned(uri.to_owned())))
    }

    /// Returns where a template leads that a caller names, as a list has shown it to them.
    pub(super) fn template<'t>(&'t self, text: &str) -> Option<ResourceRoute<'t>> {
        let found = match self.unmarked(text) {
            Some((source, own)) => {
                self.templates.iter().find(|one| one.marked && one.source == source && *one.own == *own)
            }
            None => self.templates.iter().find(|one| !one.marked && *one.own == *text),
        }?;
        Some(self.route(found.source, Cow::Borrowed(&found.own)))
    }

    /// Says whether callers see any URI of a source otherwise than the source writes it.
    pub(super) fn changes(&self, source: SourceId) -> bool {
        self.place(source).is_some_and(|place| self.sources[place].changes)
    }

    /// Returns how callers see a source's URI; `None` if as it is.
    pub(super) fn exposed(&self, source: SourceId, uri: &str) -> Option<String> {
        let place = self.place(source)?;
        let owner = &self.sources[place];
        let is_marked = owner.marked.contains(uri)
            || (!owner.plain.contains(uri)
                && self
                    .templates
                    .iter()
                    .any(|one| one.source == place && one.marked && one.template.matches(uri)));
        is_marked.then(|| insert_mark(uri, &owner.mark))
    }

    /// Returns how callers see a source's template; `None` if as it is.
    pub(super) fn exposed_template(&self, source: SourceId, template: &str) -> Option<String> {
        let place = self.place(source)?;
        let is_marked = |one: &Exposed| one.source == place && one.marked && *one.own == *template;
        self.templates.iter().any(is_marked).then(|| insert_mark(template, &self.sources[place].mark))
    }

    fn route<'t>(&'t self, source: usize, uri: Cow<'t, str>) -> ResourceRoute<'t> {
        let Owner { id, name, .. } = &self.sources[source];
        ResourceRoute { source: *id, source_name: name, uri }
    }

    fn place(&self, source: SourceId) -> Option<usize> {
        self.sources.binary_search_by_key(&source, |owner| owner.id).ok()
    }

    /// Returns the templates of earlier sources that callers see as they are.
    fn plain_templates(&self, before: usize) -> impl Iterator<Item = &Exposed> {
        self.templates.iter().filter(move |one| one.source < before && !one.marked)
    }

    /// Returns whose mark a URI carries, and the URI without it; `None` without such a mark.
    fn unmarked(&self, uri: &str) -> Option<(usize, String)> {
        let (scheme, rest) = split_scheme(uri);
        let source = self.sources.iter().position(|owner| rest.starts_with(owner.mark.as_str()))?;
        Some((source, format!("{scheme}{}", &rest[self.sources[source].mark.len()..])))
    }
}

/// Returns a source's mark, which is the same in every preset.
fn mark(source: SourceId) -> String {
    let digest = hex::encode(Sha256::digest(source.0.as_bytes()));
    format!("{MARK}{}/", &digest[..MARK_DIGITS])
}

fn insert_mark(uri: &str, mark: &str) -> String {
    let (scheme, rest) = split_scheme(uri);
    format!("{scheme}{mark}{rest}")
}

fn carries_mark(uri: &str) -> bool {
    let (_, rest) = split_scheme(uri);
    rest.strip_prefix(MARK).is_some_and(|rest| {
        let digits = rest.bytes().take_while(u8::is_ascii_hexdigit).count();
        digits == MARK_DIGITS && rest.as_bytes().get(digits) == Some(&b'/')
    })
}

/// Returns the scheme (RFC 3986, section 3.1) with its colon and the two slashes after it, if there
/// are any, and what follows.
fn split_scheme(uri: &str) -> (&str, &str) {
    let scheme = uri.find(':').filter(|&at| {
        let name = &uri.as_bytes()[..at];
        name.first().is_some_and(u8::is_ascii_alphabetic)
            && name.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte))
    });
    let Some(colon) = scheme else { return ("", uri) };
    let end = if uri[colon + 1..].starts_with("//") { colon + 3 } else { colon + 1 };
    uri.split_at(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Scene {
        names: Vec<SourceName>,
        ids: Vec<SourceId>,
    }

    fn scene(names: &[&str]) -> Scene {
        Scene {
            names: names.iter().map(|name| SourceName::parse(name).unwrap()).collect(),
            ids: names.iter().map(|_| SourceId::new()).collect(),
        }
    }

    impl Scene {
        fn brings<'a>(&'a self, at: usize, resources: &[&'a str], templates: &[&'a str]) -> Brought<'a> {
            Brought {
                source: self.ids[at],
                source_name: &self.names[at],
                resources: resources.to_vec(),
                templates: templates.to_vec(),
                all: false,
            }
        }
    }

    fn led(uris: &Uris, uri: &str) -> Option<(SourceId, String)> {
        uris.resource(uri).map(|route| (route.source, route.uri.into_owned()))
    }

    #[test]
    fn uris_are_left_alone_unless_two_sources_collide() {
        let scene = scene(&["one", "two"]);
        let uris = Uris::new(vec![
            scene.brings(1, &["file:///b", "ui://clock"], &["demo://two/{id}"]),
            scene.brings(0, &["file:///a"], &["demo://one/{id}"]),
        ]);

        for (uri, source) in
            [("file:///a", 0), ("file:///b", 1), ("demo://one/7", 0), ("demo://two/7", 1), ("ui://clock", 1)]
        {
            assert_eq!(led(&uris, uri), Some((scene.ids[source], uri.to_owned())));
            assert_eq!(uris.exposed(scene.ids[source], uri), None);
        }
        assert!(!uris.changes(scene.ids[0]) && !uris.changes(scene.ids[1]));
        assert_eq!(led(&uris, "file:///c"), None);
        assert_eq!(led(&uris, "demo://one/7/8"), None);
    }

    #[test]
    fn the_later_source_of_a_uri_is_marked_and_found_by_its_mark() {
        let scene = scene(&["one", "two"]);
        let uris = Uris::new(vec![
            scene.brings(0, &["file:///a", "ui://clock/x"], &[]),
            scene.brings(1, &["file:///a", "ui://clock/x", "file:///b"], &[]),
        ]);

        assert_eq!(led(&uris, "file:///a"), Some((scene.ids[0], "file:///a".to_owned())));
        for (uri, begins) in [("file:///a", "file://doorward-"), ("ui://clock/x", "ui://doorward-")] {
            let seen = uris.exposed(scene.ids[1], uri).unwrap();
            assert!(seen.starts_with(begins), "{seen}");
            assert_eq!(led(&uris, &seen), Some((scene.ids[1], uri.to_owned())));
            assert_eq!(uris.exposed(scene.ids[0], uri), None);
        }
        assert_eq!(uris.exposed(scene.ids[1], "file:///b"), None);
        assert!(uris.changes(scene.ids[1]) && !uris.changes(scene.ids[0]));
    }

    #[test]
    fn a_template_that_may_meet_anothers_uri_is_marked_as_a_whole() {
        let scene = scene(&["one", "two", "three"]);
        let uris = Uris::new(vec![
            scene.brings(0, &["demo://item/1"], &["note://{id}"]),
            scene.brings(1, &["demo://item/2"], &["demo://item/{id}"]),
            scene.brings(2, &["note://7"], &["{+uri}"]),
        ]);
        let (two, three) = (scene.ids[1], scene.ids[2]);

        assert_eq!(led(&uris, "demo://item/1").unwrap().0, scene.ids[0]);
        assert_eq!(led(&uris, "demo://item/2"), Some((two, "demo://item/2".to_owned())));
        assert_eq!(uris.exposed(two, "demo://item/2"), None, "what it lists has no rival");
        let seen = uris.exposed(two, "demo://item/9").unwrap();
        assert_eq!(led(&uris, &seen), Some((two, "demo://item/9".to_owned())));
        let template = uris.exposed_template(two, "demo://item/{id}").unwrap();
        assert!(template.ends_with("/item/{id}"), "{template}");
        assert_eq!(uris.template(&template).unwrap().uri, "demo://item/{id}");
        assert!(uris.template("demo://item/{id}").is_none());
        assert_eq!(uris.template("note://{id}").unwrap().source, scene.ids[0]);

        assert_eq!(led(&uris, "note://7").unwrap().0, scene.ids[0], "the template was there first");
        let seen = uris.exposed(three, "note://7").unwrap();
        assert_eq!(led(&uris, &seen), Some((three, "note://7".to_owned())));
        let everything = uris.exposed_template(three, "{+uri}").unwrap();
        let expanded = everything.replace("{+uri}", "demo://item/1");
        assert_eq!(led(&uris, &expanded), Some((three, "demo://item/1".to_owned())));
    }

    #[test]
    fn no_source_passes_for_another_by_taking_its_mark() {
        let scene = scene(&["one", "two", "evil"]);
        let marked = insert_mark("file:///a", &mark(scene.ids[1]));
        let uris = Uris::new(vec![
            scene.brings(0, &["file:///a"], &[]),
            scene.brings(1, &["file:///a"], &[]),
            scene.brings(2, &[&marked], &[]),
        ]);

        assert_eq!(led(&uris, &marked), Some((scene.ids[1], "file:///a".to_owned())));
        let seen = uris.exposed(scene.ids[2], &marked).unwrap();
        assert_eq!(led(&uris, &seen), Some((scene.ids[2], marked)));
    }

    #[test]
    fn what_nobody_lists_is_asked_of_the_only_source_taken_whole() {
        let scene = scene(&["one", "two"]);
        let whole = |at| Brought { all: true, ..scene.brings(at, &[], &[]) };

        let one = Uris::new(vec![whole(0), scene.brings(1, &["x:1"], &[])]);
        let both = Uris::new(vec![whole(0), whole(1)]);

        assert_eq!(led(&one, "x:2"), Some((scene.ids[0], "x:2".to_owned())));
        assert_eq!(led(&one, "x:1").unwrap().0, scene.ids[1]);
        assert_eq!(led(&both, "x:2"), None);
    }

    #[test]
    fn a_mark_goes_behind_the_scheme_whatever_the_uri_looks_like() {
        let mark = "doorward-0123456789ab/";
        let cases = [
            ("file:///a", "file://doorward-0123456789ab//a"),
            ("ui://x", "ui://doorward-0123456789ab/x"),
            ("urn:isbn:1", "urn:doorward-0123456789ab/isbn:1"),
            ("no/scheme:x", "doorward-0123456789ab/no/scheme:x"),
            ("", "doorward-0123456789ab/"),
            (":x", "doorward-0123456789ab/:x"),
        ];
        for (plain, marked) in cases {
            assert_eq!(insert_mark(plain, mark), marked);
            assert!(carries_mark(marked) && !carries_mark(plain));
        }
        assert!(!carries_mark("x:doorward-0123456789abc/") && !carries_mark("x:doorward-0123456789a/"));
    }
}
