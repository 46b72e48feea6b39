//! The operator's file of thresholds.

use std::{fmt, path::PathBuf};

use doorward::providers::spark::Thresholds;

use super::value::Value;

/// A TOML file that says from where on something is wrong with a Spark application, each threshold by its name.
#[derive(Clone, Debug)]
pub struct ThresholdsFile {
    path: PathBuf,
    /// What it holds; what it does not name is as it is without it.
    pub thresholds: Thresholds,
}

impl Value for ThresholdsFile {
    fn read(text: &str) -> Result<Self, String> {
        let path = PathBuf::from(text);
        let failed =
            |what: &dyn fmt::Display| format!("names `{}`, which does not hold: {what}", path.display());
        let content = std::fs::read_to_string(&path).map_err(|error| failed(&error))?;
        let thresholds: Thresholds = toml::from_str(&content).map_err(|error| failed(&error))?;
        thresholds.check().map_err(|error| failed(&error))?;
        Ok(Self { path, thresholds })
    }

    fn write(&self) -> String {
        self.path.display().to_string()
    }
}
