//! What is taken of a source's resources or prompts, as documents and the REST API write it: `all`,
//! `none`, or a list.

use std::collections::BTreeSet;

use doorward::model::Take;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

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
        for wrong in [json!("some"), json!(true), json!({}), json!([1])] {
            assert!(serde_json::from_value::<Taken>(wrong.clone()).is_err(), "{wrong} was read");
        }
    }
}
