//! What a person has used of what their plan allows, what the month will come to, and the months before.

mod page;

pub(crate) use page::{MonthUse, months, page};
