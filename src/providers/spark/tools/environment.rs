//! The settings of applications, and in which two differ.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::{Arguments, Client, Place, Result, about, place};
use crate::providers::spark::{
    arguments::wrong,
    shapes::Environment,
    words::{Row, cut, is_of_the_run},
};

/// How much of a value is told, in characters.
const VALUE_MAX: usize = 300;
/// How many settings of a section are told.
const SETTINGS_MAX: usize = 300;
/// The sections, as Spark calls them.
const SECTIONS: [&str; 6] = [
    "runtime",
    "spark_properties",
    "hadoop_properties",
    "system_properties",
    "metrics_properties",
    "classpath_entries",
];

pub(in crate::providers::spark) async fn read(client: &Client, place: &Place) -> Result<Environment> {
    client.of(place, &["environment"], &[]).await
}

pub(super) async fn get(client: &Client, given: &Arguments) -> Result<Row> {
    let place = place(client, given).await?;
    let environment = read(client, &place).await?;
    let Some(section) = given.text("section") else {
        let sections =
            ["runtime", "spark_properties"].map(|name| (name.to_owned(), section(&environment, name)));
        let sizes: Vec<String> = SECTIONS[2..]
            .iter()
            .map(|name| format!("{name} ({})", entries(&environment, name).len()))
            .collect();
        return Ok(about(&place)
            .set("sections", Map::from_iter(sections))
            .set("more", format!("section= one of {}", sizes.join(", "))));
    };
    let plain = section.to_lowercase().replace(' ', "_");
    let named =
        SECTIONS.into_iter().find(|name| *name == plain || name.split('_').next() == Some(plain.as_str()));
    let Some(named) = named else {
        return Err(wrong(format!("`section` must be one of {}", SECTIONS.join(", "))));
    };
    let found = [(named.to_owned(), self::section(&environment, named))];
    Ok(about(&place).set("sections", Map::from_iter(found)))
}

fn entries<'a>(environment: &'a Environment, name: &str) -> &'a [(String, String)] {
    match name {
        "spark_properties" => &environment.spark_properties,
        "hadoop_properties" => &environment.hadoop_properties,
        "system_properties" => &environment.system_properties,
        "metrics_properties" => &environment.metrics_properties,
        "classpath_entries" => &environment.classpath_entries,
        _ => &[],
    }
}

fn section(environment: &Environment, name: &str) -> Value {
    if name == "runtime" {
        let runtime = &environment.runtime;
        return Row::new("java", runtime.java_version.clone()).text("scala", &runtime.scala_version).finish();
    }
    let entries = entries(environment, name);
    let shown = entries.iter().take(SETTINGS_MAX);
    let mut section: Map<String, Value> =
        shown.map(|(name, value)| (name.clone(), cut(value, VALUE_MAX).into())).collect();
    if entries.len() > SETTINGS_MAX {
        section.insert("…".to_owned(), format!("{} more", entries.len() - SETTINGS_MAX).into());
    }
    Value::Object(section)
}

pub(super) async fn compare(client: &Client, given: &Arguments) -> Result<Row> {
    let (one, other) = (given.required("app_id1"), given.required("app_id2"));
    let (one, other) = futures::try_join!(client.place(&one, None), client.place(&other, None))?;
    let (first, second) = futures::try_join!(read(client, &one), read(client, &other))?;
    let settings = |environment: &Environment| -> BTreeMap<String, String> {
        let mut all: BTreeMap<String, String> = environment.spark_properties.iter().cloned().collect();
        all.insert("java".to_owned(), environment.runtime.java_version.clone());
        all.insert("scala".to_owned(), environment.runtime.scala_version.clone());
        all
    };
    let (first, second) = (settings(&first), settings(&second));
    let mut same = 0;
    let mut different = Vec::new();
    for name in first.keys().chain(second.keys().filter(|name| !first.contains_key(*name))) {
        let (before, after) = (first.get(name), second.get(name));
        if before == after {
            same += 1;
        } else if !is_of_the_run(name) {
            let told = |value: Option<&String>| value.map(|value| cut(value, VALUE_MAX));
            let row = Row::new("name", name.clone()).set("app_1", told(before)).set("app_2", told(after));
            different.push(row.finish());
        }
    }
    let left_out = different.len().saturating_sub(SETTINGS_MAX);
    different.truncate(SETTINGS_MAX);
    Ok(Row::new("different", different)
        .set("same", same)
        .maybe("more", (left_out > 0).then(|| format!("{left_out} more")))
        .set("note", "null = not set; what differs in every run, such as ids and ports, is left out"))
}
