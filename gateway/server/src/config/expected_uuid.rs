//! Which target a directory must hold.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sluice_types::TargetUuid;

/// A target's uuid: 32 hexadecimal digits, as `sluice admin status` shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExpectedUuid(TargetUuid);

impl ExpectedUuid {
    /// The uuid.
    pub const fn uuid(self) -> TargetUuid {
        self.0
    }
}

impl FromStr for ExpectedUuid {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let digits = text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let raw = u128::from_str_radix(text, 16).ok().filter(|_| digits);
        raw.map(|raw| Self(TargetUuid::new(raw))).ok_or_else(|| {
            format!("`{text}` is not a target's uuid: write its 32 hexadecimal digits, as `sluice admin status --json` shows them")
        })
    }
}

impl fmt::Display for ExpectedUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for ExpectedUuid {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ExpectedUuid {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_what_is_shown_and_nothing_else() {
        let shown = TargetUuid::new(0x1f).to_string();
        assert_eq!(shown.parse(), Ok(ExpectedUuid(TargetUuid::new(0x1f))));
        let plus = format!("+{}", &shown[1..]);
        for wrong in [
            "",
            "1f",
            &shown[1..],
            plus.as_str(),
            &shown.replace('f', "g"),
        ] {
            assert!(wrong.parse::<ExpectedUuid>().is_err(), "{wrong} was taken");
        }
    }
}
