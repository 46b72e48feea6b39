//! A call and what its source is doing about it, step by step: every step is something to be told to
//! the caller.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    mcp::{
        Raw, Revision, codes,
        translate::{self, Ask, Entry, InputRequired},
    },
    model::{Era, Outcome},
    proxy::{
        Inner,
        call::{Call, Ending, Turn},
        dialogue::{Dialogue, Next, Question, raw, refused},
        park::Parked,
        running::{Calling, Running, ask_again},
        seal::CannotSeal,
        session::Answered,
        state::State,
    },
    upstream::{Event, QuestionId, Reply, UpstreamError},
};

/// A call and what its source is doing about it.
pub(super) struct Work {
    pub(super) call: Call,
    running: Running,
    /// There once the source has asked something.
    dialogue: Option<Box<Dialogue>>,
    /// When the source has taken too long, not counting what the caller takes to answer.
    deadline: Instant,
}

/// What is to be told next.
pub(super) enum Out {
    /// A message that the caller gets before the answer.
    Message(Bytes),
    /// Nothing was heard for a while.
    Silence,
    /// The answer.
    End(Ending),
    /// The caller cancelled.
    Cancelled,
}

enum Step {
    Event(Result<Event, UpstreamError>),
    Answered(Answered),
    Silence,
    Cancelled,
}

impl Work {
    pub(super) fn begin(call: Call, calling: Calling) -> Self {
        let deadline = Instant::now() + call.timeout;
        Self { call, running: Running::Calling(calling), dialogue: None, deadline }
    }

    /// Goes on with a call that was parked, with these answers.
    pub(super) fn resume(call: Call, parked: Parked, answer: impl FnMut(&str) -> Option<Bytes>) -> Self {
        let mut dialogue = Box::new(Dialogue::default());
        dialogue.pending = parked.questions;
        dialogue.keys = parked.keys;
        dialogue.answered(answer);
        let deadline = Instant::now() + call.timeout;
        let mut work = Self { call, running: parked.running, dialogue: None, deadline };
        // Whoever answers only a part is asked the rest again, together with what came later.
        let now = Instant::now();
        if !dialogue.pending.is_empty() {
            dialogue.gather_until = Some(now);
        }
        for question in parked.later {
            dialogue.gather(question, now);
        }
        work.dialogue = Some(dialogue);
        work
    }

    /// Returns what is to be told next. Cancel-safe; nothing follows the end.
    pub(super) async fn next(&mut self, silence: Duration) -> Out {
        loop {
            if let Some(out) = self.pass_on().await {
                return out;
            }
            let due = self.dialogue.as_ref().and_then(|dialogue| dialogue.due()).unwrap_or(self.deadline);
            let until = Instant::now().checked_add(silence).map_or(due, |end| end.min(due));
            let Self { call, running, dialogue, .. } = self;
            let answered = async {
                match dialogue {
                    Some(dialogue) => dialogue.answer().await,
                    None => std::future::pending().await,
                }
            };
            let step = tokio::select! {
                biased;
                () = call.cancelled() => Step::Cancelled,
                answered = answered => Step::Answered(answered),
                next = tokio::time::timeout_at(until, running.next()) => next.map_or(Step::Silence, Step::Event),
            };
            let out = match step {
                Step::Cancelled => Some(Out::Cancelled),
                Step::Answered(answered) => {
                    let next = self.dialogue().take(answered);
                    self.go_on(next)
                }
                Step::Event(event) => self.hear(event),
                Step::Silence if due <= Instant::now() => self.is_due(),
                Step::Silence => Some(Out::Silence),
            };
            if let Some(out) = out {
                return out;
            }
        }
    }

    fn dialogue(&mut self) -> &mut Dialogue {
        self.dialogue.get_or_insert_default()
    }

    /// Passes on what waits on either side.
    async fn pass_on(&mut self) -> Option<Out> {
        let Self { running, dialogue: Some(dialogue), call, deadline } = self else { return None };
        while let Some((id, body)) = dialogue.replies.front() {
            *deadline = Instant::now() + call.timeout;
            // If this is given up in the middle, the source may have the answer already.
            let is_repeated = std::mem::replace(&mut dialogue.is_replying, true);
            let replied = running.reply(id, body.clone()).await;
            dialogue.replies.pop_front();
            dialogue.is_replying = false;
            if let Err(error) = replied
                && !is_repeated
            {
                return Some(self.end(Err(error)));
            }
        }
        dialogue.outbox.pop_front().map(Out::Message)
    }

    fn hear(&mut self, event: Result<Event, UpstreamError>) -> Option<Out> {
        match event {
            Ok(Event::Notification { method, params }) => {
                self.call.asker.notification(&method, &params).map(Out::Message)
            }
            Ok(Event::Question { id, method, params, revision }) => {
                self.question(id, &method, params, revision)
            }
            Ok(Event::Withdrawn { id }) => {
                self.dialogue().withdraw(&id);
                None
            }
            Ok(Event::Reply(reply)) => {
                self.call.note(Ok(()));
                match self.call.turn(Ok(reply)) {
                    Turn::Over(ending) => Some(Out::End(ending)),
                    Turn::Asks(result) => self.asks(&result),
                    Turn::Pages(pages) => Some(Out::End(self.show_pages(&pages))),
                }
            }
            Err(error) => Some(self.end(Err(error))),
        }
    }

    fn end(&self, end: Result<Reply, UpstreamError>) -> Out {
        self.call.note(end.as_ref().map(|_| ()));
        match self.call.turn(end) {
            Turn::Over(ending) => Out::End(ending),
            Turn::Pages(pages) => Out::End(self.show_pages(&pages)),
            Turn::Asks(_) => unreachable!("a link that failed asks nothing"),
        }
    }

    /// Takes a question of a legacy source.
    fn question(&mut self, id: QuestionId, method: &str, params: Bytes, revision: Revision) -> Option<Out> {
        let Some(ask) = Ask::parse(method) else {
            let refusal = refused(codes::METHOD_NOT_FOUND, "this client does not know the method");
            self.dialogue().replies.push_back((id, refusal));
            return None;
        };
        let missing = self.call.asker.capabilities.missing_for(ask, Some(raw(&params)));
        if self.call.asker.era() == Era::Modern {
            if let Some(required) = missing {
                return Some(Out::End(self.call.cannot_be_asked(method, &required, None)));
            }
            let question = Question { id: id.clone(), ask, params, revision, key: String::new() };
            if !self.dialogue().gather(question, Instant::now()) {
                self.refuse(id);
            }
            return None;
        }
        let may_ask = missing.is_none() && self.call.asker.accepts.sse;
        let until = Instant::now() + self.call.proxy.0.patience.answer;
        match self.call.entry.as_ref().map(|entry| Arc::clone(&entry.session)).filter(|_| may_ask) {
            Some(session) => {
                self.call.sent_to_page(raw(&params));
                let question = Question { id: id.clone(), ask, params, revision, key: String::new() };
                if !self.dialogue().ask(&session, question, until) {
                    self.refuse(id);
                }
            }
            None => self.refuse(id),
        }
        None
    }

    fn refuse(&mut self, id: QuestionId) {
        let refusal = refused(codes::METHOD_NOT_FOUND, "this client cannot be asked that");
        self.dialogue().replies.push_back((id, refusal));
    }

    /// Takes a modern source's result that asks for more.
    fn asks(&mut self, result: &Bytes) -> Option<Out> {
        let asked = match InputRequired::read(raw(result)) {
            Ok(asked) => asked,
            Err(error) => {
                let source = &self.call.source_name;
                let text = format!(
                    "The data source `{source}` asks back in a way that this gateway cannot pass on: {error}. \
                     Nothing was returned."
                );
                return Some(Out::End(self.call.failed(&text, Outcome::Upstream, error.to_string())));
            }
        };
        let capabilities = &self.call.asker.capabilities;
        let revision = self.call.asker.revision;
        let missing = asked.questions.iter().find_map(|question| {
            let required = match capabilities.missing_for(question.ask, question.params) {
                Some(required) => required,
                None if question.suits(revision) => return None,
                // Its revision has no such question, whatever it declared.
                None => "{}".to_owned(),
            };
            Some((question.ask.as_str(), required))
        });
        if let Some((method, required)) = missing {
            let page = asked.questions.iter().find_map(|question| question.url());
            return Some(Out::End(self.call.cannot_be_asked(method, &required, page.as_deref())));
        }
        match self.call.asker.era() {
            Era::Modern => {
                let state = State::Relayed(asked.state.map(|state| state.get().to_owned()));
                let questions = |state: &str| translate::with_state(raw(result), state).into();
                Some(Out::End(self.ask_back(&state, questions)))
            }
            Era::Legacy => {
                let state = asked.state.map(|state| result.slice_ref(state.as_bytes()));
                self.ask_caller(&asked.questions, state)
            }
        }
    }

    /// Answers a modern caller with questions, which the state leads back from.
    fn ask_back(&self, state: &State, questions: impl FnOnce(&str) -> Bytes) -> Ending {
        match self.sealed(state) {
            Ok(state) => self.call.asked(&questions(&state), "the source asks before it answers"),
            Err(error) => {
                tracing::error!(%error, "the state of a call could not be sealed");
                let text = "The gateway cannot go on with this call: what the data source wants to be told \
                            again later cannot be kept.";
                self.call.failed(text, Outcome::Gateway, error.to_string())
            }
        }
    }

    /// Sends a modern caller to the pages that a legacy source wants visited before it is asked again.
    fn show_pages(&self, pages: &[Entry]) -> Ending {
        let params = Raw::checked(r#"{"mode":"url"}"#);
        match self.call.asker.capabilities.missing_for(Ask::Elicitation, Some(params)) {
            Some(required) => self.call.cannot_be_asked(Ask::Elicitation.as_str(), &required, None),
            None => self.ask_back(&State::Relayed(None), |state| {
                translate::input_required_result(pages, Some(state))
            }),
        }
    }

    fn sealed(&self, state: &State) -> Result<String, CannotSeal> {
        let Inner { sealer, patience, .. } = &*self.call.proxy.0;
        let expires = self.call.now().plus(patience.parked);
        sealer.seal(&self.call.bound(), expires, self.call.source, &state.fields())
    }

    /// Asks a legacy caller what a modern source wants to know.
    fn ask_caller(&mut self, questions: &[translate::Question<'_>], state: Option<Bytes>) -> Option<Out> {
        let session = self.call.entry.as_ref().map(|entry| Arc::clone(&entry.session));
        let can_ask = self.call.again.is_some() && (self.call.asker.accepts.sse || questions.is_empty());
        let Some(session) = session.filter(|_| can_ask) else {
            let asked = questions.first().map_or("the same again", |question| question.ask.as_str());
            return Some(Out::End(self.call.cannot_be_asked(asked, "{}", None)));
        };
        self.running = Running::Waiting;
        let until = Instant::now() + self.call.proxy.0.patience.answer;
        let revision = self.call.asker.revision;
        let next = self.dialogue().ask_all(&session, revision, questions, state, until);
        self.go_on(next)
    }

    fn go_on(&mut self, next: Next) -> Option<Out> {
        match next {
            Next::Wait => None,
            Next::Again { answers, state } => {
                let rounds = self.dialogue().rounds();
                let again = self.call.again.as_deref()?;
                let pause = if answers.is_empty() {
                    self.call.proxy.0.patience.again * rounds
                } else {
                    Duration::ZERO
                };
                self.running = Running::Calling(ask_again(again, &answers, state.as_ref(), pause));
                self.deadline = Instant::now() + pause + self.call.timeout;
                None
            }
            Next::Stuck(reason) => {
                let source = &self.call.source_name;
                let text =
                    format!("The data source `{source}` asked back, and the call ended there: {reason}.");
                Some(Out::End(self.call.failed(&text, Outcome::Caller, reason)))
            }
        }
    }

    /// Does what is due: asks a modern caller, gives up on a legacy one, or on the source.
    fn is_due(&mut self) -> Option<Out> {
        let now = Instant::now();
        let dialogue = self.dialogue();
        if dialogue.due().is_none() {
            return Some(self.end(Err(UpstreamError::Timeout { after: self.call.timeout })));
        }
        if dialogue.gather_until.take_if(|until| *until <= now).is_some() && !dialogue.pending.is_empty() {
            return Some(Out::End(self.park()));
        }
        let next = self.dialogue().give_up(now);
        self.go_on(next)
    }

    /// Lets the call wait for its modern caller's answers.
    fn park(&mut self) -> Ending {
        let questions = std::mem::take(&mut self.dialogue().pending);
        let capabilities = &self.call.asker.capabilities;
        // Whoever comes back may have declared less than before.
        let missing = questions.iter().find_map(|question| {
            let required = capabilities.missing_for(question.ask, Some(raw(&question.params)))?;
            Some((question.ask.as_str(), required))
        });
        if let Some((method, required)) = missing {
            return self.call.cannot_be_asked(method, &required, None);
        }
        let entries: Vec<Entry> = questions
            .iter()
            .map(|question| translate::entry(&*question.key, question.ask, Some(raw(&question.params))))
            .collect();
        let running = std::mem::replace(&mut self.running, Running::Waiting);
        let proxy = self.call.proxy.clone();
        let keys = self.dialogue().keys;
        let parked = Parked { running, questions, later: Vec::new(), keys };
        let Some(handle) = proxy.0.park.put(&proxy, self.call.leave.clone(), parked) else {
            let text =
                "Too many calls wait for answers at this moment. Answer those first, or try again later.";
            return self.call.failed(text, Outcome::Refused, "too many calls wait for answers");
        };
        self.ask_back(&State::Parked(handle), |state| translate::input_required_result(&entries, Some(state)))
    }
}
