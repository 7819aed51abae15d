//! Writing for people and for scripts.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _, Write as _};

use serde::Serialize;

/// Prints to stdout. A reader that went away (`| head`) is no error.
///
/// # Errors
/// If stdout cannot be written.
pub fn print(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => Ok(result?),
    }
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// If stdout cannot be written.
pub fn print_json(value: &impl Serialize) -> anyhow::Result<()> {
    print(&format!("{}\n", serde_json::to_string_pretty(value)?))
}

/// Columns under their heads: numbers to the right, words to the left.
pub fn table<const COLUMNS: usize>(heads: [&str; COLUMNS], rows: &[[String; COLUMNS]]) -> String {
    let mut widths = heads.map(|head| head.chars().count());
    let mut numeric = [!rows.is_empty(); COLUMNS];
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            widths[column] = widths[column].max(cell.chars().count());
            numeric[column] &=
                cell.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        }
    }
    let heads = heads.map(str::to_owned);
    let mut text = String::new();
    for row in std::iter::once(&heads).chain(rows) {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let width = widths[column];
            // Writing to a String does not fail.
            let _infallible = if numeric[column] {
                write!(line, "{cell:>width$}  ")
            } else {
                write!(line, "{cell:<width$}  ")
            };
        }
        text.push_str(line.trim_end());
        text.push('\n');
    }
    text
}

/// A line on a terminal's stderr that says how far a long command is; nothing where stderr is no terminal.
#[derive(Debug)]
pub struct Progress {
    shown: bool,
}

impl Progress {
    /// Shown only to people.
    pub fn start(quiet: bool) -> Self {
        Self {
            shown: !quiet && io::stderr().is_terminal(),
        }
    }

    /// Replaces the line.
    pub fn show(&self, text: &str) {
        const CLEAR_LINE: &str = "\r\x1b[K";
        if self.shown {
            eprint!("{CLEAR_LINE}{text}");
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.show("");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_line_up() {
        let rows = [
            ["1".to_owned(), "online".to_owned(), "10 GiB".to_owned()],
            ["12".to_owned(), "off".to_owned(), "9 GiB".to_owned()],
        ];
        let text = table(["target", "state", "used"], &rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "target  state     used");
        assert_eq!(lines[1], "     1  online  10 GiB");
        assert_eq!(lines[2], "    12  off      9 GiB");
    }
}
