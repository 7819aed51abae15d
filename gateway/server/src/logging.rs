//! Where logs go: to stderr, so that stdout holds only what scripts read.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use tracing_subscriber::EnvFilter;

use crate::config::{LogConfig, LogFormat};

/// Crates below ours that tell their life at `info`: only their warnings matter to an operator.
const TALKATIVE: &str = "fjall=warn,lsm_tree=warn,foyer=warn,foyer_storage=warn,foyer_memory=warn";

/// Starts logging. A second call in one process changes nothing.
///
/// # Errors
/// If the level cannot be understood.
pub fn start(config: &LogConfig) -> anyhow::Result<()> {
    let filter = EnvFilter::try_new(directives(&config.level)).with_context(|| {
        format!(
            "`{}` is not a log level: use error, warn, info, debug or trace, or by crate as in \
             info,sluice_vfs=debug",
            config.level
        )
    })?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    // It fails only if there is a subscriber already: a test's, or an earlier start's in this process.
    let _already_started = match config.format {
        LogFormat::Text => builder
            .with_ansi(std::io::stderr().is_terminal())
            .try_init(),
        LogFormat::Json => builder.json().flatten_event(true).try_init(),
    };
    Ok(())
}

/// A bare level is for our own crates; whoever names crates says all there is to say.
fn directives(level: &str) -> String {
    match level {
        "trace" | "debug" | "info" => format!("{level},{TALKATIVE}"),
        _ => level.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_and_directives_are_understood() {
        for level in ["error", "info", "trace", "info,sluice_vfs=debug"] {
            assert!(EnvFilter::try_new(directives(level)).is_ok(), "{level}");
        }
        let config = LogConfig {
            level: "loud=very".to_owned(),
            ..LogConfig::default()
        };
        let refusal = start(&config).unwrap_err().to_string();
        assert!(refusal.contains("loud=very"), "{refusal}");
    }
}
