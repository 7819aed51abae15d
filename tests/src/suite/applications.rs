//! Everyday programs that lean on a file system.

use std::path::Path;

use super::mount_line;

/// A script that clones `repository` (a folder of the host) onto the mount and checks the clone.
pub fn git_clone(options: &str, repository: &Path) -> String {
    format!(
        "{mount}
         git config --global safe.directory '*'
         git clone -q --no-hardlinks {repository} clone
         cd clone
         git fsck --full --strict
         test -z \"$(git status --porcelain)\"
         test \"$(git rev-parse HEAD)\" = \"$(git -C {repository} rev-parse HEAD)\"
         cd /; umount /run/mnt",
        mount = mount_line(options),
        repository = repository.display(),
    )
}

/// A script that puts the tree `tree` (a folder of the host) on the mount by way of tar, through a tar
/// file on the mount, and compares all of it after the client forgot what it cached.
pub fn tree_round_trip(options: &str, tree: &Path) -> String {
    format!(
        "{mount}
         tar -C {tree} -cf archive.tar .
         mkdir copy
         tar -C copy -xf archive.tar
         cd /; umount /run/mnt
         {mount}
         rsync -aHn --checksum --delete --itemize-changes {tree}/ copy/ >/tmp/differences
         if [ -s /tmp/differences ]; then head -20 /tmp/differences; exit 1; fi
         find copy -type f | wc -l
         cd /; umount /run/mnt",
        mount = mount_line(options),
        tree = tree.display(),
    )
}

/// A script that has SQLite write `rows` rows in `transactions` transactions and check its file.
pub fn sqlite(options: &str, rows: u32, transactions: u32) -> String {
    let each = rows / transactions;
    format!(
        "{mount}
         {{
           echo 'CREATE TABLE item (id INTEGER PRIMARY KEY, word TEXT, number INTEGER);'
           echo 'CREATE INDEX by_word ON item (word);'
           seq 1 {transactions} | while read batch; do
             echo \"BEGIN;
               WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {each})
               INSERT INTO item (word, number) SELECT hex(randomblob(20)), i * $batch FROM n;
               COMMIT;\"
           done
         }} >/tmp/statements
         sqlite3 -bail database </tmp/statements
         cd /; umount /run/mnt
         {mount}
         test \"$(sqlite3 database 'PRAGMA integrity_check')\" = ok
         test \"$(sqlite3 database 'SELECT count(*) FROM item')\" = {rows}
         cd /; umount /run/mnt",
        mount = mount_line(options),
    )
}
