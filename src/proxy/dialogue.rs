//! What a source asks in the middle of a call, and what is answered. Pure but for the channel that
//! legacy callers' answers come through.
//!
//! A legacy caller is asked on its own stream; its answers come as requests of their own. A modern
//! caller gets all questions at once as the result of its request, and answers in the next one.

use std::{borrow::Cow, collections::VecDeque, sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::{sync::mpsc, time::Instant};

use crate::{
    mcp::{
        Raw, Revision, codes, notification, notifications,
        translate::{self, Ask},
        write,
    },
    proxy::session::{Answered, OPEN_QUESTIONS_MAX, Session, question_id},
    upstream::{QuestionId, ReplyBody},
};

/// How often one call may ask.
pub const ROUNDS_MAX: u32 = 8;
/// How long a legacy caller may take to answer one question.
pub const ANSWER_MAX: Duration = Duration::from_secs(600);
/// How long further questions are waited for after the first, so that they are asked together.
pub(super) const GATHER: Duration = Duration::from_millis(25);
/// How many questions one call may have open at once.
pub const CALL_QUESTIONS_MAX: usize = 16;

/// What a source is told when nobody answers.
const CANCELLED: &[u8] = br#"{"action":"cancel"}"#;

/// One question of a legacy source.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: QuestionId,
    pub(super) ask: Ask,
    pub(super) params: Bytes,
    /// The revision in which it is to be answered.
    pub(super) revision: Revision,
    /// What a modern caller knows it by.
    pub(super) key: String,
}

impl Question {
    /// Returns an answer as the source understands it.
    fn answered(&self, answer: Bytes) -> ReplyBody {
        for_source(self.ask, self.revision, answer)
    }
}

fn for_source(ask: Ask, revision: Revision, answer: Bytes) -> ReplyBody {
    let translated = match translate::answer_for_source(ask, revision, raw(&answer)) {
        Cow::Borrowed(_) => None,
        Cow::Owned(text) => Some(text.into()),
    };
    ReplyBody::Result(translated.unwrap_or(answer))
}

/// Where a legacy caller's answer goes.
#[derive(Debug)]
enum To {
    /// To a legacy source of this revision that waits for it.
    Source(QuestionId, Revision),
    /// Into the next request to a modern source, at this place among the answers.
    Entry(usize),
}

/// A question that a legacy caller was asked.
#[derive(Debug)]
struct Asked {
    question: u64,
    ask: Ask,
    to: To,
    until: Instant,
}

/// The answers a modern source waits for.
#[derive(Debug, Default)]
struct Round {
    answers: Vec<(String, Option<Bytes>)>,
    state: Option<Bytes>,
}

/// What comes of a legacy caller's answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Nothing yet.
    Wait,
    /// A modern source is to be asked again, with these answers and the state it gave.
    Again { answers: Vec<(String, Bytes)>, state: Option<Bytes> },
    /// The call cannot go on, for this reason.
    Stuck(String),
}

/// The questions of one call.
#[derive(Debug, Default)]
pub(super) struct Dialogue {
    /// Questions that a modern caller has yet to be asked, or to answer.
    pub(super) pending: Vec<Question>,
    /// When the pending questions are asked.
    pub(super) gather_until: Option<Instant>,
    /// Answers on their way to a legacy source.
    pub(super) replies: VecDeque<(QuestionId, ReplyBody)>,
    /// Whether the first of them has been on its way before.
    pub(super) is_replying: bool,
    /// Messages on their way to a legacy caller.
    pub(super) outbox: VecDeque<Bytes>,
    /// How many questions a modern caller was asked so far.
    pub(super) keys: u32,
    rounds: u32,
    asked: Vec<Asked>,
    round: Option<Round>,
    line: Option<Line>,
}

/// How a legacy caller's answers come in.
#[derive(Debug)]
struct Line {
    session: Arc<Session>,
    sender: mpsc::Sender<Answered>,
    answers: mpsc::Receiver<Answered>,
}

impl Dialogue {
    /// Adds a question for a modern caller; `false` if there are too many.
    pub(super) fn gather(&mut self, question: Question, now: Instant) -> bool {
        if self.pending.len() >= CALL_QUESTIONS_MAX {
            return false;
        }
        self.keys += 1;
        self.pending.push(Question { key: format!("q{}", self.keys), ..question });
        self.gather_until.get_or_insert(now + GATHER);
        true
    }

    /// Drops a question that the source does not want answered any more.
    pub(super) fn withdraw(&mut self, id: &QuestionId) {
        self.pending.retain(|question| question.id != *id);
        if self.pending.is_empty() {
            self.gather_until = None;
        }
        let Some(at) =
            self.asked.iter().position(|asked| matches!(&asked.to, To::Source(own, _) if own == id))
        else {
            return;
        };
        let asked = self.asked.swap_remove(at);
        self.take_back(asked.question);
    }

    /// Tells a legacy caller that an answer is not waited for any more.
    fn take_back(&mut self, question: u64) {
        if let Some(line) = &self.line {
            line.session.forget(question);
        }
        let params = format!(r#"{{"requestId":{}}}"#, question_id(question));
        self.outbox.push_back(notification(notifications::CANCELLED, params.as_bytes()));
    }

    /// Puts the answers of a modern caller on their way. Questions without one stay.
    pub(super) fn answered(&mut self, mut answer: impl FnMut(&str) -> Option<Bytes>) {
        let mut open = Vec::new();
        for question in self.pending.drain(..) {
            match answer(&question.key) {
                Some(answer) => {
                    let body = question.answered(answer);
                    self.replies.push_back((question.id, body));
                }
                None => open.push(question),
            }
        }
        self.pending = open;
    }

    /// Relays a legacy source's question to a legacy caller; `false` if too many are open.
    pub(super) fn ask(&mut self, session: &Arc<Session>, question: Question, until: Instant) -> bool {
        let Question { id, ask, params, revision, .. } = question;
        let params = translate::relayed_params(raw(&params));
        self.put(session, ask, |_| params, To::Source(id, revision), until)
    }

    /// Asks a legacy caller what a modern source wants to know.
    pub(super) fn ask_all(
        &mut self,
        session: &Arc<Session>,
        revision: Revision,
        questions: &[translate::Question<'_>],
        state: Option<Bytes>,
        until: Instant,
    ) -> Next {
        self.rounds += 1;
        if self.rounds > ROUNDS_MAX {
            return Next::Stuck(format!("the source asked more than {ROUNDS_MAX} times in one call"));
        }
        if questions.is_empty() {
            return Next::Again { answers: Vec::new(), state };
        }
        let answers = questions.iter().map(|question| (question.key.to_string(), None)).collect();
        self.round = Some(Round { answers, state });
        for (at, question) in questions.iter().enumerate() {
            let params = |id: u64| question.legacy_params(revision, &format!("doorward-{id}"));
            if !self.put(session, question.ask, params, To::Entry(at), until) {
                return Next::Stuck("too many questions wait for answers".to_owned());
            }
        }
        Next::Wait
    }

    /// Returns how often the source has been asked again.
    pub(super) fn rounds(&self) -> u32 {
        self.rounds
    }

    fn put(
        &mut self,
        session: &Arc<Session>,
        ask: Ask,
        params: impl FnOnce(u64) -> String,
        to: To,
        until: Instant,
    ) -> bool {
        if self.asked.len() >= CALL_QUESTIONS_MAX {
            return false;
        }
        let line = self.line.get_or_insert_with(|| {
            let (sender, answers) = mpsc::channel(OPEN_QUESTIONS_MAX);
            Line { session: Arc::clone(session), sender, answers }
        });
        let Some(question) = line.session.ask(&line.sender) else { return false };
        self.asked.push(Asked { question, ask, to, until });
        let id = question_id(question);
        let params = params(question);
        self.outbox.push_back(write::request_as(Raw::checked(&id), ask.as_str(), params.as_bytes()));
        true
    }

    /// Waits for a legacy caller's answer. Cancel-safe.
    pub(super) async fn answer(&mut self) -> Answered {
        match &mut self.line {
            Some(line) => match line.answers.recv().await {
                Some(answered) => answered,
                None => std::future::pending().await,
            },
            None => std::future::pending().await,
        }
    }

    /// Takes a legacy caller's answer.
    pub(super) fn take(&mut self, answered: Answered) -> Next {
        let Some(at) = self.asked.iter().position(|asked| asked.question == answered.question) else {
            return Next::Wait;
        };
        let asked = self.asked.swap_remove(at);
        match asked.to {
            To::Source(id, revision) => {
                let body = match answered.body {
                    ReplyBody::Result(result) => for_source(asked.ask, revision, result),
                    error => error,
                };
                self.replies.push_back((id, body));
                Next::Wait
            }
            To::Entry(at) => match answered.body {
                ReplyBody::Result(result) => {
                    let answer = translate::answer_for_retry(raw(&result)).into_owned();
                    self.fill(at, answer.into())
                }
                // A modern source can be told that a form was cancelled, and nothing else.
                ReplyBody::Error(_) if asked.ask == Ask::Elicitation => {
                    self.fill(at, Bytes::from_static(CANCELLED))
                }
                ReplyBody::Error(_) => {
                    let method = asked.ask.as_str();
                    Next::Stuck(format!("the caller answered `{method}` with an error"))
                }
            },
        }
    }

    fn fill(&mut self, at: usize, answer: Bytes) -> Next {
        let Some(round) = &mut self.round else { return Next::Wait };
        if let Some((_, place)) = round.answers.get_mut(at) {
            *place = Some(answer);
        }
        if round.answers.iter().any(|(_, answer)| answer.is_none()) {
            return Next::Wait;
        }
        let Round { answers, state } = self.round.take().unwrap_or_default();
        let answers = answers.into_iter().filter_map(|(key, answer)| Some((key, answer?))).collect();
        Next::Again { answers, state }
    }

    /// Returns when something is to be done although nobody says anything.
    pub(super) fn due(&self) -> Option<Instant> {
        let asked = self.asked.iter().map(|asked| asked.until).min();
        [asked, self.gather_until].into_iter().flatten().min()
    }

    /// Gives up questions that nobody answered in time.
    pub(super) fn give_up(&mut self, now: Instant) -> Next {
        while let Some(at) = self.asked.iter().position(|asked| asked.until <= now) {
            let asked = self.asked.swap_remove(at);
            self.take_back(asked.question);
            match asked.to {
                To::Source(id, _) => self.replies.push_back((id, unanswered(asked.ask))),
                To::Entry(at) if asked.ask == Ask::Elicitation => {
                    match self.fill(at, Bytes::from_static(CANCELLED)) {
                        Next::Wait => {}
                        next => return next,
                    }
                }
                To::Entry(_) => return Next::Stuck("the caller did not answer in time".to_owned()),
            }
        }
        Next::Wait
    }
}

impl Drop for Dialogue {
    fn drop(&mut self) {
        if let Some(line) = &self.line {
            for asked in &self.asked {
                line.session.forget(asked.question);
            }
        }
    }
}

/// Returns parameters as JSON.
pub(super) fn raw(params: &Bytes) -> Raw<'_> {
    Raw::checked(std::str::from_utf8(params).unwrap_or("{}"))
}

/// Returns what a legacy source is told whose question nobody answers.
pub(super) fn unanswered(ask: Ask) -> ReplyBody {
    match ask {
        Ask::Elicitation => ReplyBody::Result(Bytes::from_static(CANCELLED)),
        Ask::Sampling | Ask::Roots => refused(codes::INTERNAL, "nobody answered in time"),
    }
}

/// Returns the error a legacy source is told whose question is not asked.
pub(super) fn refused(code: i64, text: &str) -> ReplyBody {
    let text = format!(r#"{{"code":{code},"message":{}}}"#, write::quoted(text));
    ReplyBody::Error(text.into())
}
