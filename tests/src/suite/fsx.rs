//! fsx: random reads, writes, truncations and mappings of one file, each read compared with what
//! was written.

use std::time::Duration;

use anyhow::Result;

use super::mount_line;
use crate::guest::Guest;
use crate::scratch::test_tool;

/// How long one seed's file may take.
const SEED_LIMIT: Duration = Duration::from_secs(1800);

/// Everything but punched holes, for which NFSv3 has no call.
const CONFIGURATION: &str = "
flen = 67108864

[opsize]
max = 262144

[weights]
close_open = 1
read = 10
write = 10
mapread = 10
mapwrite = 10
invalidate = 1
truncate = 5
fsync = 0.5
fdatasync = 0.5
posix_fallocate = 0
sendfile = 5
posix_fadvise = 1
copy_file_range = 2
";

/// Runs fsx in `guest` on a mount with `options`: one file of up to 64 MiB for each of `seeds`.
///
/// # Errors
/// If it cannot be run to its end, or found a difference: with what it said.
pub fn fsx(guest: &Guest<'_>, options: &str, operations: u32, seeds: &[u64]) -> Result<()> {
    let program = test_tool("fsx")?;
    let names: Vec<String> = seeds.iter().map(u64::to_string).collect();
    let script = format!(
        "{mount}
         cat >/tmp/fsx.toml <<'END'\n{CONFIGURATION}\nEND
         for seed in {seeds}; do
           echo \"seed $seed\"
           {program} -f /tmp/fsx.toml -N {operations} -S $seed -P /tmp file-$seed
         done
         cd /; umount /run/mnt",
        mount = mount_line(options),
        seeds = names.join(" "),
        program = program.display(),
    );
    let limit = SEED_LIMIT * u32::try_from(seeds.len())?;
    let output = guest.run(&script, limit)?;
    anyhow::ensure!(output.status == 0, "fsx failed:\n{}", output.text);
    Ok(())
}
