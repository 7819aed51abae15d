//! What the Grafana dashboards ask for.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use serde_json::Value;

use crate::scratch::repository;

/// The names of all metrics that a dashboard's query has.
///
/// # Errors
/// If a dashboard is no JSON.
pub fn queried_metrics() -> Result<BTreeSet<String>> {
    let queries = queries()?;
    let names = queries.iter().flat_map(|query| metrics_in(query));
    Ok(names.collect())
}

/// All queries of the dashboards: what panels show, and what variables are chosen from.
///
/// # Errors
/// If a dashboard is no JSON.
pub fn queries() -> Result<BTreeSet<String>> {
    let mut queries = BTreeSet::new();
    for file in json_files(&repository().join("grafana"))? {
        let text = std::fs::read_to_string(&file)?;
        let dashboard: Value =
            serde_json::from_str(&text).with_context(|| format!("reading {}", file.display()))?;
        collect(&dashboard, &mut queries);
    }
    Ok(queries)
}

fn json_files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            files.extend(json_files(&path)?);
        } else if path
            .extension()
            .is_some_and(|extension| extension == "json")
        {
            files.push(path);
        }
    }
    Ok(files)
}

/// Queries stand in `expr` of targets, and in `query` and `definition` of variables.
fn collect(value: &Value, queries: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => {
            for (key, field) in fields {
                match field {
                    Value::String(query)
                        if ["expr", "query", "definition"].contains(&key.as_str()) =>
                    {
                        queries.insert(query.clone());
                    }
                    _ => collect(field, queries),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, queries)),
        _ => {}
    }
}

fn metrics_in(query: &str) -> impl Iterator<Item = String> + '_ {
    let words = query.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words
        .filter(|word| word.starts_with("sluice_"))
        .map(str::to_owned)
}
