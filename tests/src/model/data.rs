//! A file's bytes, with what a crash may do to them.

/// A write that was not yet made durable.
#[derive(Clone, Debug)]
struct Pending {
    offset: usize,
    data: Vec<u8>,
    verifier: [u8; 8],
}

/// Stable bytes and, over them, unstable writes in order.
#[derive(Clone, Debug, Default)]
pub struct FileData {
    stable: Vec<u8>,
    pending: Vec<Pending>,
}

impl FileData {
    /// What a read sees.
    pub fn current(&self) -> Vec<u8> {
        let mut bytes = self.stable.clone();
        for write in &self.pending {
            put(&mut bytes, write.offset, &write.data);
        }
        bytes
    }

    /// The file's size.
    pub fn len(&self) -> usize {
        let ends = self
            .pending
            .iter()
            .map(|write| write.offset + write.data.len());
        ends.fold(self.stable.len(), usize::max)
    }

    /// Whether there is no byte in it.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A write that is durable when it is acknowledged.
    pub fn write_stable(&mut self, offset: usize, data: &[u8]) {
        if data.is_empty() {
            return;
        }
        // What was pending there can come back no more.
        let end = offset + data.len();
        let older = std::mem::take(&mut self.pending);
        self.pending = older
            .into_iter()
            .flat_map(|write| write.without(offset, end))
            .collect();
        put(&mut self.stable, offset, data);
    }

    /// A write that is durable from COMMIT on.
    pub fn write_unstable(&mut self, offset: usize, data: &[u8], verifier: [u8; 8]) {
        if !data.is_empty() {
            self.pending.push(Pending {
                offset,
                data: data.to_vec(),
                verifier,
            });
        }
    }

    /// A COMMIT that returned `verifier`: what was written under it is durable. Whether all is.
    pub fn commit(&mut self, verifier: [u8; 8]) -> bool {
        let all = self.pending.iter().all(|write| write.verifier == verifier);
        if all {
            self.stable = self.current();
            self.pending.clear();
        }
        all
    }

    /// A new size, durable at once.
    pub fn resize(&mut self, size: usize) {
        for write in &mut self.pending {
            let keep = size.saturating_sub(write.offset).min(write.data.len());
            write.data.truncate(keep);
        }
        self.pending.retain(|write| !write.data.is_empty());
        self.stable.resize(size, 0);
    }

    /// After a crash: takes `seen` for the contents if it is one of those that may be left.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn settle(&mut self, seen: Vec<u8>) -> Result<(), String> {
        let sizes = self
            .pending
            .iter()
            .map(|write| write.offset + write.data.len());
        let longest = sizes.fold(self.stable.len(), usize::max);
        if !(self.stable.len()..=longest).contains(&seen.len()) {
            let least = self.stable.len();
            return Err(format!(
                "size {} after a crash, not {least} to {longest}",
                seen.len()
            ));
        }
        for (position, byte) in seen.iter().enumerate() {
            let stable = self.stable.get(position).copied().unwrap_or(0);
            let mut allowed = self.pending.iter().filter_map(|write| write.at(position));
            if *byte != stable && !allowed.any(|pending| pending == *byte) {
                return Err(format!(
                    "byte {position} is {byte:#04x} after a crash: neither the durable {stable:#04x} nor written later"
                ));
            }
        }
        self.stable = seen;
        self.pending.clear();
        Ok(())
    }
}

impl Pending {
    fn at(&self, position: usize) -> Option<u8> {
        self.data.get(position.checked_sub(self.offset)?).copied()
    }

    /// The parts of the write outside `start..end`.
    fn without(self, start: usize, end: usize) -> Vec<Self> {
        let own_end = self.offset + self.data.len();
        let mut parts = Vec::new();
        if self.offset < start {
            let keep = start.min(own_end) - self.offset;
            parts.push(Self {
                data: self.data[..keep].to_vec(),
                ..self.clone()
            });
        }
        if own_end > end {
            let offset = end.max(self.offset);
            parts.push(Self {
                offset,
                data: self.data[offset - self.offset..].to_vec(),
                verifier: self.verifier,
            });
        }
        parts
    }
}

fn put(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    let end = offset + data.len();
    if bytes.len() < end {
        bytes.resize(end, 0);
    }
    bytes[offset..end].copy_from_slice(data);
}

#[cfg(test)]
mod tests {
    use super::FileData;

    #[test]
    fn a_crash_leaves_stable_bytes_or_later_ones_and_nothing_else() {
        let mut file = FileData::default();
        file.write_stable(0, b"aaaa");
        file.write_unstable(2, b"bbbb", [1; 8]);
        assert_eq!(file.current(), b"aabbbb");
        for left in [&b"aaaa"[..], b"aabbbb", b"aaba", b"aaab\0b", b"aaaa\0"] {
            assert!(file.clone().settle(left.to_vec()).is_ok(), "{left:?}");
        }
        for wrong in [&b"aaa"[..], b"aaaabbb", b"baaa", b"aacc"] {
            assert!(file.clone().settle(wrong.to_vec()).is_err(), "{wrong:?}");
        }
    }

    #[test]
    fn a_stable_write_and_a_truncation_bury_what_was_pending() {
        let mut file = FileData::default();
        file.write_unstable(0, b"abcdef", [1; 8]);
        file.write_stable(2, b"XY");
        assert_eq!(file.current(), b"abXYef");
        assert!(file.clone().settle(b"\0\0XY".to_vec()).is_ok());
        assert!(file.clone().settle(b"abcdef".to_vec()).is_err());
        file.resize(5);
        file.resize(6);
        assert_eq!(file.current(), b"abXYe\0");
        assert!(!file.clone().commit([2; 8]), "other verifier: not durable");
        assert!(file.commit([1; 8]));
        assert!(file.settle(b"abXYe\0".to_vec()).is_ok());
    }
}
