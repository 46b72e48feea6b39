//! What stands in the place of words in braces: the names and ids of everything that an owner has.

use doorward::model::EventId;
use uuid::Uuid;

/// Words that name nothing of the owner's: people who are asked for by a name that everybody may know, numbers, and what
/// the sender chooses.
const NOT_THEIRS: [&str; 6] = ["member", "stranger", "new", "password", "version", "client"];

/// Names and ids by the words for them.
pub(super) struct Names(pub(super) Vec<(&'static str, String)>);

impl Names {
    /// Puts names and ids in the place of their words in braces.
    pub(super) fn fill(&self, text: &str) -> String {
        // A name that nobody has, each time another.
        let each = format!("e{}", tail(&EventId::new().0.simple().to_string()));
        self.0.iter().fold(text.replace("{each}", &each), |text, (name, value)| {
            text.replace(&format!("{{{name}}}"), value)
        })
    }

    /// Fills in what the path is about.
    pub(super) fn path(&self, path: &str) -> String {
        let kind = [
            // Only what runs can be cancelled.
            ("/cancel", "running"),
            ("analyses", "analysis"),
            ("connections", "connection"),
            ("datasources", "source"),
            ("sources", "source"),
            ("tunnels", "tunnel"),
            ("presets", "preset"),
            // Before the keys that its name ends with.
            ("passkeys", "passkey"),
            ("keys", "key"),
            ("audit", "event"),
            ("users", "user"),
        ];
        let kind = kind.iter().find(|(part, _)| path.contains(part)).map_or("", |(_, kind)| kind);
        let invitation = match path {
            "/api/v1/invitations/{invitation}" => "{offered}",
            _ if path.contains("organisations") => "{org_invitation}",
            _ => "{invitation}",
        };
        let path = path.replace("{invitation}", invitation);
        self.fill(&path.replace("{id}", &format!("{{{kind}}}")).replace("{name}", "free"))
    }

    /// Returns names and ids of the same forms that are nobody's.
    pub(super) fn elsewhere(&self) -> Self {
        let mut others: Vec<(&'static str, String)> = Vec::new();
        for (kind, value) in &self.0 {
            let other = match others.iter().position(|(known, _)| self.value(known) == value) {
                // The same thing by another word.
                Some(same) => others.get(same).map(|(_, other)| other.clone()).unwrap_or_default(),
                None if NOT_THEIRS.contains(kind) => value.clone(),
                None => another(value),
            };
            others.push((*kind, other));
        }
        // What a client asks for names the preset by its address.
        let asked = self.theirs().filter(|(kind, _)| ["owner", "slug"].contains(kind));
        let address = asked.fold(self.value("asked").to_owned(), |text, (kind, value)| {
            let other = others.iter().find(|(known, _)| *known == kind).map_or("", |(_, other)| other);
            text.replace(value, other)
        });
        for (kind, other) in &mut others {
            if *kind == "asked" {
                other.clone_from(&address);
            }
        }
        Self(others)
    }

    /// Returns them as others may know them, who can learn ids and names but not what lets in whoever has it.
    pub(super) fn without_secrets(&self) -> Self {
        let known = self.0.iter().map(|(kind, value)| match *kind {
            "token" => (*kind, another(value)),
            _ => (*kind, value.clone()),
        });
        Self(known.collect())
    }

    /// Says whether one of these texts names something of the owner's.
    pub(super) fn are_in(&self, texts: [&str; 2]) -> bool {
        let [path, body] = texts.map(|text| text.replace("{each}", ""));
        let filled = self.path(&path) + &self.fill(&body);
        self.theirs().any(|(_, value)| filled.contains(value))
    }

    /// Returns the words for what an answer tells that was not in what was asked.
    pub(super) fn told(&self, asked: &str, answer: &str) -> Vec<&'static str> {
        let mut theirs: Vec<_> = self.theirs().collect();
        theirs.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        let (known, secret): (Vec<_>, Vec<_>) =
            theirs.into_iter().partition(|(_, value)| asked.contains(value));
        let answer = known.into_iter().fold(answer.to_owned(), |text, (_, value)| text.replace(value, ""));
        secret.into_iter().filter(|(_, value)| answer.contains(value)).map(|(kind, _)| kind).collect()
    }

    /// Takes all of them out of a text.
    pub(super) fn anonymous(&self, text: &str) -> String {
        let mut theirs: Vec<_> = self.theirs().collect();
        theirs.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        theirs.into_iter().fold(text.to_owned(), |text, (kind, value)| text.replace(value, kind))
    }

    fn theirs(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.0
            .iter()
            .filter(|(kind, _)| !NOT_THEIRS.contains(kind))
            .map(|(kind, value)| (*kind, value.as_str()))
    }

    fn value(&self, kind: &str) -> &str {
        self.0.iter().find(|(known, _)| *known == kind).map_or("", |(_, value)| value)
    }
}

/// Returns what of a word differs from that of the moment before: handles have at most 32 characters.
pub(super) fn tail(word: &str) -> &str {
    word.get(12..).unwrap_or(word)
}

/// Returns a text of the same form that nothing is called.
fn another(value: &str) -> String {
    if value.parse::<Uuid>().is_ok() {
        return EventId::new().0.to_string();
    }
    let mut digits = EventId::new().0.simple().to_string();
    let keep = value.find(|letter: char| letter.is_ascii_digit()).unwrap_or(1);
    let (kept, changed) = value.split_at(keep.min(value.len()));
    let other: String = changed
        .chars()
        .map(|letter| if letter.is_ascii_hexdigit() { digits.pop().unwrap_or('0') } else { letter })
        .collect();
    format!("{kept}{other}")
}
