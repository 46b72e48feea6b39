//! The shapes of the tasks extension (SEP-2663): calls that are answered later.
//!
//! Only modern callers and modern sources have it. The experiment of 2025-11-25 shares two names of
//! methods with it and nothing else; Doorward neither declares nor relays that one.

use std::borrow::Cow;

use crate::mcp::{Raw, edit, write};

/// How a task is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskStatus {
    /// Under way.
    Working,
    /// Waits for answers to its questions.
    InputRequired,
    /// Has a result, which may say that the tool failed.
    Completed,
    /// Ended with a JSON-RPC error.
    Failed,
    /// Was given up.
    Cancelled,
}

impl TaskStatus {
    /// Reads the member `status` of a task; `None` if it has none that the extension knows.
    pub fn read(task: Raw<'_>) -> Option<Self> {
        match &*task.member("status")?.as_str()? {
            "working" => Some(Self::Working),
            "input_required" => Some(Self::InputRequired),
            "completed" => Some(Self::Completed),
            "failed" => Some(Self::Failed),
            "cancelled" => Some(Self::Cancelled),
            _ => None,
        }
    }

    /// Says whether it stays that way.
    pub fn is_final(self) -> bool {
        match self {
            Self::Working | Self::InputRequired => false,
            Self::Completed | Self::Failed | Self::Cancelled => true,
        }
    }
}

/// Returns the id of a task in a result, in parameters or in a notification. It is flat in all of them.
pub fn task_id(object: Raw<'_>) -> Option<Cow<'_, str>> {
    object.member("taskId")?.as_str()
}

/// Returns the same under another id: Doorward's own towards callers, the source's own towards sources.
pub fn with_task_id(object: Raw<'_>, id: &str) -> String {
    edit::set_member(object, "taskId", &write::quoted(id))
}

/// Returns how long a task is kept, in milliseconds; `None` = without end, or the source does not say.
pub fn ttl_ms(task: Raw<'_>) -> Option<u64> {
    task.member("ttlMs")?.get().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_task_has_another_id_here_and_there() {
        let task = Raw::parse(
            r#"{"resultType":"task","taskId":"t\"1","status":"working","createdAt":"a","ttlMs":null,"x":1.0}"#,
        )
        .expect("JSON");

        assert_eq!(task_id(task).as_deref(), Some("t\"1"));
        assert_eq!(
            with_task_id(task, "sealed"),
            r#"{"resultType":"task","taskId":"sealed","status":"working","createdAt":"a","ttlMs":null,"x":1.0}"#
        );
        assert_eq!(TaskStatus::read(task), Some(TaskStatus::Working));
        assert_eq!(ttl_ms(task), None);
    }

    #[test]
    fn only_ended_tasks_stay_as_they_are() {
        let status = |text: &str| TaskStatus::read(Raw::parse(text).expect("JSON"));
        for (word, is_final) in [
            ("working", false),
            ("input_required", false),
            ("completed", true),
            ("failed", true),
            ("cancelled", true),
        ] {
            let read = status(&format!(r#"{{"status":"{word}"}}"#)).expect(word);
            assert_eq!(read.is_final(), is_final, "{word}");
        }
        assert_eq!(status(r#"{"status":"submitted"}"#), None);
    }
}
