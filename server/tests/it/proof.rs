//! The audit log proves itself: over REST, by the program, and after somebody was erased from it.

use std::fs;

use doorward::{
    chain::{PublicKey, Verifier, VerifyError},
    model::InstanceRole,
    store::Store,
};
use http::{Method, StatusCode};
use serde_json::{Value, json};
use sqlx::{Connection as _, SqliteConnection};

use crate::{
    running::Place,
    world::{Person, World},
};

async fn get(world: &World, person: &Person, path: &str) -> String {
    let answer = world.api(person, Method::GET, path, None).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body
}

async fn key_of(world: &World, person: &Person) -> PublicKey {
    let keys: Value = serde_json::from_str(&get(world, person, "/api/v1/audit/keys").await).unwrap();
    PublicKey::parse(keys[0]["public_key"].as_str().unwrap()).unwrap()
}

fn verify(file: &str, key: PublicKey) -> Result<(i64, i64, i64), VerifyError> {
    let report = Verifier::new(vec![key]).file("file", file.as_bytes())?;
    Ok((report.tally.events, report.tally.erased, report.checkpoints))
}

#[tokio::test]
async fn a_file_with_proof_is_verified_without_the_installation() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    for slug in ["a", "b", "c"] {
        world.api(&ada, Method::POST, "/api/v1/presets", Some(json!({"slug": slug}))).await;
    }

    let signed = world.api(&ada, Method::POST, "/api/v1/audit/checkpoints", None).await;
    assert_eq!(signed.status, StatusCode::CREATED, "{}", signed.body);
    let key = key_of(&world, &ada).await;
    let file = get(&world, &ada, "/api/v1/audit/proof.jsonl").await;
    let last = signed.json()["seq"].as_i64().unwrap();

    // What was signed for, and that it was signed for.
    world.engine.audit.flush().await;
    let (events, erased, checkpoints) = verify(&file, key).unwrap();
    assert!((last..=last + 1).contains(&events) && erased == 0 && checkpoints == 1, "{file}");
    let altered = file.replacen(r#""preset_slug":"b""#, r#""preset_slug":"x""#, 1);
    assert!(matches!(verify(&altered, key), Err(VerifyError::Flaw(_))));
    let listed: Value = serde_json::from_str(&get(&world, &ada, "/api/v1/audit/checkpoints").await).unwrap();
    assert_eq!(listed["items"], json!([signed.json()]));

    // The rest of it is a file that continues the first.
    let rest = get(&world, &ada, &format!("/api/v1/audit/proof.jsonl?after={last}")).await;
    let mut verifier = Verifier::new(vec![key]);
    verifier.file("whole", file.as_bytes()).unwrap();
    let report = verifier.file("rest", rest.as_bytes()).unwrap();
    assert_eq!((report.tally.events, report.checkpoints), (1, 0), "{rest}");
    assert_eq!(verifier.unsigned(), 1, "that it was signed for is newer");
}

#[tokio::test]
async fn whoever_is_erased_is_in_no_log_and_every_log_is_whole() {
    let world = World::open().await;
    let grace = world.person("grace", InstanceRole::Admin).await;
    // A name that no hash has in it.
    let linus = world.person("linus", InstanceRole::Member).await;
    world.api(&linus, Method::POST, "/api/v1/presets", Some(json!({"slug": "notes"}))).await;
    world.engine.audit.flush().await;
    let before = get(&world, &linus, "/api/v1/audit/proof.jsonl").await;
    assert!(before.contains("\"linus\"") && before.contains("127.0.0.1"), "{before}");

    let erase = async |by: &Person, confirm: &str| {
        let body = json!({"handle": "linus", "confirm": confirm});
        world.api(by, Method::POST, "/api/v1/admin/erasures", Some(body)).await
    };
    assert_eq!(erase(&linus, "linus").await.status, StatusCode::FORBIDDEN);
    assert_eq!(erase(&grace, "yes").await.status, StatusCode::UNPROCESSABLE_ENTITY);
    let erased = erase(&grace, "linus").await;
    assert_eq!(erased.status, StatusCode::OK, "{}", erased.body);
    assert!(erased.json()["events"].as_u64().unwrap() >= 2, "{}", erased.body);
    world.engine.audit.flush().await;

    let key = key_of(&world, &linus).await;
    let after = get(&world, &linus, "/api/v1/audit/proof.jsonl").await;
    let events = after.lines().filter(|line| line.contains(r#""kind":"event""#));
    for event in events {
        for trace in ["linus", "127.0.0.1", &linus.member.user.to_string()] {
            assert!(!event.contains(trace), "{trace}: {event}");
        }
    }
    let (count, erased, _) = verify(&after, key).unwrap();
    assert!(erased > 0 && count >= erased, "{after}");
    // The file from before and that from after are of the same chain.
    let mut verifier = Verifier::new(vec![key]);
    verifier.file("before", before.as_bytes()).unwrap();
    verifier.file("after", after.as_bytes()).unwrap();
    // That it was done is told where whoever did it acts, without saying whom.
    let told = get(&world, &grace, "/api/v1/audit?action=audit_change").await;
    let told: Value = serde_json::from_str(&told).unwrap();
    let event = &told["items"][0];
    assert_eq!(event["principal"], json!("grace"), "{told}");
    assert!(!event.to_string().contains("linus"), "{told}");
    assert!(world.engine.notary.verify(&[], &[]).await.unwrap().flaw.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_verifies_its_own_log_and_finds_one_rewritten_as_a_whole() {
    let place = Place::new();
    place.prepare("").await;
    let (_, key) = place.run(&["audit", "key"]).await;
    let (signed, kept) = place.run(&["audit", "checkpoint"]).await;
    assert!(signed.success() && kept.lines().count() == 1, "{kept}");
    fs::write(place.path("kept"), kept).unwrap();
    let key = key.trim();
    let with_kept = ["audit", "verify", "--key", key, "--kept", "kept"];

    let (good, said) = place.run(&["audit", "verify"]).await;
    assert!(good.success() && said.contains("1 checkpoints are as they were"), "{said}");
    let (good, said) = place.run(&with_kept).await;
    assert!(good.success(), "{said}");
    let (rotated, said) = place.run(&["vault", "rotate"]).await;
    assert!(rotated.success() && said.contains("1 credentials are sealed"), "{said}");
    let (_, same) = place.run(&["audit", "key"]).await;
    assert_eq!(same.trim(), key);

    // Somebody with the file in hand changes an event, and then makes the whole chain anew.
    let altered = "update audit_blocks set body = unhex(replace(hex(body), hex('ada'), hex('eve'))) where first_seq = 1";
    let event = change(&place, altered).await;
    assert_eq!(event, (Some(1), "event 1 was altered: its contents do not give its hash".to_owned()));
    let store = Store::open_sqlite(&place.database()).await.unwrap();
    let mut tx = store.system().await.unwrap();
    let ada = tx.list_users(None, 1).await.unwrap().remove(0);
    let mut events: Vec<_> = Vec::new();
    for link in store.read(ada.tenant).await.unwrap().list_links(0, 99, 99).await.unwrap() {
        events.push(link.event);
    }
    drop(tx);
    change(&place, "delete from audit_blocks").await;
    change(&place, "delete from audit_heads").await;
    change(&place, "drop trigger audit_checkpoints_last").await;
    change(&place, "delete from audit_checkpoints").await;
    tx = store.system().await.unwrap();
    tx.append_events(&events).await.unwrap();
    tx.commit().await.unwrap();
    store.close().await;
    let (good, said) = place.run(&["audit", "verify"]).await;
    assert!(good.success(), "nothing in the database tells: {said}");
    let (found, said) = place.run(&with_kept).await;
    assert!(!found.success() && said.contains("the chain was rewritten"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_verifies_files_without_an_installation() {
    let world = World::open().await;
    let ada = world.person("ada", InstanceRole::Member).await;
    world.api(&ada, Method::POST, "/api/v1/audit/checkpoints", None).await;
    world.engine.audit.flush().await;
    let file = get(&world, &ada, "/api/v1/audit/proof.jsonl").await;
    let key = key_of(&world, &ada).await.to_string();
    let place = Place::new();
    fs::write(place.path("log.jsonl"), &file).unwrap();
    fs::write(place.path("altered.jsonl"), file.replacen("sign_in", "sign_out", 1)).unwrap();

    let (good, said) = place.run(&["audit", "verify", "log.jsonl", "--key", &key]).await;
    let (named, told) = place.run(&["audit", "verify", "log.jsonl"]).await;
    let (altered, found) = place.run(&["audit", "verify", "altered.jsonl", "--key", &key]).await;
    let other = PublicKey::from_bytes(&[7; 32]).unwrap().to_string();
    let (stranger, unknown) = place.run(&["audit", "verify", "log.jsonl", "--key", &other]).await;

    assert!(good.success() && said.contains("1 checkpoints are as they were recorded"), "{said}");
    assert!(named.success() && told.contains(&key) && told.contains("compare it"), "{told}");
    assert!(altered.code() == Some(1) && found.contains("altered.jsonl: event 2 was altered"), "{found}");
    assert!(stranger.code() == Some(1) && unknown.contains("none of those that count"), "{unknown}");
    assert!(!place.path("data").exists(), "no installation was made for it");
}

/// Changes the database by hand, without the program, and says what is found wrong then.
async fn change(place: &Place, statement: &'static str) -> (Option<i64>, String) {
    let url = format!("sqlite://{}", place.database().display());
    let mut connection = SqliteConnection::connect(&url).await.unwrap();
    for trigger in ["drop trigger if exists audit_blocks_stay", "drop trigger if exists audit_blocks_last"] {
        sqlx::query(trigger).execute(&mut connection).await.unwrap();
    }
    sqlx::query(statement).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    let store = Store::open_sqlite(&place.database()).await.unwrap();
    let mut tx = store.system_snapshot().await.unwrap();
    let mut found = (None, String::new());
    for end in tx.list_chain_ends(None, 9).await.unwrap() {
        if let Some(flaw) = tx.verify_chain(end.tenant, &[]).await.unwrap().flaw {
            found = (Some(flaw.seq()), flaw.to_string());
        }
    }
    drop(tx);
    store.close().await;
    found
}
