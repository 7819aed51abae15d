//! The dashboard and the pages' queries ask only for metrics and labels' values that exist, and docs/MONITORING.md
//! lists all metrics.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Mutex;

use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};
use sluice_proto_nfs::nfs3::{status_from_number, status_name};
use sluice_types::TargetState;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Counter,
    Gauge,
    Histogram,
}

/// By name: kind, unit and help.
type Descriptions = BTreeMap<String, (Kind, Option<Unit>, String)>;

/// Collects what the crates say of their metrics.
#[derive(Default)]
struct Described {
    metrics: Mutex<Descriptions>,
}

impl Described {
    fn note(&self, key: &KeyName, kind: Kind, unit: Option<Unit>, help: &SharedString) {
        let mut metrics = self.metrics.lock().unwrap();
        let name = key.as_str().to_owned();
        let before = metrics.insert(name.clone(), (kind, unit, help.to_string()));
        assert!(before.is_none(), "{name} is described twice");
    }
}

impl Recorder for Described {
    fn describe_counter(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note(&key, Kind::Counter, unit, &help);
    }

    fn describe_gauge(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note(&key, Kind::Gauge, unit, &help);
    }

    fn describe_histogram(&self, key: KeyName, unit: Option<Unit>, help: SharedString) {
        self.note(&key, Kind::Histogram, unit, &help);
    }

    fn register_counter(&self, _key: &Key, _metadata: &Metadata<'_>) -> Counter {
        Counter::noop()
    }

    fn register_gauge(&self, _key: &Key, _metadata: &Metadata<'_>) -> Gauge {
        Gauge::noop()
    }

    fn register_histogram(&self, _key: &Key, _metadata: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

fn described() -> Descriptions {
    let recorder = Described::default();
    metrics::with_local_recorder(&recorder, sluice::metrics::describe_all);
    recorder.metrics.into_inner().unwrap()
}

/// The names under which Prometheus knows a metric.
fn series(name: &str, kind: Kind) -> Vec<String> {
    match kind {
        Kind::Counter | Kind::Gauge => vec![name.to_owned()],
        Kind::Histogram => ["_bucket", "_sum", "_count"]
            .map(|end| format!("{name}{end}"))
            .to_vec(),
    }
}

fn repository_file(path: &str) -> String {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .join(path);
    std::fs::read_to_string(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// All words that look like one of our metrics: `sluice_layer_name`. (`sluice_vfs` alone is a crate.)
fn metric_names(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
    words
        .filter(|word| word.starts_with("sluice_") && word.matches('_').count() >= 2)
        .map(str::to_owned)
        .collect()
}

fn queries(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                match value {
                    serde_json::Value::String(query) if key == "expr" || key == "query" => {
                        found.push(query.clone());
                    }
                    _ => queries(value, found),
                }
            }
        }
        serde_json::Value::Array(values) => values.iter().for_each(|value| queries(value, found)),
        _ => {}
    }
}

#[test]
fn the_dashboard_asks_only_for_what_there_is() {
    let known: BTreeSet<String> = described()
        .iter()
        .flat_map(|(name, (kind, ..))| series(name, *kind))
        .collect();
    let dashboard: serde_json::Value =
        serde_json::from_str(&repository_file("grafana/dashboards/sluice.json")).unwrap();
    let mut all = Vec::new();
    queries(&dashboard, &mut all);
    let asked: BTreeSet<String> = all.iter().flat_map(|query| metric_names(query)).collect();
    assert!(asked.len() > 30, "the dashboard asks for {asked:?} only");
    let unknown: Vec<_> = asked.difference(&known).collect();
    assert!(unknown.is_empty(), "no such metrics: {unknown:?}");
}

/// A condition of a query: `sluice_metric{label="value"}`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Condition {
    metric: String,
    label: String,
    value: String,
}

/// All conditions on our metrics in a text, be it a query or a page with queries.
fn conditions(text: &str) -> BTreeSet<Condition> {
    let mut found = BTreeSet::new();
    for (at, _) in text.match_indices("sluice_") {
        let rest = &text[at..];
        let name = rest.find(|letter: char| !(letter.is_ascii_alphanumeric() || letter == '_'));
        let (metric, rest) = rest.split_at(name.unwrap_or(rest.len()));
        let Some((labels, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}')) else {
            continue;
        };
        // Label, what is between quotes, label, ...
        let mut parts = labels.split('"');
        while let (Some(label), Some(values)) = (parts.next(), parts.next()) {
            let is_name = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
            let label = label.trim_matches(|letter| !is_name(letter));
            // In a table, a page writes `\|` for `|`.
            for value in values.replace("\\|", "|").split('|') {
                found.insert(Condition {
                    metric: metric.to_owned(),
                    label: label.to_owned(),
                    value: value.to_owned(),
                });
            }
        }
    }
    found
}

/// Whether the code can give the label that value.
fn can_be(condition: &Condition) -> bool {
    let value = condition.value.as_str();
    match (condition.metric.as_str(), condition.label.as_str()) {
        // Prometheus gives it; the dashboard asks for those chosen.
        (_, "instance") => value == "$instance",
        ("sluice_nfs_errors_total", "status") => {
            let mut statuses = (1..=20_000).filter_map(status_from_number);
            statuses.any(|status| status_name(status) == value)
        }
        ("sluice_meta_targets", "state") => {
            let states = [
                TargetState::Online,
                TargetState::Syncing,
                TargetState::Offline,
                TargetState::Draining,
            ];
            let mut names = states
                .map(|state| format!("{state:?}").to_lowercase())
                .into_iter();
            names.any(|name| name == value)
        }
        (metric, "side") if metric.starts_with("sluice_fabric_") => {
            repository_file("backend/fabric/src/metrics.rs").contains(&format!("=> \"{value}\""))
        }
        _ => false, // A new one: say here what it can be.
    }
}

#[test]
fn queries_ask_only_for_values_that_labels_can_have() {
    let dashboard: serde_json::Value =
        serde_json::from_str(&repository_file("grafana/dashboards/sluice.json")).unwrap();
    let mut texts = Vec::new();
    queries(&dashboard, &mut texts);
    let pages = [
        "docs/MONITORING.md",
        "docs/OPERATIONS.md",
        "grafana/README.md",
    ];
    texts.extend(pages.map(repository_file));
    let asked: BTreeSet<Condition> = texts.iter().flat_map(|text| conditions(text)).collect();
    let labels: BTreeSet<&str> = asked.iter().map(|asked| asked.label.as_str()).collect();
    let expected = ["instance", "side", "state", "status"];
    assert!(
        expected.iter().all(|label| labels.contains(label)),
        "{labels:?}"
    );
    let wrong: Vec<_> = asked.iter().filter(|asked| !can_be(asked)).collect();
    assert!(wrong.is_empty(), "nothing is ever so: {wrong:#?}");
}

#[test]
fn conditions_are_found_in_queries_and_tables() {
    let text = r#"| x | `rate(sluice_a_total{one=~"b\|c", two="$d"}[5m])` | sluice_e |"#;
    let found: Vec<_> = conditions(text).into_iter().collect();
    let found: Vec<_> = found
        .iter()
        .map(|it| (it.metric.as_str(), it.label.as_str(), it.value.as_str()))
        .collect();
    let name = "sluice_a_total";
    assert_eq!(
        found,
        [(name, "one", "b"), (name, "one", "c"), (name, "two", "$d")]
    );
}

#[test]
fn names_follow_the_rules() {
    for (name, (kind, unit, help)) in described() {
        assert!(name.starts_with("sluice_"), "{name}");
        assert_eq!(
            name.ends_with("_total"),
            kind == Kind::Counter,
            "{name} is a {kind:?}"
        );
        assert!(!help.is_empty(), "{name} has no help");
        let base = name.trim_end_matches("_total");
        match unit {
            Some(Unit::Seconds) => assert!(base.ends_with("_seconds"), "{name}"),
            Some(Unit::Bytes) => assert!(base.contains("_bytes"), "{name}"),
            _ => assert!(!base.ends_with("_seconds"), "{name} has no unit"),
        }
    }
}

#[test]
fn every_metric_is_documented() {
    let page = repository_file("docs/MONITORING.md");
    let expected: Vec<String> = described()
        .iter()
        .map(|(name, (kind, _, help))| {
            format!(
                "| `{name}` | {} | {} |",
                format!("{kind:?}").to_lowercase(),
                help.trim_end_matches('.')
            )
        })
        .collect();
    let missing: Vec<_> = expected
        .iter()
        .filter(|line| !page.contains(*line))
        .collect();
    let missing: String = missing.iter().map(|line| format!("{line}\n")).collect();
    assert!(
        missing.is_empty(),
        "docs/MONITORING.md lacks these lines:\n{missing}"
    );
    let known: BTreeSet<String> = described()
        .iter()
        .flat_map(|(name, (kind, ..))| series(name, *kind).into_iter().chain([name.clone()]))
        .collect();
    let unknown: Vec<_> = metric_names(&page).difference(&known).cloned().collect();
    assert!(
        unknown.is_empty(),
        "docs/MONITORING.md has metrics that do not exist: {unknown:?}"
    );
}
