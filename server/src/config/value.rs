//! How a setting is read from text and written back.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    str::FromStr,
};

use doorward::{audit::Every, model::Rate, quota::WhenAway, secret::Secret};
use ipnet::IpNet;
use url::Url;

/// A kind of setting.
pub trait Value: Sized {
    /// Whether the value is never shown.
    const SECRET: bool = false;

    /// Reads the value; the error says what would fit, to be read after the setting's name.
    fn read(text: &str) -> Result<Self, String>;

    /// Writes the value as it could be read again; a secret is written as stars.
    fn write(&self) -> String;
}

fn parse<T: FromStr>(text: &str, wanted: &str) -> Result<T, String> {
    text.trim().parse().map_err(|_| format!("must be {wanted}, not `{text}`"))
}

impl Value for SocketAddr {
    fn read(text: &str) -> Result<Self, String> {
        parse(text, "an IP address with a port, as 127.0.0.1:8080")
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for bool {
    fn read(text: &str) -> Result<Self, String> {
        parse(text, "`true` or `false`")
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for u64 {
    fn read(text: &str) -> Result<Self, String> {
        match parse::<Self>(text, "a whole number from 1")? {
            0 => Err("must be a whole number from 1, not `0`".to_owned()),
            number => Ok(number),
        }
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for PathBuf {
    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err("must name a file or folder".to_owned()) } else { Ok(Self::from(text)) }
    }

    fn write(&self) -> String {
        self.display().to_string()
    }
}

impl Value for String {
    fn read(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() { Err("must not be empty".to_owned()) } else { Ok(text.to_owned()) }
    }

    fn write(&self) -> String {
        self.clone()
    }
}

impl Value for Url {
    fn read(text: &str) -> Result<Self, String> {
        parse(text, "an address as https://doorward.example.org")
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for Rate {
    fn read(text: &str) -> Result<Self, String> {
        Self::parse(text).map_err(|error| format!("is no rate: {error}"))
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

impl Value for WhenAway {
    fn read(text: &str) -> Result<Self, String> {
        Self::from_word(text.trim()).ok_or_else(|| format!("must be `open` or `closed`, not `{text}`"))
    }

    fn write(&self) -> String {
        self.word().to_owned()
    }
}

impl Value for Every {
    fn read(text: &str) -> Result<Self, String> {
        Self::from_word(text.trim()).ok_or_else(|| format!("must be `hour` or `day`, not `{text}`"))
    }

    fn write(&self) -> String {
        self.word().to_owned()
    }
}

impl Value for Secret {
    const SECRET: bool = true;

    fn read(text: &str) -> Result<Self, String> {
        Ok(Self::new(text))
    }

    fn write(&self) -> String {
        "***".to_owned()
    }
}

impl Value for IpNet {
    fn read(text: &str) -> Result<Self, String> {
        let range = parse::<Self>(text, "an address range as 10.0.0.0/8")
            .or_else(|error| text.trim().parse::<IpAddr>().map(Self::from).map_err(|_| error))?;
        if range.trunc() != range {
            return Err(format!("must be a range; `{range}` names an address inside {}", range.trunc()));
        }
        Ok(range)
    }

    fn write(&self) -> String {
        self.to_string()
    }
}

/// Absent = empty.
impl<V: Value> Value for Option<V> {
    const SECRET: bool = V::SECRET;

    fn read(text: &str) -> Result<Self, String> {
        if text.is_empty() { Ok(None) } else { V::read(text).map(Some) }
    }

    fn write(&self) -> String {
        self.as_ref().map(V::write).unwrap_or_default()
    }
}

/// Several values, separated by commas; `none` for no value where absent means something else.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct List<V>(pub Vec<V>);

impl<V: Value> Value for List<V> {
    fn read(text: &str) -> Result<Self, String> {
        if text.trim() == "none" {
            return Ok(Self(Vec::new()));
        }
        let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
        words.map(V::read).collect::<Result<_, _>>().map(Self)
    }

    fn write(&self) -> String {
        if self.0.is_empty() {
            return "none".to_owned();
        }
        self.0.iter().map(V::write).collect::<Vec<_>>().join(",")
    }
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For machines: one JSON object a line.
    Json,
}

impl Value for LogFormat {
    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            other => Err(format!("must be `text` or `json`, not `{other}`")),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Json => "json".to_owned(),
        }
    }
}

/// Where metrics are served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsListen {
    /// On a listener of their own.
    Own(SocketAddr),
    /// Beside the console.
    Main,
    /// Nowhere.
    Off,
}

impl Value for MetricsListen {
    fn read(text: &str) -> Result<Self, String> {
        match text.trim() {
            "main" => Ok(Self::Main),
            "off" => Ok(Self::Off),
            other => parse(other, "an IP address with a port, `main` or `off`").map(Self::Own),
        }
    }

    fn write(&self) -> String {
        match self {
            Self::Own(address) => address.to_string(),
            Self::Main => "main".to_owned(),
            Self::Off => "off".to_owned(),
        }
    }
}
