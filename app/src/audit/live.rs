//! What the live tail is told.

use doorward::model::RunEvent;

use super::row::{outcome, sentence};
use crate::{island::FIELD_SEPARATOR, ui::duration_us};

/// Writes an event as one line for the live tail of the console, without line breaks.
pub fn live_line(event: &RunEvent) -> String {
    let (tone, word) = outcome(event.outcome);
    let duration = if event.action.is_call() { duration_us(event.duration_us) } else { String::new() };
    let fields = [
        event.id.to_string(),
        event.principal.clone(),
        sentence(event),
        event.preset_slug.clone(),
        tone.badge().to_owned(),
        word.to_owned(),
        duration,
    ];
    let fields = fields.map(|field| field.replace(|c: char| c.is_control(), " "));
    fields.join(&FIELD_SEPARATOR.to_string())
}
