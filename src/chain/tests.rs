//! Chains that hold, and every way in which one may not.

use uuid::Uuid;

use super::*;
use crate::{
    clock::Ms,
    model::{ApiKeyId, EventId, PresetId, RunEvent, SourceId, TenantId, TraceContext, UserId},
};

const AT: Ms = Ms(1_795_233_963_183);

fn key(byte: u8) -> SigningKey {
    SigningKey::from_seed(&[byte; SEED_BYTES]).unwrap()
}

/// Makes a chain of so many events.
fn chain(tenant: TenantId, events: i64) -> Vec<Link> {
    let mut links: Vec<Link> = Vec::new();
    for seq in 1..=events {
        let prev = links.last().map_or(FIRST_PREV, |link| link.hash);
        let event = RunEvent { subject: format!("tool-{seq}"), ..RunEvent::example(tenant) };
        links.push(Link::new(seq, prev, event));
    }
    links
}

/// Writes links as a file, with a checkpoint of the last one.
fn file(links: &[Link], by: &SigningKey) -> String {
    let (first, last) = (&links[0], &links[links.len() - 1]);
    let tenant = first.event.tenant;
    let mut out = Vec::new();
    proof_line(&Line::Begin(Begin::behind(tenant, "ada".into(), first.seq - 1, first.prev)), &mut out);
    for link in links {
        proof_line(&Line::Event(Box::new(link.into())), &mut out);
    }
    let key = Line::Key { id: by.public().id(), public_key: by.public() };
    proof_line(&key, &mut out);
    proof_line(&Line::Checkpoint(by.sign(tenant, last.seq, last.hash, AT)), &mut out);
    let end = End { events: i64::try_from(links.len()).unwrap(), last: last.seq };
    proof_line(&Line::End(end), &mut out);
    String::from_utf8(out).unwrap()
}

fn verify(files: &[&str], keys: Vec<PublicKey>) -> Result<(i64, i64), VerifyError> {
    let mut verifier = Verifier::new(keys);
    let (mut events, mut checkpoints) = (0, 0);
    for (number, text) in files.iter().enumerate() {
        let report = verifier.file(&format!("file {number}"), text.as_bytes())?;
        events += report.tally.events;
        checkpoints += report.checkpoints;
    }
    Ok((events, checkpoints))
}

fn flaw(files: &[&str], keys: Vec<PublicKey>) -> Flaw {
    match verify(files, keys) {
        Err(VerifyError::Flaw(flaw)) => flaw,
        other => panic!("{other:?}"),
    }
}

#[test]
fn files_that_continue_each_other_hold() {
    let links = chain(TenantId::new(), 9);
    let key = key(1);
    let files = [file(&links[..4], &key), file(&links[4..], &key)];

    // Also when one is there twice, and when events are in two of them.
    let overlapping = file(&links[2..], &key);
    assert_eq!(verify(&[&files[0], &files[1]], vec![key.public()]).unwrap(), (9, 2));
    assert_eq!(verify(&[&files[0], &overlapping], vec![]).unwrap(), (11, 2));
    assert_eq!(verify(&[&files[1]], vec![key.public()]).unwrap(), (5, 1));
}

#[test]
fn whatever_is_changed_in_a_file_is_found_and_named() {
    let links = chain(TenantId::new(), 6);
    let key = key(1);
    let whole = file(&links, &key);
    let lines: Vec<&str> = whole.lines().collect();
    let without = |number: usize| {
        let left = lines.iter().enumerate().filter(|(place, _)| *place != number);
        left.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    let keys = || vec![key.public()];

    let altered = whole.replace("tool-3", "tool-8");
    assert_eq!(flaw(&[&altered], keys()), Flaw::Altered { seq: 3 });
    assert_eq!(flaw(&[&without(3)], keys()), Flaw::Missing { first: 3, last: 3 });
    let twice = whole.replace(lines[3], &format!("{}\n{}", lines[3], lines[3]));
    assert_eq!(flaw(&[&twice], keys()), Flaw::Inserted { seq: 3, expected: 4 });
    // The event that is put in place of another fits itself, and the next one tells.
    let mut replaced = links.clone();
    replaced[2] = Link::new(3, links[1].hash, RunEvent::example(links[0].event.tenant));
    assert_eq!(flaw(&[&file(&replaced, &key)], keys()), Flaw::Cut { seq: 4 });
    assert!(matches!(verify(&[&without(lines.len() - 1)], keys()), Err(VerifyError::BrokenOff)));
    let last = lines.len() - 4;
    assert!(lines[last].contains("tool-6"), "{}", lines[last]);
    assert_eq!(flaw(&[&without(last)], keys()), Flaw::Missing { first: 6, last: 6 });
    let behind = format!("{whole}{}\n", lines[1]);
    assert!(matches!(verify(&[&behind], keys()), Err(VerifyError::Line { line: 11, .. })));
    assert!(matches!(verify(&["what is this\n"], keys()), Err(VerifyError::Line { line: 1, .. })));
    assert!(matches!(verify(&[&without(0)], keys()), Err(VerifyError::Line { line: 1, .. })));
    assert_eq!(verify(&[&whole], keys()).unwrap(), (6, 1));
}

#[test]
fn a_gap_and_a_cut_between_two_files_are_found() {
    let tenant = TenantId::new();
    let (links, others) = (chain(tenant, 9), chain(tenant, 9));
    let key = key(1);
    let first = file(&links[..3], &key);

    assert_eq!(flaw(&[&first, &file(&links[5..], &key)], vec![]), Flaw::Missing { first: 4, last: 5 });
    assert_eq!(flaw(&[&first, &file(&others[3..], &key)], vec![]), Flaw::Cut { seq: 4 });
}

#[test]
fn a_chain_rewritten_as_a_whole_is_found_by_an_older_checkpoint() {
    let tenant = TenantId::new();
    let (links, rewritten) = (chain(tenant, 5), chain(tenant, 5));
    let (ours, theirs) = (key(1), key(2));
    let mut kept = Vec::new();
    let checkpoint = ours.sign(tenant, 4, links[3].hash, AT);
    proof_line(&Line::Checkpoint(checkpoint), &mut kept);
    let kept = String::from_utf8(kept).unwrap();
    let keys = || vec![ours.public()];

    // By whoever has no key, one of their own, or even ours.
    let (by_them, by_us) = (file(&rewritten, &theirs), file(&rewritten, &ours));
    assert_eq!(flaw(&[&by_them], keys()), Flaw::UnknownKey { seq: 5, key: theirs.public().id() });
    let id = (theirs.public().id(), ours.public().id());
    let pretended = by_them.replace(&id.0, &id.1);
    assert_eq!(flaw(&[&pretended], keys()), Flaw::Signature { seq: 5, key: id.1 });
    assert!(matches!(flaw(&[&kept, &by_us], keys()), Flaw::Rewritten { seq: 4, .. }));
    assert!(matches!(flaw(&[&by_us, &kept], keys()), Flaw::Rewritten { seq: 4, .. }));
    assert_eq!(verify(&[&kept, &file(&links, &ours)], keys()).unwrap(), (5, 2));
}

#[test]
fn erasing_leaves_the_chain_whole_and_nothing_to_guess_by() {
    let tenant = TenantId::new();
    let mut links = chain(tenant, 4);
    let key = key(1);
    let kept = file(&links, &key);
    let erased = &mut links[1];
    let salts = erased.form;
    erased.erase(true, false);
    erased.erase(true, true);

    let text = file(&links, &key);
    assert_eq!(verify(&[&kept, &text], vec![key.public()]).unwrap(), (8, 2));
    let line = text.lines().nth(2).unwrap();
    let Form::Parted { who: Part::Kept(who), what: Part::Kept(what) } = salts else { panic!("{salts:?}") };
    for gone in [hex::encode(who), hex::encode(what), "127.0.0.1".into(), "tool-2".into()] {
        assert!(!line.contains(&gone), "{line}");
    }
    // What is written where something was erased does not become true by it.
    let filled = text.replace(r#""who_erased""#, r#""principal":"bob","who_erased""#);
    assert_eq!(flaw(&[&filled], vec![]), Flaw::FilledIn { seq: 2 });
}

#[test]
fn an_event_hashed_as_a_whole_verifies_and_once_erased_keeps_its_place() {
    let tenant = TenantId::new();
    let mut first = Link::new(1, FIRST_PREV, RunEvent::example(tenant));
    first.form = Form::Whole;
    first.hash = first.expected().unwrap();
    let second = Link::new(2, first.hash, RunEvent::example(tenant));
    let walk = |links: [&Link; 2]| {
        let mut walk = Walk::behind(tenant, 0, FIRST_PREV);
        links.into_iter().try_for_each(|link| walk.step(link)).map(|()| walk.tally())
    };

    assert_eq!(walk([&first, &second]), Ok(Tally { events: 2, erased: 0, blank: 0 }));
    let altered = Link { event: RunEvent { client: "x".into(), ..first.event.clone() }, ..first.clone() };
    assert_eq!(walk([&altered, &second]), Err(Flaw::Altered { seq: 1 }));
    first.erase(true, false);
    assert_eq!(walk([&first, &second]), Ok(Tally { events: 2, erased: 1, blank: 1 }));
}

#[test]
fn a_key_is_read_as_it_is_printed() {
    let key = key(7).public();

    assert_eq!(PublicKey::parse(&format!("{key}\n")), Ok(key));
    for wrong in ["", "ed25519:", "ed25519:AAAA", &key.to_string()[8..]] {
        assert_eq!(PublicKey::parse(wrong), Err(KeyError), "{wrong}");
    }
}

/// Returns events of every form and with every member set, empty, and odd.
fn odd_links(tenant: TenantId) -> Vec<Link> {
    let odd = RunEvent {
        user: Some(UserId::new()),
        key: Some(ApiKeyId::new()),
        preset: Some(PresetId::new()),
        source: Some(SourceId::new()),
        reason: "Ünd \"so\"".repeat(40),
        at: Ms(i64::MIN),
        duration_us: i64::MAX,
        request_bytes: -1,
        // Not as they are always written, so kept as they are.
        argument_digest: "AB".repeat(32),
        request_id: "r-1".into(),
        trace: Some(TraceContext { trace_id: [7; 16], span_id: [8; 8], flags: 9 }),
        ..RunEvent::example(tenant)
    };
    let hexed = RunEvent {
        at: Ms(i64::MAX),
        argument_digest: "0a".repeat(32),
        request_id: "f0".repeat(16),
        ..RunEvent::example(tenant)
    };
    let mut links: Vec<Link> = Vec::new();
    for event in [odd.clone(), hexed.clone(), RunEvent::example(tenant), hexed, odd] {
        let prev = links.last().map_or([3; 32], |link| link.hash);
        let seq = i64::try_from(links.len()).unwrap() + 5;
        links.push(Link::new(seq, prev, event));
    }
    links[0].erase(true, false);
    links[1].form = Form::Whole;
    links[2].form = Form::Blank;
    links[4].erase(true, true);
    links
}

fn bound(links: &[Link]) -> (Vec<u8>, Vec<u8>) {
    let mut writer = BlockWriter::default();
    for link in links {
        writer.push(&link.event, &link.form, &link.hash);
    }
    assert_eq!(writer.shared().iter().map(|(_, events)| events).sum::<i64>(), links.len() as i64);
    writer.finish()
}

#[test]
fn a_block_gives_back_what_was_bound_into_it() {
    let tenant = TenantId::new();
    let links = odd_links(tenant);
    let (ids, body) = bound(&links);

    let back = unpack(tenant, 5, [3; 32], &ids, &body).unwrap();

    assert_eq!(back, links);
    assert!(unpack(tenant, 1, FIRST_PREV, &[], &bound(&[]).1).unwrap().is_empty());
}

/// The bytes that are stored must stay readable: this block was written by the first version.
#[test]
fn a_block_is_written_as_it_always_was() {
    let tenant = TenantId(Uuid::from_bytes([1; 16]));
    let event = RunEvent {
        id: EventId(Uuid::from_bytes([2; 16])),
        user: Some(UserId(Uuid::from_bytes([4; 16]))),
        request_id: "0102030405060708090a0b0c0d0e0f10".into(),
        ..RunEvent::example(tenant)
    };
    let form = Form::Parted { who: Part::Kept([5; 16]), what: Part::Erased([6; 32]) };
    let mut writer = BlockWriter::default();
    writer.push(&event, &form, &[7; 32]);
    let (ids, body) = writer.finish();

    assert_eq!(hex::encode(ids), "02".repeat(16));
    let texts = "09746f6f6c5f63616c6c026f6b0009616e6f6e796d6f7573093132372e302e302e31067465737420310a323032362d30372d3238000004";
    let shared = format!("{texts}6563686f01{}", "04".repeat(16));
    let numbers = "c0a907d00f0000";
    let parts = format!("{}{}{}", "07".repeat(32), "05".repeat(16), "06".repeat(32));
    let events = format!("004a{numbers}000102030405060708090a0b0c0d0e0f10{parts}");
    assert_eq!(hex::encode(body), format!("0101{shared}{events}"));
}

#[test]
fn a_block_that_is_damaged_anywhere_is_refused_or_holds_other_events() {
    let tenant = TenantId::new();
    let links = odd_links(tenant);
    let (ids, body) = bound(&links);
    let read = |ids: &[u8], body: &[u8]| unpack(tenant, 5, [3; 32], ids, body);

    for end in 0..body.len() {
        assert!(read(&ids, &body[..end]).is_err(), "cut at {end}");
    }
    assert!(read(&ids[1..], &body).is_err());
    assert!(read(&ids[16..], &body).is_err());
    assert!(read(&ids, &[&body[..], &[0]].concat()).is_err());
    for place in 0..body.len() {
        for bit in 0..8 {
            let mut damaged = body.clone();
            damaged[place] ^= 1 << bit;
            assert!(read(&ids, &damaged).as_ref() != Ok(&links), "bit {bit} of byte {place}");
        }
    }
    let absurd = [&[1][..], &[0xff; 9], &[1]].concat();
    assert!(read(&ids, &absurd).is_err());
    assert!(read(&ids, &[&[1][..], &[0xff; 10]].concat()).is_err());
}
