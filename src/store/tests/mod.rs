//! What the room as a whole promises, on both databases.

mod story;
