//! What a source may ask in the middle of a call, and reading it. Inside Doorward a question has the
//! modern shape.

use std::borrow::Cow;

use thiserror::Error;

use super::content;
use crate::mcp::{Raw, Revision, edit, write};

/// The most questions of one round, and the most answers.
pub const QUESTIONS_MAX: usize = 32;

/// What a source may ask of a caller.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ask {
    /// A form to fill in, or a page to visit.
    Elicitation,
    /// A text by the caller's model.
    Sampling,
    /// The caller's working directories.
    Roots,
}

impl Ask {
    /// Every kind.
    pub const ALL: &'static [Self] = &[Self::Elicitation, Self::Sampling, Self::Roots];

    /// Reads the method; `None` if callers cannot be asked this.
    pub fn parse(method: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|ask| ask.as_str() == method)
    }

    /// Returns the method.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Elicitation => "elicitation/create",
            Self::Sampling => "sampling/createMessage",
            Self::Roots => "roots/list",
        }
    }
}

/// One question.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// What its answer is called.
    pub key: Cow<'a, str>,
    /// What is asked.
    pub ask: Ask,
    /// The parameters, a JSON object; only `roots/list` may have none.
    pub params: Option<Raw<'a>>,
}

impl Question<'_> {
    /// Returns the page that an elicitation of the mode `url` sends the user to.
    pub fn url(&self) -> Option<Cow<'_, str>> {
        let params = self.params.filter(|_| self.ask == Ask::Elicitation)?;
        params.member("mode").filter(|mode| mode.as_str().as_deref() == Some("url"))?;
        params.member("url")?.as_str()
    }

    /// Says whether a caller of this revision can be asked it at all, whatever it declared: pages to
    /// visit and choices of several came with 2025-11-25.
    pub fn suits(&self, caller: Revision) -> bool {
        match (self.ask, self.params) {
            (Ask::Elicitation, Some(params)) if self.url().is_none() => content::form_suits(caller, params),
            (Ask::Elicitation, _) => caller >= Revision::V2025_11_25,
            (Ask::Sampling | Ask::Roots, _) => true,
        }
    }

    /// Returns the parameters as a legacy caller of this revision is sent them; empty if there are
    /// none. Revision 2025-11-25 wants an id for every page to visit, which is `elicitation_id`.
    pub fn legacy_params(&self, caller: Revision, elicitation_id: &str) -> String {
        let Some(params) = self.params else { return String::new() };
        match self.ask {
            Ask::Elicitation if self.url().is_some() => {
                edit::set_member(params, "elicitationId", &write::quoted(elicitation_id))
            }
            Ask::Elicitation => content::form(caller, params).into_owned(),
            Ask::Sampling => content::sampling_request(caller, params).into_owned(),
            Ask::Roots => params.get().to_owned(),
        }
    }
}

/// What a modern source wants before it goes on.
#[derive(Clone, Debug)]
pub struct InputRequired<'a> {
    /// The questions, in the source's order. None means: ask again with the state.
    pub questions: Vec<Question<'a>>,
    /// What the source wants handed back, a JSON string as written.
    pub state: Option<Raw<'a>>,
}

/// Says why a result of the type `input_required` cannot be relayed.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum QuestionError {
    /// It has neither questions nor a state.
    #[error("it asks nothing")]
    Nothing,
    /// It asks something that callers cannot be asked.
    #[error("it asks what no caller can be asked")]
    Unknown,
    /// A member has a shape that the revision does not have.
    #[error("`{0}` is malformed")]
    Malformed(&'static str),
    /// It has more than [`QUESTIONS_MAX`] questions.
    #[error("it asks more than {QUESTIONS_MAX} questions")]
    TooMany,
}

impl<'a> InputRequired<'a> {
    /// Reads a result of the type `input_required`, or a task that is waiting for input.
    pub fn read(result: Raw<'a>) -> Result<Self, QuestionError> {
        let state = result.member("requestState");
        if state.is_some_and(|state| !state.is_string()) {
            return Err(QuestionError::Malformed("requestState"));
        }
        let mut questions = Vec::new();
        if let Some(requests) = result.member("inputRequests") {
            if !requests.is_object() {
                return Err(QuestionError::Malformed("inputRequests"));
            }
            for member in requests.members() {
                if questions.len() == QUESTIONS_MAX {
                    return Err(QuestionError::TooMany);
                }
                questions.push(question(member.name(), member.value)?);
            }
        }
        if questions.is_empty() && state.is_none() {
            return Err(QuestionError::Nothing);
        }
        Ok(Self { questions, state })
    }
}

fn question<'a>(key: Cow<'a, str>, request: Raw<'a>) -> Result<Question<'a>, QuestionError> {
    let method = request.member("method").and_then(Raw::as_str);
    let method = method.ok_or(QuestionError::Malformed("method"))?;
    let ask = Ask::parse(&method).ok_or(QuestionError::Unknown)?;
    let params = request.member("params");
    match params {
        Some(params) if !params.is_object() => Err(QuestionError::Malformed("params")),
        None if ask != Ask::Roots => Err(QuestionError::Malformed("params")),
        params => Ok(Question { key, ask, params }),
    }
}

#[cfg(test)]
mod tests {
    use super::{
        super::{entry, input_required_result},
        *,
    };

    fn raw(text: &str) -> Raw<'_> {
        Raw::parse(text).expect("JSON")
    }

    #[test]
    fn what_cannot_be_relayed_is_told_apart() {
        let error = |text: &str| InputRequired::read(raw(text)).expect_err(text);

        assert_eq!(error("{}"), QuestionError::Nothing);
        assert_eq!(error(r#"{"inputRequests":{}}"#), QuestionError::Nothing);
        assert_eq!(error(r#"{"inputRequests":[]}"#), QuestionError::Malformed("inputRequests"));
        assert_eq!(error(r#"{"requestState":7}"#), QuestionError::Malformed("requestState"));
        assert_eq!(
            error(r#"{"inputRequests":{"a":{"method":"tools/call","params":{}}}}"#),
            QuestionError::Unknown
        );
        assert_eq!(
            error(r#"{"inputRequests":{"a":{"method":"elicitation/create"}}}"#),
            QuestionError::Malformed("params")
        );
        let many: Vec<_> =
            (0..=QUESTIONS_MAX).map(|index| entry(index.to_string(), Ask::Roots, None)).collect();
        let many = input_required_result(&many, None);
        assert_eq!(error(std::str::from_utf8(&many).expect("text")), QuestionError::TooMany);
    }

    #[test]
    fn a_legacy_caller_gets_an_id_for_the_page_to_visit() {
        let params = raw(r#"{"mode":"url","url":"https://a.example","message":"m"}"#);
        let question = Question { key: "k".into(), ask: Ask::Elicitation, params: Some(params) };

        let sent = question.legacy_params(Revision::V2025_11_25, "e1");

        assert_eq!(sent, r#"{"mode":"url","url":"https://a.example","message":"m","elicitationId":"e1"}"#);
        assert_eq!(question.url().as_deref(), Some("https://a.example"));
        assert!(question.suits(Revision::V2025_11_25));
        assert!(!question.suits(Revision::V2025_06_18));
    }
}
