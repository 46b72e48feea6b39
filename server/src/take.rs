//! What documents and the REST API write alike: what is taken of a source's resources or prompts (`all`, `none`, or a
//! list), until when something answers, what a port is, and what is `null`.

use std::{collections::BTreeSet, fmt};

use doorward::{clock::Ms, model::Take};
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{self, Unexpected, Visitor},
};
use utoipa::ToSchema;

/// Tells `null`, which is a value, from what is absent.
pub(crate) fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    T::deserialize(deserializer).map(Some)
}

/// Reads a port where there is one, and says what a port is where something else is.
pub(crate) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u16>, D::Error> {
    struct Port;

    impl Visitor<'_> for Port {
        type Value = Option<u16>;

        fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
            formatter.write_str("a port, which is a whole number from 1 to 65535")
        }

        fn visit_unit<E>(self) -> Result<Self::Value, E> {
            Ok(None)
        }

        fn visit_u64<E: de::Error>(self, number: u64) -> Result<Self::Value, E> {
            match u16::try_from(number) {
                Ok(port) if port > 0 => Ok(Some(port)),
                _ => Err(E::invalid_value(Unexpected::Unsigned(number), &self)),
            }
        }
    }

    deserializer.deserialize_any(Port)
}

/// `all`, `none`, or a list of URIs or names.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged)]
pub enum Taken {
    /// Everything or nothing.
    Word(TakenWord),
    /// These.
    Names(BTreeSet<String>),
}

/// Everything or nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum TakenWord {
    /// Everything, also what comes later.
    All,
    /// Nothing.
    None,
}

impl Default for Taken {
    fn default() -> Self {
        Self::Word(TakenWord::None)
    }
}

impl From<&Taken> for Take {
    fn from(taken: &Taken) -> Self {
        match taken {
            Taken::Word(TakenWord::All) => Self::All,
            Taken::Word(TakenWord::None) => Self::None,
            Taken::Names(names) => Self::Only(names.iter().cloned().collect()),
        }
    }
}

impl From<&Take> for Taken {
    fn from(take: &Take) -> Self {
        match take {
            Take::All => Self::Word(TakenWord::All),
            Take::None => Self::Word(TakenWord::None),
            Take::Only(names) => Self::Names(names.iter().cloned().collect()),
        }
    }
}

/// Until when something answers, as documents and the REST API write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// Without an end: `never`.
    Never,
    /// Up to an instant: a day, whose end in UTC is meant, or a time of RFC 3339 in UTC.
    At(Ms),
}

impl Until {
    /// Returns the end; `None` if there is none.
    pub fn end(self) -> Option<Ms> {
        match self {
            Self::Never => None,
            Self::At(end) => Some(end),
        }
    }
}

impl<'de> Deserialize<'de> for Until {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text == "never" {
            return Ok(Self::Never);
        }
        let end = Ms::end_of_day(&text).or_else(|| Ms::parse(&text));
        end.map(Self::At).ok_or_else(|| {
            de::Error::custom(
                "give a day, as in 2027-01-31, a time in UTC, as in 2027-01-31T18:00:00Z, or `never`",
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_way_to_take_is_written_and_read_back() {
        let cases = [
            (Take::All, json!("all")),
            (Take::None, json!("none")),
            (Take::Only(vec!["a:1".into(), "b".into()]), json!(["a:1", "b"])),
            (Take::Only(Vec::new()), json!([])),
        ];
        for (take, written) in cases {
            assert_eq!(serde_json::to_value(Taken::from(&take)).unwrap(), written);
            let read: Taken = serde_json::from_value(written).unwrap();
            assert_eq!(Take::from(&read), take);
        }
        let until = |text: &str| serde_json::from_value::<Until>(json!(text)).ok().and_then(Until::end);
        assert_eq!(until("2027-01-31"), until("2027-02-01T00:00:00Z"));
        assert_eq!(serde_json::from_value::<Until>(json!("never")).unwrap(), Until::Never);
        assert!(serde_json::from_value::<Until>(json!("2027-02-30")).is_err());
        for wrong in [json!("some"), json!(true), json!({}), json!([1])] {
            assert!(serde_json::from_value::<Taken>(wrong.clone()).is_err(), "{wrong} was read");
        }
    }
}
