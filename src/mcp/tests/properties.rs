//! What holds for every message, tried with many.

use bytes::Bytes;
use proptest::{collection::vec, prelude::*, sample::select};

use super::*;
use crate::mcp::{
    listen::Filter,
    sealed::{self, Purpose},
    translate::{self, Ask, CallEnd, InputRequired, call_end, result_end},
};

const LEGACY: [Revision; 4] =
    [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

fn config() -> ProptestConfig {
    ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() }
}

fn raw(text: &str) -> Raw<'_> {
    Raw::parse(text).expect("JSON")
}

fn value(text: &str) -> Value {
    serde_json::from_str(text).expect("JSON")
}

fn space() -> impl Strategy<Value = &'static str> {
    select(vec!["", "", "", " ", "\n", "\t "])
}

fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>().prop_map(|text| write::quoted(&text)),
        select(vec!["\"\\u0061\"", "\"}\\\"{\"", "\"\\ud83d\\ude00\"", "\"\\/\""]).prop_map(str::to_owned),
    ]
}

/// JSON as somebody else may have written it: with white space, and numbers in any spelling.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        text(),
        select(vec!["null", "true", "false", "1.0", "-0", "1e5", "1E-7", "9007199254740993", "0.10"])
            .prop_map(str::to_owned),
        any::<i64>().prop_map(|number| number.to_string()),
    ];
    leaf.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            (vec(inner.clone(), 0..4), space()).prop_map(|(each, space)| {
                format!("[{space}{}{space}]", each.join(&format!("{space},{space}")))
            }),
            members(inner),
        ]
    })
}

/// An object whose names differ.
fn members(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (vec((select(vec!["a", "b", "type", "uri", "ü", "x\\n", "\\u0063"]), value), 0..5), space()).prop_map(
        |(members, space)| {
            let mut names = Vec::new();
            let mut each = Vec::new();
            for (name, value) in members {
                if !names.contains(&name) {
                    names.push(name);
                    each.push(format!("{space}\"{name}\"{space}:{value}"));
                }
            }
            format!("{{{}{space}}}", each.join(","))
        },
    )
}

/// A block of content that every revision has.
fn block() -> impl Strategy<Value = String> {
    (text(), members(json()))
        .prop_map(|(text, meta)| format!(r#"{{"type":"text","text":{text},"_meta":{meta}}}"#))
}

/// The result of a tool, as legacy sources write it.
fn call_result() -> impl Strategy<Value = String> {
    (vec(block(), 0..3), proptest::option::of(members(json())), any::<bool>(), json()).prop_map(
        |(blocks, structured, is_error, extra)| {
            let structured = structured.map(|value| format!(r#""structuredContent":{value},"#));
            format!(
                r#"{{"content":[{}],{}"isError":{is_error}, "extra" : {extra}}}"#,
                blocks.join(", "),
                structured.unwrap_or_default()
            )
        },
    )
}

fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

/// Returns the result a caller gets.
fn told(end: &CallEnd) -> String {
    let CallEnd::Complete { answer, .. } = end else { panic!("it is complete: {end:?}") };
    let answer = answer.whole();
    raw(std::str::from_utf8(&answer).expect("text")).member("result").expect("a result").get().to_owned()
}

/// Returns the members of an object as written, without these.
fn kept(object: &str, without: &[&str]) -> Vec<(String, String)> {
    let members = raw(object).members().filter(|member| !without.iter().any(|name| member.is(name)));
    members.map(|member| (member.name().into_owned(), member.value.get().to_owned())).collect()
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_result_of_the_legacy_era_comes_back_from_the_modern_one(
        result in call_result(), legacy in select(LEGACY[2..].to_vec()),
    ) {
        let modern = told(&call_end(Revision::LATEST, legacy, raw("1"), &bytes(&result), false));
        let back = told(&call_end(legacy, Revision::LATEST, raw("1"), &bytes(&modern), false));

        prop_assert_eq!(kept(&modern, &["resultType"]), kept(&result, &[]));
        prop_assert_eq!(kept(&back, &[]), kept(&result, &[]));
        prop_assert_eq!(&value(&modern)["resultType"], "complete");
    }

    #[test]
    fn a_modern_result_comes_back_from_the_legacy_era(result in call_result(), legacy in select(LEGACY[2..].to_vec())) {
        let modern = edit::set_member(raw(&result), "resultType", "\"complete\"");

        let there = told(&call_end(legacy, Revision::LATEST, raw("1"), &bytes(&modern), false));
        let back = told(&call_end(Revision::LATEST, legacy, raw("1"), &bytes(&there), false));

        prop_assert_eq!(kept(&back, &[]), kept(&modern, &[]));
    }

    #[test]
    fn within_one_era_no_byte_changes(result in call_result(), legacy in select(LEGACY[2..].to_vec())) {
        let modern = edit::set_member(raw(&result), "resultType", "\"complete\"");

        prop_assert_eq!(told(&call_end(legacy, legacy, raw("1"), &bytes(&result), false)), result);
        let end = call_end(Revision::LATEST, Revision::LATEST, raw("1"), &bytes(&modern), false);
        prop_assert_eq!(told(&end), modern);
    }

    #[test]
    fn the_oldest_callers_keep_every_block_they_know(result in call_result(), legacy in select(LEGACY.to_vec())) {
        let there = told(&call_end(legacy, Revision::LATEST, raw("1"), &bytes(&result), false));

        let blocks = |text: &str| raw(text).member("content").expect("content").elements()
            .map(|block| block.get().to_owned()).collect::<Vec<_>>();
        prop_assert!(blocks(&there).starts_with(&blocks(&result)));
        prop_assert_eq!(kept(&there, &["content"]), kept(&result, &["content"]));
    }

    #[test]
    fn every_other_result_keeps_what_both_eras_have(
        result in members(json()),
        method in select(vec![Method::ResourcesRead, Method::PromptsGet, Method::Complete]),
        legacy in select(LEGACY[2..].to_vec()),
    ) {
        let scope = CacheScope::Private;
        let added = ["resultType", "ttlMs", "cacheScope"];

        let modern = told(&result_end(method, Revision::LATEST, legacy, raw("1"), &bytes(&result), scope));
        let back = told(&result_end(method, legacy, Revision::LATEST, raw("1"), &bytes(&modern), scope));
        let again = told(&result_end(method, Revision::LATEST, legacy, raw("1"), &bytes(&back), scope));

        prop_assert_eq!(kept(&modern, &added), kept(&result, &[]));
        prop_assert_eq!(kept(&back, &[]), kept(&result, &[]));
        prop_assert_eq!(value(&again), value(&modern));
        prop_assert_eq!(value(&modern)["ttlMs"].is_u64(), method.is_cacheable());
    }

    #[test]
    fn a_question_asked_of_the_other_era_is_the_same_question(
        message in text(), extra in members(json()), with_token in any::<bool>(), key in any::<String>(),
    ) {
        let meta = if with_token { r#","_meta":{"progressToken":7}"# } else { "" };
        let params = format!(r#"{{"message":{message},"requestedSchema":{{"type":"object"}},"x":{extra}{meta}}}"#);

        let entry = translate::entry(&*key, Ask::Elicitation, Some(raw(&params)));
        let result = translate::input_required_result(&[entry], None);
        let result = raw(std::str::from_utf8(&result).expect("text"));
        let asked = InputRequired::read(result).expect("a question");
        let back = asked.questions[0].legacy_params(Revision::V2025_11_25, "");

        prop_assert_eq!(&*asked.questions[0].key, &*key);
        prop_assert_eq!(kept(&back, &[]), kept(&params, &["_meta"]));
    }

    #[test]
    fn a_retry_differs_from_its_request_in_the_round_only(params in members(json()), state in text(), answer in members(json())) {
        let retry = translate::retry_params(raw(&params), &[("k", answer.as_str())], Some(&state));

        prop_assert_eq!(kept(&translate::without_round(raw(&retry)), &[]), kept(&params, &[]));
        let round = raw(&retry);
        prop_assert_eq!(round.member("requestState").map(Raw::get), Some(&*state));
        let answers = translate::answers(round.member("inputResponses").expect("answers")).expect("an object");
        prop_assert_eq!(answers[0].1.get(), answer);
    }

    #[test]
    fn splicing_keeps_every_other_byte(object in members(json()), replacement in json()) {
        let object = raw(&object);
        for member in object.members() {
            let name = member.name();
            let span = edit::member_span(object, &name).expect("it is there");

            let set = edit::set_member(object, &name, &replacement);
            let same = edit::set_member(object, &name, member.value.get());

            prop_assert_eq!(&set[..span.start], &object.get()[..span.start]);
            prop_assert_eq!(&set[span.start + replacement.len()..], &object.get()[span.end..]);
            prop_assert_eq!(same, object.get());
            let removed = edit::remove_member(object, &name);
            prop_assert_eq!(kept(&removed, &[]), kept(object.get(), &[&*name]));
        }
        let with = edit::set_member(object, "new", &replacement);
        prop_assert_eq!(kept(&with, &["new"]), kept(object.get(), &[]));
        prop_assert_eq!(value(&edit::remove_member(raw(&with), "new")), value(object.get()));
    }

    #[test]
    fn many_edits_of_an_object_are_each_of_them(
        object in members(json()),
        gone in vec(select(vec!["a", "uri", "c", "none"]), 0..3),
        set in vec((select(vec!["a", "b", "type", "new", "newer"]), json()), 0..3),
    ) {
        let mut edited = object::Object::of(object.as_bytes()).expect("an object");
        let mut expected = kept(&object, &gone);
        gone.iter().for_each(|name| edited.remove(name));
        for (number, (name, json)) in set.iter().enumerate() {
            if gone.contains(name) || set[..number].iter().any(|(other, _)| other == name) {
                continue;
            }
            edited.set(name, json.as_bytes());
            match expected.iter_mut().find(|(there, _)| there == name) {
                Some((_, there)) => *there = json.trim().to_owned(),
                None => expected.push(((*name).to_owned(), json.trim().to_owned())),
            }
        }

        let written = String::from_utf8(edited.written()).expect("text");

        prop_assert!(written.len() <= edited.bytes_max());
        prop_assert!(Raw::parse(&written).is_ok(), "{}", written);
        prop_assert_eq!(kept(&written, &[]), expected);
    }

    #[test]
    fn many_splices_are_as_good_as_one_after_the_other(object in members(json()), replacement in json()) {
        let object = raw(&object);
        let mut splices = edit::Splices::new(object);
        let mut expected = value(object.get());
        for member in object.members().step_by(2) {
            splices.replace(member.value, replacement.clone());
            expected[&*member.name()] = value(&replacement);
        }

        let spliced = splices.finish();

        prop_assert_eq!(value(&spliced), expected);
        for member in object.members().skip(1).step_by(2) {
            prop_assert_eq!(raw(&spliced).member(&member.name()).map(Raw::get), Some(member.value.get()));
        }
    }

    #[test]
    fn any_text_travels_through_a_header_and_the_body_agrees(name in any::<String>()) {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{{"uri":{},"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#,
            write::quoted(&name)
        );
        let mut headers = HeaderMap::new();
        headers.insert("mcp-protocol-version", HeaderValue::from_static("2026-07-28"));
        headers.insert(headers::METHOD, HeaderValue::from_static("resources/read"));
        headers.insert(headers::NAME, headers::encode_value(&name));

        prop_assert!(classify(&headers, body.as_bytes()).is_ok());
    }

    #[test]
    fn mirrored_arguments_are_accepted_by_whoever_checks_them(a in text(), n in any::<i64>(), flag in any::<bool>()) {
        let schema = raw(
            r#"{"properties":{"a":{"type":"string","x-mcp-header":"A"},"o":{"properties":{"n":{"type":"integer","x-mcp-header":"N"}}},"f":{"type":"boolean","x-mcp-header":"F"}}}"#,
        );
        let spec = headers::ParamHeaders::of_schema(schema).expect("valid");
        let arguments = format!(r#"{{"a":{a},"o":{{"n":{n}}},"f":{flag}}}"#);
        let arguments = Some(raw(&arguments));

        let headers: HeaderMap = spec.for_arguments(arguments).into_iter().collect();

        prop_assert_eq!(spec.check(&headers, arguments), Ok(()));
        prop_assert_eq!(headers.contains_key("mcp-param-n"), n.unsigned_abs() < 1 << 53);
    }

    #[test]
    fn a_stream_is_the_same_however_it_is_cut(texts in vec(json(), 1..5), cuts in vec(1_usize..40, 1..20)) {
        let stream: Vec<u8> = texts.iter().flat_map(|text| sse::encode(text.as_bytes())).collect();
        let mut decoder = sse::Decoder::new(1 << 20);
        let mut events = Vec::new();
        let (mut rest, mut cuts) = (&stream[..], cuts.iter().cycle());

        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().expect("endless")).min(rest.len()));
            decoder.push(piece).expect("small");
            while let Some(event) = decoder.next_event().expect("small") {
                events.push(String::from_utf8(event.data.to_vec()).expect("text"));
            }
            rest = after;
        }

        prop_assert_eq!(events, texts);
    }

    #[test]
    fn what_is_sealed_reads_back_and_nothing_else_does(fields in vec(vec(any::<u8>(), 0..40), 0..6), noise in vec(any::<u8>(), 0..60)) {
        let slices: Vec<_> = fields.iter().map(Vec::as_slice).collect();

        let bytes = sealed::write(Purpose::Task, 9, &slices).expect("small");

        prop_assert_eq!(sealed::read(&bytes, Purpose::Task, 8), Ok(slices));
        if let Ok(read) = sealed::read(&noise, Purpose::Task, 0) {
            let again = sealed::write(Purpose::Task, u64::from_be_bytes(noise[2..10].try_into().expect("eight")), &read);
            prop_assert_eq!(again.as_deref(), Ok(&*noise));
        }
    }

    #[test]
    fn declarations_read_back(flags in any::<[bool; 6]>(), tools in any::<bool>(), ui in proptest::option::of(members(json()))) {
        let [form, url, sampling, context, roots, tasks] = flags;
        let mut declared = Capabilities {
            elicitation_form: form,
            elicitation_url: url,
            sampling,
            sampling_context: sampling && context,
            sampling_tools: sampling && tools,
            roots,
            ..Capabilities::default()
        };
        if let Some(settings) = ui {
            declared.extensions.set(capabilities::extensions::UI, &settings);
        }
        let legacy = declared.clone();
        if tasks {
            declared.extensions.set(capabilities::extensions::TASKS, "{}");
        }

        prop_assert_eq!(&Capabilities::read(raw(&declared.write(Revision::LATEST))), &declared);
        prop_assert_eq!(&Capabilities::read(raw(&declared.write(Revision::V2025_11_25))), &legacy);
        prop_assert_eq!(declared.legacy_key(), legacy);
    }

    #[test]
    fn a_filter_reads_back(flags in any::<[bool; 3]>(), uris in vec(any::<String>(), 0..4), tasks in vec(any::<String>(), 0..4)) {
        let boxed = |texts: Vec<String>| texts.into_iter().map(String::into_boxed_str).collect();
        let [tools, prompts, resources] = flags;
        let filter = Filter { tools, prompts, resources, uris: boxed(uris), task_ids: boxed(tasks) };

        prop_assert_eq!(Filter::read(raw(&filter.write())), Ok(filter));
    }
}
