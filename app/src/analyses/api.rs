//! What the pages of analyses post. Each checks the session; the engine asks the policy.

use doorward::{
    insights::{AnalysisError, NewAnalysis},
    model::AnalysisId,
};
use leptos::{prelude::*, server_fn::ServerFn};

use crate::{
    context::console,
    form::{Form, Mistake, Onward},
    session,
    sources::{mistake as source_mistake, source_id},
    trouble::Trouble,
};

pub(super) const BEGIN: &str = <BeginAnalysis as ServerFn>::PATH;
pub(super) const AGAIN: &str = <RepeatAnalysis as ServerFn>::PATH;
pub(super) const CANCEL: &str = <CancelAnalysis as ServerFn>::PATH;
pub(super) const REMOVE: &str = <RemoveAnalysis as ServerFn>::PATH;

pub(super) const BEGIN_FORM: &str = "begin-analysis";

/// Begins an analysis of an application.
#[server(prefix = "/do", endpoint = "analyses/begin")]
pub async fn begin_analysis(
    source: String,
    app_id: String,
    #[server(default)] attempt: String,
) -> Result<(), ServerFnError> {
    let form = Form::new(BEGIN_FORM).keep("app_id", app_id.trim()).keep("attempt", attempt.trim());
    let back = source_id(&source).map_or_else(|_| "/analyses/new".to_owned(), |id| new_path(Some(id)));
    let outcome = async {
        let member = session::member().await?;
        let wanted = NewAnalysis {
            source: source_id(&source)?,
            app_id: app_id.trim().to_owned(),
            attempt: Some(attempt.trim()).filter(|attempt| !attempt.is_empty()).map(str::to_owned),
        };
        let analysis = console().analyses.begin(&member, wanted).await.map_err(mistake)?;
        Ok(Onward::to(format!("/analyses/{}", analysis.id)))
    };
    form.answer(&back, outcome.await)
}

/// Begins an analysis of the application of another once more.
#[server(prefix = "/do", endpoint = "analyses/again")]
pub async fn repeat_analysis(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        let analysis = console().analyses.again(&member, analysis_id(&id)?).await.map_err(said)?;
        Ok(Onward::to(format!("/analyses/{}", analysis.id)))
    };
    Form::new("repeat-analysis").answer(&back_to(&id), outcome.await)
}

/// Ends an analysis that runs.
#[server(prefix = "/do", endpoint = "analyses/cancel")]
pub async fn cancel_analysis(id: String) -> Result<(), ServerFnError> {
    let path = back_to(&id);
    let outcome = async {
        let member = session::member().await?;
        match console().analyses.cancel(&member, analysis_id(&id)?).await {
            Ok(()) => Ok(Onward::to(path.clone()).saying("It is cancelled.")),
            Err(AnalysisError::Ended) => Ok(Onward::to(path.clone()).warning("It had ended already.")),
            Err(error) => Err(said(error)),
        }
    };
    Form::new("cancel-analysis").answer(&path, outcome.await)
}

/// Removes an analysis with what it found.
#[server(prefix = "/do", endpoint = "analyses/remove")]
pub async fn remove_analysis(id: String) -> Result<(), ServerFnError> {
    let outcome = async {
        let member = session::member().await?;
        console().analyses.remove(&member, analysis_id(&id)?).await.map_err(said)?;
        Ok(Onward::to("/analyses").saying("The analysis is removed."))
    };
    Form::new("remove-analysis").answer(&back_to(&id), outcome.await)
}

/// Reads the id of an analysis from a form or a path.
pub(super) fn analysis_id(text: &str) -> Result<AnalysisId, Trouble> {
    text.parse().map_err(|_| Trouble::NotFound)
}

/// Returns the page that begins one, with its source chosen.
pub(super) fn new_path(source: Option<doorward::model::SourceId>) -> String {
    source.map_or_else(|| "/analyses/new".to_owned(), |id| format!("/analyses/new?source={id}"))
}

fn back_to(id: &str) -> String {
    analysis_id(id).map_or_else(|_| "/analyses".to_owned(), |id| format!("/analyses/{id}"))
}

/// Turns what the engine says of what was typed into what stands beside the field.
fn mistake(error: AnalysisError) -> Mistake {
    match error {
        AnalysisError::Invalid { part, reason } => Mistake::field(part, reason),
        AnalysisError::NotAnalysable { .. }
        | AnalysisError::SourceGone { .. }
        | AnalysisError::Ended
        | AnalysisError::Exhausted { .. }
        | AnalysisError::Concurrent { .. }
        | AnalysisError::Stored { .. }
        | AnalysisError::Busy { .. }
        | AnalysisError::NoPlan { .. }
        | AnalysisError::Stopping
        | AnalysisError::Unreadable { .. } => Mistake::form(error),
        AnalysisError::Source(error) => source_mistake(error),
        AnalysisError::NotFound | AnalysisError::Denied(_) | AnalysisError::Store(_) => error.into(),
    }
}

/// The same where there is no field: said at the top of the page.
fn said(error: AnalysisError) -> Mistake {
    match mistake(error) {
        Mistake::Field(_, text) => Mistake::Trouble(Trouble::Forbidden(text)),
        trouble @ Mistake::Trouble(_) => trouble,
    }
}
