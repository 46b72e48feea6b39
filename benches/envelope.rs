//! What the envelope costs: reading a call, passing on an answer, editing a member.

use bytes::Bytes;
use divan::{Bencher, black_box, counter::BytesCount};
use doorward::mcp::{Message, Raw, Revision, edit, sse, translate};

fn main() {
    divan::main();
}

fn call(argument_bytes: usize) -> String {
    let text = "x".repeat(argument_bytes);
    format!(
        r#"{{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{{"name":"echo","arguments":{{"text":"{text}","n":1.0}},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}},"progressToken":"p1"}}}}}}"#
    )
}

fn answer(text_bytes: usize) -> String {
    let text = "x".repeat(text_bytes);
    format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{"content":[{{"type":"text","text":"{text}"}}]}}}}"#)
}

const SIZES: [usize; 3] = [1 << 10, 100 << 10, 1 << 20];

#[divan::bench(args = SIZES)]
fn read_a_call(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| black_box(Message::parse(black_box(body.as_bytes())).expect("a message").id));
}

#[divan::bench(args = SIZES)]
fn read_a_call_into_a_tree(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call(bytes);
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| serde_json::from_slice::<serde_json::Value>(black_box(body.as_bytes())).expect("JSON"));
}

#[divan::bench(args = SIZES)]
fn pass_an_answer_to_the_other_era(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = Bytes::from(answer(bytes));
    let id = Raw::parse("\"caller\"").expect("JSON");
    bencher.counter(BytesCount::new(body.len())).bench(|| {
        let message = Message::parse(black_box(&body)).expect("an answer");
        let result = body.slice_ref(message.result.expect("a result").as_bytes());
        translate::call_end(Revision::V2026_07_28, Revision::V2025_11_25, id, &result, false)
    });
}

#[divan::bench(args = SIZES)]
fn rename_the_tool(bencher: Bencher<'_, '_>, bytes: usize) {
    let body = call(bytes);
    let message = Message::parse(body.as_bytes()).expect("a message");
    let params = message.params.expect("params").raw;
    bencher
        .counter(BytesCount::new(body.len()))
        .bench(|| edit::set_member(black_box(params), "name", "\"other\""));
}

#[divan::bench(args = SIZES)]
fn stream_an_event(bencher: Bencher<'_, '_>, bytes: usize) {
    let event = sse::encode(answer(bytes).as_bytes());
    bencher.counter(BytesCount::new(event.len())).bench(|| {
        let mut decoder = sse::Decoder::new(8 << 20);
        for chunk in event.chunks(16 << 10) {
            decoder.push(chunk).expect("small");
        }
        decoder.next_event().expect("small").expect("whole")
    });
}
