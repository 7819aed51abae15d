//! Records of storage targets and of the cluster map.

use bytes::Bytes;
use sluice_types::{
    ClusterMap, FileSystemId, GroupId, MapVersion, PlacementGroup, Target, TargetId, TargetState,
    TargetUuid,
};

use super::codec::{Reader, Writer};
use crate::error::MetaError;

const VERSION: u8 = 1;

/// A target that registered, whether or not it is in the map yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetRecord {
    /// Its number.
    pub id: TargetId,
    /// Where it was last.
    pub address: String,
}

impl TargetRecord {
    /// Encodes the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new(VERSION, 6 + self.address.len());
        writer.u32(self.id.raw());
        writer.text(&self.address);
        writer.finish()
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("target", VERSION, bytes)?;
        let record = Self {
            id: TargetId::new(reader.u32()?),
            address: reader.text()?,
        };
        reader.end()?;
        Ok(record)
    }
}

/// The cluster map as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MapRecord(pub ClusterMap);

impl MapRecord {
    /// Encodes the record's value: version, file system, targets, groups; each list after its length.
    pub fn encode(&self) -> Bytes {
        let map = &self.0;
        let bytes = 32 + map.targets.len() * 48 + map.groups.len() * 8;
        let mut writer = Writer::new(VERSION, bytes);
        writer.u64(map.version.raw());
        writer.u64(map.file_system.raw());
        writer.u32(map.targets.len() as u32);
        for target in &map.targets {
            writer.u32(target.id.raw());
            writer.u128(target.uuid.raw());
            writer.u8(state_number(target.state));
            writer.text(&target.address);
        }
        writer.u32(map.groups.len() as u32);
        for group in &map.groups {
            writer.u8(group.replicas.len() as u8);
            for replica in &group.replicas {
                writer.u32(replica.raw());
            }
        }
        writer.finish()
    }

    /// Decodes a value.
    ///
    /// # Errors
    /// [`MetaError::Damaged`].
    pub fn decode(bytes: &[u8]) -> Result<Self, MetaError> {
        let mut reader = Reader::new("cluster map", VERSION, bytes)?;
        let version = MapVersion::new(reader.u64()?);
        let file_system = FileSystemId::new(reader.u64()?);
        // Nothing is reserved by these counts: a wrong one runs into the record's end.
        let mut targets = Vec::new();
        for _ in 0..reader.u32()? {
            targets.push(decode_target(&mut reader)?);
        }
        let mut groups = Vec::new();
        for number in 0..reader.u32()? {
            let mut replicas = Vec::new();
            for _ in 0..reader.u8()? {
                replicas.push(TargetId::new(reader.u32()?));
            }
            groups.push(PlacementGroup {
                id: GroupId::new(number),
                replicas,
            });
        }
        reader.end()?;
        Ok(Self(ClusterMap {
            version,
            file_system,
            targets,
            groups,
        }))
    }
}

fn decode_target(reader: &mut Reader<'_>) -> Result<Target, MetaError> {
    let id = TargetId::new(reader.u32()?);
    let uuid = TargetUuid::new(reader.u128()?);
    let state = match reader.u8()? {
        1 => TargetState::Online,
        2 => TargetState::Syncing,
        3 => TargetState::Offline,
        4 => TargetState::Draining,
        other => return Err(reader.damaged("a target's state", other.to_string())),
    };
    Ok(Target {
        id,
        uuid,
        address: reader.text()?,
        state,
    })
}

fn state_number(state: TargetState) -> u8 {
    match state {
        TargetState::Online => 1,
        TargetState::Syncing => 2,
        TargetState::Offline => 3,
        TargetState::Draining => 4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn golden_bytes() {
        let target = TargetRecord {
            id: TargetId::new(2),
            address: "a:1".into(),
        };
        assert_eq!(&target.encode()[..], b"\x01\x02\0\0\0\x03\0a:1");
        assert_eq!(TargetRecord::decode(&target.encode()).unwrap(), target);

        let map = MapRecord(ClusterMap {
            version: MapVersion::new(7),
            file_system: FileSystemId::new(8),
            targets: vec![Target {
                id: TargetId::new(1),
                uuid: TargetUuid::new(9),
                address: "h:2".into(),
                state: TargetState::Offline,
            }],
            groups: vec![PlacementGroup {
                id: GroupId::new(0),
                replicas: vec![TargetId::new(1)],
            }],
        });
        let mut expected = b"\x01\x07\0\0\0\0\0\0\0\x08\0\0\0\0\0\0\0".to_vec();
        expected.extend_from_slice(b"\x01\0\0\0\x01\0\0\0\x09\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
        expected.extend_from_slice(b"\x03\x03\0h:2\x01\0\0\0\x01\x01\0\0\0");
        assert_eq!(map.encode(), expected);
        assert_eq!(MapRecord::decode(&map.encode()).unwrap(), map);
        for length in 0..expected.len() {
            assert!(MapRecord::decode(&expected[..length]).is_err(), "{length}");
        }
    }
}
