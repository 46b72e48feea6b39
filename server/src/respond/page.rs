//! A situation as a page for people, drawn without the console so that it also works when the
//! console does not.

use axum::response::{Html, IntoResponse, Response};

use super::Problem;

/// Answers with a page.
pub fn page(problem: &Problem) -> Response {
    let status = problem.status();
    let title = problem.title();
    let detail = escape(problem.detail());
    let html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\"><title>{title} · Doorward</title></head>\
         <body><main><h1>{title}</h1><p>{detail}</p><p><a href=\"/\">Doorward</a></p></main></body></html>"
    );
    let mut response = (status, Html(html)).into_response();
    problem.add_headers(&mut response);
    response
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_shows_its_detail_as_text() {
        assert_eq!(escape("<b a='\"'>&"), "&lt;b a=&#39;&quot;&#39;&gt;&amp;");
    }
}
