//! What runs in the browser. The only room that is also compiled to WebAssembly.
//!
//! An island makes something that works already nicer. It holds no data it was not given, and
//! knows nothing of the engine. To add one: a file here with one `#[island]`.

mod copy;
mod draft;
mod filter;
mod first_call;
mod passkey;
mod renew;
mod tail;

pub use copy::CopyButton;
pub use draft::KeepDraft;
pub use filter::FilterBox;
pub use first_call::FirstCall;
pub use passkey::{PasskeyAsk, PasskeyButton};
pub use renew::Renew;
pub use tail::{FIELD_SEPARATOR, LiveTail};
