//! The layers settings come from, and where each value was said.

use std::{
    collections::BTreeMap,
    ffi::OsString,
    fmt, fs,
    path::{Path, PathBuf},
};

use toml::de::{DeTable, DeValue};

use super::{ConfigError, ENTRIES, Value};

/// What every variable of ours begins with.
pub(super) const PREFIX: &str = "DOORWARD_";

/// Variables of ours that are no settings: the file of settings, and what `connect` takes.
const OTHER_VARIABLES: &[&str] = &["CONFIG", "KEY", "KEY_FILE", "URL"];

/// Variables that only the tests read, and that a program started by them inherits.
const TEST_VARIABLES: &[&str] = &["PEERS", "PROGRAM", "REQUIRE_PG"];

/// How many letters may differ for a name to be offered.
const NEAREST_DISTANCE_MAX: usize = 3;

/// Where a value was said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is built in.
    Default,
    /// In the settings file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, counted from 1.
        line: usize,
    },
    /// In a variable.
    Variable(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("default"),
            Self::File { path, line } => write!(formatter, "{}:{line}", path.display()),
            Self::Variable(name) => formatter.write_str(name),
        }
    }
}

/// Returns the variables of this process that begin with our prefix.
///
/// One that is not Unicode is passed on with replacement characters, so that it is refused by name
/// or by value rather than overlooked.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .map(|(name, value)| (text(name), text(value)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect()
}

/// Returns where this program's own environment looks for programs; `None` if it does not say.
pub fn search_path() -> Option<OsString> {
    std::env::var_os("PATH").filter(|path| !path.is_empty())
}

/// Returns one variable of this process; `None` if it is absent or empty.
pub fn variable(name: &str) -> Option<String> {
    std::env::var_os(name).map(text).filter(|value| !value.is_empty())
}

fn text(os: OsString) -> String {
    os.to_string_lossy().into_owned()
}

struct Said {
    text: String,
    origin: Origin,
    /// Whether `text` names the file the value is in.
    in_file: bool,
}

/// What the layers say, the last one winning.
pub(super) struct Layers(BTreeMap<&'static str, Said>);

impl Layers {
    pub(super) fn read(
        file: Option<&Path>,
        variables: impl IntoIterator<Item = (String, String)>,
        errors: &mut Vec<ConfigError>,
    ) -> Self {
        let mut layers = Self(BTreeMap::new());
        if let Some(path) = file {
            layers.read_file(path, errors);
        }
        layers.read_variables(variables, errors);
        layers
    }

    fn read_file(&mut self, path: &Path, errors: &mut Vec<ConfigError>) {
        let content = match fs::read_to_string(path) {
            Ok(content) => content,
            Err(source) => return errors.push(ConfigError::Read { path: path.to_owned(), source }),
        };
        let table = match DeTable::parse(&content) {
            Ok(table) => table,
            Err(error) => {
                let reason = error.to_string();
                return errors.push(ConfigError::Syntax { path: path.to_owned(), reason });
            }
        };
        let mut said = Vec::new();
        for (key, value) in table.get_ref() {
            let line = 1 + content[..key.span().start].matches('\n').count();
            let origin = Origin::File { path: path.to_owned(), line };
            match plain_text(value.get_ref()) {
                Some(text) => said.push((key.get_ref().to_string(), text, origin)),
                None => errors.push(ConfigError::Value {
                    name: key.get_ref().to_string(),
                    origin,
                    reason: format!("cannot be a {}", value.get_ref().type_str()),
                }),
            }
        }
        self.take(said, errors);
    }

    fn read_variables(
        &mut self,
        variables: impl IntoIterator<Item = (String, String)>,
        errors: &mut Vec<ConfigError>,
    ) {
        let said = variables
            .into_iter()
            .filter_map(|(variable, text)| {
                let name = variable.strip_prefix(PREFIX)?;
                let other = OTHER_VARIABLES.contains(&name) || TEST_VARIABLES.contains(&name);
                let name = (!other).then(|| name.to_lowercase())?;
                Some((name, text, Origin::Variable(variable)))
            })
            .collect();
        self.take(said, errors);
    }

    /// Lays one layer over what was said before.
    fn take(&mut self, said: Vec<(String, String, Origin)>, errors: &mut Vec<ConfigError>) {
        let mut layer: BTreeMap<&'static str, Said> = BTreeMap::new();
        for (name, text, origin) in said {
            let Some((entry, in_file)) = find(&name) else {
                let shown = match &origin {
                    Origin::Variable(variable) => variable.clone(),
                    Origin::Default | Origin::File { .. } => name.clone(),
                };
                let nearest = nearest(&name).map(|name| match &origin {
                    Origin::Variable(_) => format!("{PREFIX}{}", name.to_uppercase()),
                    Origin::Default | Origin::File { .. } => name,
                });
                errors.push(ConfigError::Unknown { name: shown, origin, nearest });
                continue;
            };
            if layer.contains_key(entry) {
                errors.push(ConfigError::Value {
                    name: entry.to_owned(),
                    origin,
                    reason: "is given twice, as a value and as a file".to_owned(),
                });
                continue;
            }
            layer.insert(entry, Said { text, origin, in_file });
        }
        self.0.append(&mut layer);
    }

    /// Returns a setting's value, or notes what is wrong with it.
    pub(super) fn value<V: Value>(
        &self,
        name: &'static str,
        default: &str,
        errors: &mut Vec<ConfigError>,
    ) -> Option<V> {
        let (text, origin) = match self.0.get(name) {
            None => (default.to_owned(), Origin::Default),
            Some(said) if said.in_file => match fs::read_to_string(&said.text) {
                Ok(content) => (content.trim_end_matches(['\r', '\n']).to_owned(), said.origin.clone()),
                Err(source) => {
                    errors.push(ConfigError::Read { path: PathBuf::from(&said.text), source });
                    return None;
                }
            },
            Some(said) => (said.text.clone(), said.origin.clone()),
        };
        match V::read(&text) {
            Ok(value) => Some(value),
            Err(reason) => {
                errors.push(ConfigError::Value { name: name.to_owned(), origin, reason });
                None
            }
        }
    }

    pub(super) fn origins(&self) -> Vec<(&'static str, Origin)> {
        self.0.iter().map(|(name, said)| (*name, said.origin.clone())).collect()
    }
}

/// Finds the setting of a name, and whether the name is that of the file its value is in.
fn find(name: &str) -> Option<(&'static str, bool)> {
    ENTRIES.iter().find_map(|entry| {
        if entry.name == name {
            return Some((entry.name, false));
        }
        (entry.file_name().as_deref() == Some(name)).then_some((entry.name, true))
    })
}

fn nearest(name: &str) -> Option<String> {
    ENTRIES
        .iter()
        .flat_map(|entry| [Some(entry.name.to_owned()), entry.file_name()])
        .flatten()
        .map(|known| (distance(name, &known), known))
        .min()
        .filter(|(distance, _)| *distance <= NEAREST_DISTANCE_MAX)
        .map(|(_, known)| known)
}

/// Returns how many letters must be added, left out or changed to get from one word to the other.
fn distance(one: &str, other: &str) -> usize {
    let other: Vec<char> = other.chars().collect();
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (i, letter) in one.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, another) in other.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *another);
            diagonal = row[j + 1];
            row[j + 1] = changed.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[other.len()]
}

/// Writes a TOML value the way a variable would say it; `None` for a table or a date.
fn plain_text(value: &DeValue<'_>) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Float(number) => Some(number.to_string()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        DeValue::Array(items) => {
            let texts: Option<Vec<String>> = items.iter().map(|item| plain_text(item.get_ref())).collect();
            texts.map(|texts| texts.join(","))
        }
        DeValue::Datetime(_) | DeValue::Table(_) => None,
    }
}
