//! What is wrong with a config file, so that a person finds it: file, line, words, and what was
//! probably meant.

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// A config file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: PathBuf,
    /// Line, from 1; `None` if it is about the whole file.
    pub line: Option<usize>,
    /// What is wrong.
    pub message: String,
    /// What was probably meant, or what to do.
    pub hint: Option<String>,
}

impl std::error::Error for ConfigError {}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        write!(f, ": {}", self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; {hint}"),
            None => Ok(()),
        }
    }
}

impl ConfigError {
    /// About the file as a whole.
    pub fn whole(file: &Path, message: impl Into<String>) -> Self {
        Self {
            file: file.to_owned(),
            line: None,
            message: message.into(),
            hint: None,
        }
    }

    /// From what the parser says of `text`.
    pub fn from_toml(file: &Path, text: &str, error: &toml::de::Error) -> Self {
        let message = error.message().trim().to_owned();
        Self {
            file: file.to_owned(),
            line: error.span().map(|span| line_of(text, &span)),
            hint: did_you_mean(&message),
            message: in_our_words(&message),
        }
    }
}

fn line_of(text: &str, span: &Range<usize>) -> usize {
    let before = text.as_bytes().iter().take(span.start);
    before.filter(|byte| **byte == b'\n').count() + 1
}

/// The parser's "unknown field `a`, expected one of `b`, `c`" as a config's reader would say it.
fn in_our_words(message: &str) -> String {
    match unknown_and_known(message) {
        Some((unknown, known)) if !known.is_empty() => {
            format!(
                "unknown key `{unknown}` (the keys here are {})",
                known.join(", ")
            )
        }
        Some((unknown, _)) => format!("unknown key `{unknown}`"),
        None => message.replace("missing field", "missing key"),
    }
}

fn did_you_mean(message: &str) -> Option<String> {
    let (unknown, known) = unknown_and_known(message)?;
    let closest = closest(&unknown, known.iter().map(String::as_str))?;
    Some(format!("did you mean `{closest}`?"))
}

/// The name that `word` is most likely a mistyping of, if any is close enough.
pub fn closest<'known>(
    word: &str,
    known: impl IntoIterator<Item = &'known str>,
) -> Option<&'known str> {
    const ALIKE_ENOUGH: f64 = 0.75;
    let scored = known
        .into_iter()
        .map(|name| (strsim::jaro_winkler(word, name), name));
    let best = scored.max_by(|left, right| left.0.total_cmp(&right.0))?;
    (best.0 >= ALIKE_ENOUGH).then_some(best.1)
}

/// Takes apart serde's message for `deny_unknown_fields`; its form is held by a test.
fn unknown_and_known(message: &str) -> Option<(String, Vec<String>)> {
    let rest = message.strip_prefix("unknown field `")?;
    let (unknown, rest) = rest.split_once('`')?;
    // Names are every second piece between backquotes.
    let known = rest.split('`').skip(1).step_by(2).map(str::to_owned);
    Some((unknown.to_owned(), known.collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closest_finds_typing_mistakes_and_nothing_else() {
        let known = ["listen", "nfs_port", "portmap", "metrics_listen"];
        assert_eq!(closest("lisen", known), Some("listen"));
        assert_eq!(closest("nfsport", known), Some("nfs_port"));
        assert_eq!(closest("colour", known), None);
    }
}
