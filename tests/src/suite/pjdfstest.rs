//! pjdfstest: whether system calls do and refuse what POSIX says. One process, some 400 tests.

use std::time::Duration;

use anyhow::{Context, Result, ensure};

use super::mount_line;
use crate::guest::Guest;
use crate::scratch::test_tool;

/// Every feature that NFSv3 can carry. Not there: file flags (chflags), NFSv4 access control lists, and the
/// time of birth, for none of which the protocol has a field.
const CONFIGURATION: &str = r#"
[features]
posix_fallocate = {}
rename_ctime = {}
utime_now = {}
utimensat = {}
secondary_fs = "/tmp"

[settings]
naptime = 0.02
allow_remount = false

[dummy_auth]
entries = [["sluice-one", "sluice-one"], ["sluice-two", "sluice-two"]]
"#;

/// What pjdfstest reported.
#[derive(Debug, Default)]
pub struct PjdfstestReport {
    /// Names of tests that passed.
    pub passed: Vec<String>,
    /// Names of tests that failed, each with what it said.
    pub failed: Vec<(String, String)>,
    /// Names of tests that were skipped, each with why.
    pub skipped: Vec<(String, String)>,
}

/// Runs all of pjdfstest in `guest` as root on a mount with `options`.
///
/// # Errors
/// If it cannot be run to its end. Tests that fail are in the report.
pub fn pjdfstest(guest: &Guest<'_>, options: &str) -> Result<PjdfstestReport> {
    let program = test_tool("pjdfstest")?;
    let script = format!(
        "{mount}
         for user in sluice-one:7001 sluice-two:7002; do
           echo \"${{user%:*}}:x:${{user#*:}}:${{user#*:}}::/:/bin/sh\" >>/etc/passwd
           echo \"${{user%:*}}:x:${{user#*:}}:\" >>/etc/group
         done
         cat >/tmp/pjdfstest.toml <<'END'\n{CONFIGURATION}\nEND
         NO_COLOR=1 {program} -c /tmp/pjdfstest.toml -p /run/mnt || true
         cd /; umount /run/mnt",
        mount = mount_line(options),
        program = program.display(),
    );
    let text = guest
        .run(&script, Duration::from_secs(600))?
        .expect_success();
    parse(&text).with_context(|| format!("reading pjdfstest's report:\n{text}"))
}

fn parse(text: &str) -> Result<PjdfstestReport> {
    let mut report = PjdfstestReport::default();
    let mut details: Option<&mut String> = None;
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let (true, Some(details)) = (line.starts_with('\t'), details.as_mut()) {
            if !details.is_empty() {
                details.push_str("; ");
            }
            details.push_str(line.trim());
            continue;
        }
        details = None;
        match words[..] {
            [name, "ok"] => report.passed.push(name.to_owned()),
            [name, "FAILED"] => {
                report.failed.push((name.to_owned(), String::new()));
                details = report.failed.last_mut().map(|(_, why)| why);
            }
            [name, "skipped"] => {
                report.skipped.push((name.to_owned(), String::new()));
                details = report.skipped.last_mut().map(|(_, why)| why);
            }
            _ => {}
        }
    }
    let summary = text.lines().find(|line| line.starts_with("Summary"));
    let summary = summary.context("it has no summary")?;
    let total = report.passed.len() + report.failed.len() + report.skipped.len();
    ensure!(
        summary.contains(&format!(" {total} total")),
        "{total} tests read, but: {summary}"
    );
    Ok(report)
}

#[cfg(test)]
mod tests {
    use super::parse;

    const REPORT: &str = "\
chmod::eloop   ok
chflags::x     skipped
\trequires features: chflags
unlink::open   FAILED
\tassertion failed
\tat line 3
\nSummary: 1 failed, 1 skipped, 1 passed, 0 expected failures, 3 total\n";

    #[test]
    fn a_report_is_read_with_reasons() {
        let report = parse(REPORT).unwrap();
        assert_eq!(report.passed, ["chmod::eloop"]);
        assert_eq!(report.skipped[0].1, "requires features: chflags");
        assert_eq!(report.failed[0].1, "assertion failed; at line 3");
    }

    #[test]
    fn a_report_that_was_not_read_wholly_is_an_error() {
        assert!(parse(&REPORT.replace("3 total", "4 total")).is_err());
        assert!(parse("chmod::eloop ok\n").is_err());
    }
}
