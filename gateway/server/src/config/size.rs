//! Sizes as people write them: `64GiB`.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A number of bytes, written with its unit: `512MiB`, `64GiB`, `1.5TiB`, `10GB`, `0`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(u64);

const UNITS: [(&str, u64); 9] = [
    ("TiB", 1 << 40),
    ("GiB", 1 << 30),
    ("MiB", 1 << 20),
    ("KiB", 1 << 10),
    ("TB", 1_000_000_000_000),
    ("GB", 1_000_000_000),
    ("MB", 1_000_000),
    ("KB", 1_000),
    ("B", 1),
];

impl ByteSize {
    /// That many bytes.
    pub const fn new(bytes: u64) -> Self {
        Self(bytes)
    }

    /// That many MiB.
    pub const fn mebibytes(mebibytes: u64) -> Self {
        Self(mebibytes << 20)
    }

    /// In bytes.
    pub const fn bytes(self) -> u64 {
        self.0
    }

    /// In bytes, as memory is counted; clipped on a machine with narrower addresses.
    pub fn bytes_in_memory(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

impl FromStr for ByteSize {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let text = text.trim();
        if text == "0" {
            return Ok(Self(0));
        }
        let number_length = text
            .find(|letter: char| !letter.is_ascii_digit() && letter != '.')
            .unwrap_or(text.len());
        let (number, unit) = (&text[..number_length], text[number_length..].trim());
        let scale = UNITS
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(unit))
            .map(|(_, scale)| *scale);
        let Some(scale) = scale.filter(|_| !number.is_empty()) else {
            return Err(format!(
                "`{text}` is not a size: write a number and a unit, as in 512MiB or 64GiB"
            ));
        };
        scaled(number, scale).ok_or_else(|| format!("`{text}` is not a size that fits in 64 bits"))
    }
}

fn scaled(number: &str, scale: u64) -> Option<ByteSize> {
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(scale).map(ByteSize);
    }
    let bytes = number.parse::<f64>().ok()? * scale as f64;
    // Beyond 2^53 a fraction means nothing any more.
    (bytes.is_finite() && bytes < (1_u64 << 53) as f64).then_some(ByteSize(bytes as u64))
}

impl fmt::Display for ByteSize {
    /// Exact, with the largest binary unit that divides it: what is printed reads back as the same.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0 == 0 {
            return f.write_str("0");
        }
        let binary = UNITS[..4]
            .iter()
            .find(|(_, scale)| self.0.is_multiple_of(*scale));
        let (name, scale) = binary.copied().unwrap_or(("B", 1));
        write!(f, "{}{name}", self.0 / scale)
    }
}

impl Serialize for ByteSize {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ByteSize {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_people_write() {
        let bytes = |text: &str| text.parse::<ByteSize>().map(ByteSize::bytes);
        assert_eq!(bytes("64GiB"), Ok(64 << 30));
        assert_eq!(bytes("1.5 tib"), Ok(3 << 39));
        assert_eq!(bytes("10GB"), Ok(10_000_000_000));
        assert_eq!(bytes("512B"), Ok(512));
        assert_eq!(bytes("0"), Ok(0));
        for wrong in [
            "",
            "GiB",
            "64",
            "64Gigs",
            "-1MiB",
            "99999999TiB",
            "1.2.3MiB",
        ] {
            assert!(bytes(wrong).is_err(), "{wrong} was taken");
        }
    }

    #[test]
    fn what_is_printed_reads_back_the_same() {
        for bytes in [
            0,
            1,
            1023,
            1024,
            1 << 20,
            (1 << 30) + 1024,
            3 << 40,
            u64::MAX,
        ] {
            let size = ByteSize::new(bytes);
            assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
