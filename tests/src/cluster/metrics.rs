//! Prometheus text, read.

use std::collections::{BTreeMap, BTreeSet};

/// The series of one scrape.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    series: Vec<(String, BTreeMap<String, String>, f64)>,
}

impl Metrics {
    /// Reads the text format; lines that are no samples are skipped.
    pub fn parse(text: &str) -> Self {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        Self {
            series: samples.filter_map(sample).collect(),
        }
    }

    /// The names of all series.
    pub fn names(&self) -> BTreeSet<&str> {
        self.series.iter().map(|(name, ..)| name.as_str()).collect()
    }

    /// The sum of all series of this name that have these labels.
    pub fn sum(&self, name: &str, labels: &[(&str, &str)]) -> f64 {
        let matching = self.series.iter().filter(|(series, has, _)| {
            let agrees = |(key, value): &(&str, &str)| has.get(*key).is_some_and(|is| is == value);
            series == name && labels.iter().all(agrees)
        });
        matching.map(|(.., value)| value).sum()
    }

    /// The values of the series of this name, by one of their labels.
    pub fn by_label(&self, name: &str, label: &str) -> BTreeMap<String, f64> {
        let mut values = BTreeMap::new();
        for (series, labels, value) in &self.series {
            if series == name
                && let Some(key) = labels.get(label)
            {
                *values.entry(key.clone()).or_default() += value;
            }
        }
        values
    }

    /// These and those of another scrape: of another daemon of the same cluster.
    pub fn extend(&mut self, other: Self) {
        self.series.extend(other.series);
    }
}

fn sample(line: &str) -> Option<(String, BTreeMap<String, String>, f64)> {
    let (series, value) = line.rsplit_once(' ')?;
    let value = value.parse().ok()?;
    let Some((name, labels)) = series.split_once('{') else {
        return Some((series.to_owned(), BTreeMap::new(), value));
    };
    let labels = labels.strip_suffix('}')?.split("\",").filter_map(|label| {
        let (key, text) = label.split_once("=\"")?;
        Some((key.to_owned(), text.trim_end_matches('"').to_owned()))
    });
    Some((name.to_owned(), labels.collect(), value))
}

#[cfg(test)]
mod tests {
    use super::Metrics;

    #[test]
    fn samples_are_found_by_name_and_labels() {
        let text = "# HELP a_total x\na_total{p=\"read\",t=\"1\"} 3\na_total{p=\"write\",t=\"1\"} 4\nb 1.5\n";
        let metrics = Metrics::parse(text);
        assert_eq!(metrics.sum("a_total", &[]), 7.0);
        assert_eq!(metrics.sum("a_total", &[("p", "write")]), 4.0);
        assert_eq!(metrics.by_label("a_total", "p")["read"], 3.0);
        assert_eq!(metrics.sum("b", &[]), 1.5);
        assert_eq!(metrics.names().len(), 2);
    }
}
