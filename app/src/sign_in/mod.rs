//! Signing in and out: with a password, or with another identity provider.

mod api;
mod code;
mod login;
mod page;
mod sign_up;

pub(crate) use api::SIGN_OUT;
pub(crate) use code::page as code_page;
pub(crate) use login::{ADD_PATH, begin_page as login_page, callback_page, told};
pub(crate) use page::page;
pub(crate) use sign_up::page as sign_up_page;
