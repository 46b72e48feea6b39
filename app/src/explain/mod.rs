//! The page that explains why a call would work or not. Its address is the link to send.

mod page;

pub(crate) use page::page;
