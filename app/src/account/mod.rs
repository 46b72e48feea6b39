//! One's own account: what it may use, the password, and the browsers signed in.

mod api;
mod logins;
mod page;
mod second_step;

pub(crate) use logins::add_page as add_login_page;
pub(crate) use page::page;
pub(crate) use second_step::{new_passkey_page, passkey_page, recovery_codes_page, second_factor_page};
