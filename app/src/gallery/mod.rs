//! The gallery: all public presets, with search. Whoever is signed in sees all of them; everybody else those that
//! ask for no key, and only where the operator opens the gallery.

mod page;

pub(crate) use page::page;
