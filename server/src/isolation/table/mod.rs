//! What everybody may: every route, page and form, with what four kinds of people are answered.
//!
//! The tests hold the program to it and fail where a row is missing; the proof asks by it. A new route, page or form
//! has a row here.

mod forms;
mod pages;
mod routes;

pub use forms::FORMS;
pub use pages::PAGES;
pub use routes::ROUTES;

/// Who asks, in the order of the columns. The owner is who owns what is asked for, the stranger somebody with an
/// account and nothing to do with it, and the administrator one of the instance.
pub const WHO: [&str; 4] = ["nobody", "stranger", "owner", "admin"];
