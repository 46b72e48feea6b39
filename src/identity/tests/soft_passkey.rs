//! A browser and its authenticator in software, with one passkey that counts. The tests over HTTP
//! take this file too, so it knows nothing of the engine.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD as BASE64};
use ring::{
    rand::SystemRandom,
    signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair},
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const USER_PRESENT_AND_VERIFIED: u8 = 0b101;
const HAS_CREDENTIAL: u8 = 1 << 6;
const CREDENTIAL_ID_BYTES: usize = 16;

/// A passkey (ES256) on an authenticator that verifies its user.
pub(crate) struct SoftPasskey {
    key: EcdsaKeyPair,
    credential_id: [u8; CREDENTIAL_ID_BYTES],
    user: String,
    /// How often it has signed.
    pub(crate) counter: u32,
}

impl SoftPasskey {
    /// Does what `navigator.credentials.create` does at that origin. Takes the options as JSON and
    /// returns the passkey and the answer.
    pub(crate) fn make(options: &str, origin: &str) -> (Self, String) {
        let options: Value = serde_json::from_str(options).expect("the options are JSON");
        let random = SystemRandom::new();
        let algorithm = &ECDSA_P256_SHA256_ASN1_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(algorithm, &random).expect("there are random bytes");
        let key = EcdsaKeyPair::from_pkcs8(algorithm, pkcs8.as_ref(), &random).expect("a key just made");
        let credential_id = ring::rand::generate(&random).expect("there are random bytes").expose();
        let user = text(&options["user"]["id"]);
        let made = Self { key, credential_id, user, counter: 1 };

        // The public key is 4, x, y; it is told as a COSE_Key (RFC 9053): EC2, ES256, P-256.
        let point = made.key.public_key().as_ref();
        let mut data = authenticator_data(&text(&options["rp"]["id"]), HAS_CREDENTIAL, made.counter);
        data.extend([0; 16]);
        data.extend([0, CREDENTIAL_ID_BYTES as u8]);
        data.extend(made.credential_id);
        data.extend([0xa5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32]);
        data.extend(&point[1..33]);
        data.extend([0x22, 0x58, 32]);
        data.extend(&point[33..]);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58".to_vec();
        object.push(u8::try_from(data.len()).expect("the data is short"));
        object.extend(data);

        let client = client_data("webauthn.create", &options, origin);
        let answer = json!({
            "id": BASE64.encode(made.credential_id),
            "rawId": BASE64.encode(made.credential_id),
            "type": "public-key",
            "response": {
                "attestationObject": BASE64.encode(object),
                "clientDataJSON": BASE64.encode(client),
                "transports": ["internal"],
            },
            "clientExtensionResults": {},
        });
        (made, answer.to_string())
    }

    /// Does what `navigator.credentials.get` does at that origin, whatever credentials the options
    /// name. Takes them as JSON and returns the answer.
    pub(crate) fn show(&mut self, options: &str, origin: &str) -> String {
        let options: Value = serde_json::from_str(options).expect("the options are JSON");
        self.counter += 1;
        let data = authenticator_data(&text(&options["rpId"]), 0, self.counter);
        let client = client_data("webauthn.get", &options, origin);
        let signed = [data.as_slice(), Sha256::digest(&client).as_slice()].concat();
        let signature = self.key.sign(&SystemRandom::new(), &signed).expect("there are random bytes");
        json!({
            "id": BASE64.encode(self.credential_id),
            "rawId": BASE64.encode(self.credential_id),
            "type": "public-key",
            "response": {
                "authenticatorData": BASE64.encode(data),
                "clientDataJSON": BASE64.encode(client),
                "signature": BASE64.encode(signature),
                "userHandle": self.user,
            },
            "clientExtensionResults": {},
        })
        .to_string()
    }
}

fn authenticator_data(rp_id: &str, flags: u8, counter: u32) -> Vec<u8> {
    let mut data = Sha256::digest(rp_id).to_vec();
    data.push(USER_PRESENT_AND_VERIFIED | flags);
    data.extend(counter.to_be_bytes());
    data
}

fn client_data(kind: &str, options: &Value, origin: &str) -> Vec<u8> {
    let challenge = &options["challenge"];
    json!({ "type": kind, "challenge": challenge, "origin": origin, "crossOrigin": false })
        .to_string()
        .into_bytes()
}

fn text(value: &Value) -> String {
    value.as_str().expect("the options hold it").to_owned()
}
