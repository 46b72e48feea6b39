//! Tables: where things are compared.

use leptos::prelude::*;

/// A column: its head, and whether it holds numbers.
#[derive(Clone, Debug)]
pub(crate) struct Column {
    head: String,
    number: bool,
    hidden: bool,
    wide: bool,
}

impl Column {
    /// A column of text.
    pub(crate) fn text(head: &str) -> Self {
        Self { head: head.to_owned(), number: false, hidden: false, wide: false }
    }

    /// A column of numbers, set to the right.
    pub(crate) fn number(head: &str) -> Self {
        Self { head: head.to_owned(), number: true, hidden: false, wide: false }
    }

    /// A column of buttons, whose head only screen readers meet.
    pub(crate) fn actions(head: &str) -> Self {
        Self { head: head.to_owned(), number: true, hidden: true, wide: false }
    }

    /// Leaves it out on narrow screens; its cells have the classes `hidden sm:table-cell` too.
    pub(crate) fn wide(mut self) -> Self {
        self.wide = true;
        self
    }
}

/// A table with hairlines. Rows are `<tr>` of `<td>`; cells of numbers have the class `number`.
#[component]
pub(crate) fn Table(
    /// What it holds, for screen readers.
    #[prop(into)]
    caption: String,
    /// The columns.
    columns: Vec<Column>,
    /// The rows.
    children: Children,
) -> impl IntoView {
    let heads = columns
        .into_iter()
        .map(|column| {
            let class = match (column.number, column.wide) {
                (false, false) => "",
                (true, false) => tw!("number"),
                (false, true) => tw!("hidden sm:table-cell"),
                (true, true) => tw!("number hidden sm:table-cell"),
            };
            let inner = if column.hidden {
                view! { <span class="sr-only">{column.head}</span> }.into_any()
            } else {
                column.head.into_any()
            };
            view! { <th scope="col" class=class>{inner}</th> }
        })
        .collect_view();
    view! {
        <div class="table-frame">
            <table class="data-table">
                <caption class="sr-only">{caption}</caption>
                <thead><tr>{heads}</tr></thead>
                <tbody>{children()}</tbody>
            </table>
        </div>
    }
}
