//! The seeds of the fuzz targets, replayed and changed a little: what `cargo fuzz` looks for at length,
//! looked for briefly wherever the tests run.

use std::{fs, path::Path};

#[path = "../../../fuzz/src/checks.rs"]
mod checks;

/// How often each seed is changed.
const CHANGES: usize = 200;

#[test]
fn every_seed_and_its_neighbours_pass_their_check() {
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus");
    let mut next = random();
    for (target, check) in checks::TARGETS {
        let mut seeds: Vec<_> = fs::read_dir(corpus.join(target))
            .expect("every target has seeds")
            .map(|entry| fs::read(entry.expect("a seed").path()).expect("it can be read"))
            .collect();
        seeds.sort();
        assert!(seeds.len() >= 4, "{target} has few seeds");
        for seed in &seeds {
            check(seed);
            for _ in 0..CHANGES {
                check(&changed(seed, &seeds, &mut next));
            }
        }
    }
}

/// Returns the seed with some bytes replaced, removed or added, or with the end of another.
fn changed(seed: &[u8], others: &[Vec<u8>], next: &mut impl FnMut(usize) -> usize) -> Vec<u8> {
    const ALPHABET: &[u8] = b"{}[]\",:\\u0019eE+-.tfn \r\n\x00\x01\x7f\x80\xffax";
    let mut bytes = seed.to_vec();
    for _ in 0..=next(4) {
        let at = next(bytes.len() + 1);
        let byte = ALPHABET[next(ALPHABET.len())];
        match next(4) {
            0 if at < bytes.len() => bytes[at] = byte,
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => {
                let other = &others[next(others.len())];
                bytes.truncate(at);
                bytes.extend_from_slice(&other[next(other.len() + 1)..]);
            }
            _ => bytes.insert(at, byte),
        }
    }
    bytes
}

/// Returns a source of the same numbers in every run.
fn random() -> impl FnMut(usize) -> usize {
    let mut state = 88_172_645_463_325_252_u64;
    move |bound| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        usize::try_from(state % bound as u64).expect("small")
    }
}
