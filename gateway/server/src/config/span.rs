//! Lengths of time as people write them: `5s`.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time, written with its unit: `250ms`, `5s`, `2m`, `1h`. Kept to the millisecond.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan {
    milliseconds: u64,
}

const UNITS: [(&str, u64); 4] = [("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

impl TimeSpan {
    /// That many seconds.
    pub const fn seconds(seconds: u64) -> Self {
        Self {
            milliseconds: seconds * 1_000,
        }
    }

    /// As a duration.
    pub const fn duration(self) -> Duration {
        Duration::from_millis(self.milliseconds)
    }
}

impl FromStr for TimeSpan {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        let number_length = text
            .find(|letter: char| !letter.is_ascii_digit())
            .unwrap_or(text.len());
        let number = text[..number_length].parse::<u64>().ok();
        let unit = text[number_length..].trim();
        let scale = UNITS.iter().find(|(name, _)| *name == unit);
        let milliseconds = number
            .zip(scale)
            .and_then(|(number, (_, scale))| number.checked_mul(*scale));
        match milliseconds {
            Some(milliseconds) => Ok(Self { milliseconds }),
            None => Err(format!(
                "`{text}` is not a length of time: write a whole number and a unit, as in 250ms, 5s or 2m"
            )),
        }
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.milliseconds == 0 {
            return f.write_str("0s");
        }
        let exact = UNITS
            .iter()
            .find(|(_, scale)| self.milliseconds.is_multiple_of(*scale));
        let (name, scale) = exact.copied().unwrap_or(("ms", 1));
        write!(f, "{}{name}", self.milliseconds / scale)
    }
}

impl Serialize for TimeSpan {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TimeSpan {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_prints_with_units() {
        for (text, seconds) in [("5s", 5), ("2m", 120), ("1h", 3600), ("3000ms", 3)] {
            let span: TimeSpan = text.parse().unwrap();
            assert_eq!(span.duration(), Duration::from_secs(seconds));
            assert_eq!(span.to_string().parse(), Ok(span));
        }
        for wrong in ["", "5", "s", "-1s", "1.5s", "5 years", "99999999999999999h"] {
            assert!(wrong.parse::<TimeSpan>().is_err(), "{wrong} was taken");
        }
    }
}
