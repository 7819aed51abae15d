//! Arguments of all procedures are the same bytes and values here and in `nfs3_types`.

mod support;

use nfs3_types::nfs3 as theirs;
use nfs3_types::xdr_codec::Opaque as TheirOpaque;
use proptest::prelude::*;
use sluice_proto_nfs::nfs3::{self as ours, StableHow};
use sluice_proto_nfs::xdr::{Decode, Encode, Opaque};
use support::*;

macro_rules! check {
    ($ours:expr, $theirs:expr) => {
        agree(
            &Both {
                ours: $ours,
                theirs: $theirs,
            },
            &mut Vec::new(),
        )
    };
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn arguments_that_are_a_handle(bytes in handle_bytes(), access: u32) {
        let object = our_handle(&bytes);
        let fh = their_handle(&bytes);
        check!(ours::GetAttrArgs { object }, theirs::GETATTR3args { object: fh.clone() });
        check!(ours::ReadlinkArgs { symlink: object }, theirs::READLINK3args { symlink: fh.clone() });
        check!(ours::FsStatArgs { root: object }, theirs::FSSTAT3args { fsroot: fh.clone() });
        check!(ours::FsInfoArgs { root: object }, theirs::FSINFO3args { fsroot: fh.clone() });
        check!(ours::PathConfArgs { object }, theirs::PATHCONF3args { object: fh.clone() });
        check!(ours::AccessArgs { object, access }, theirs::ACCESS3args { object: fh, access });
    }

    #[test]
    fn arguments_that_are_names(
        from in (handle_bytes(), name_bytes()),
        to in (handle_bytes(), name_bytes()),
    ) {
        let our_from = our_name(&from.0, &from.1);
        let their_from = || their_name(&from.0, &from.1);
        agree_borrowed(&ours::LookupArgs { what: our_from }, &theirs::LOOKUP3args { what: their_from() });
        agree_borrowed(&ours::RemoveArgs { object: our_from }, &theirs::REMOVE3args { object: their_from() });
        agree_borrowed(&ours::RmdirArgs { object: our_from }, &theirs::RMDIR3args { object: their_from() });
        agree_borrowed(
            &ours::RenameArgs { from: our_from, to: our_name(&to.0, &to.1) },
            &theirs::RENAME3args { from: their_from(), to: their_name(&to.0, &to.1) },
        );
        agree_borrowed(
            &ours::LinkArgs { file: our_handle(&to.0), link: our_from },
            &theirs::LINK3args { file: their_handle(&to.0), link: their_from() },
        );
    }

    #[test]
    fn setattr(bytes in handle_bytes(), settings: Settings, guard: Option<Time>) {
        check!(
            ours::SetAttrArgs {
                object: our_handle(&bytes),
                attributes: our_settings(settings),
                guard_ctime: guard.map(our_time),
            },
            theirs::SETATTR3args {
                object: their_handle(&bytes),
                new_attributes: their_settings(settings),
                guard: theirs_optional(guard, their_time),
            }
        );
    }

    #[test]
    fn arguments_that_create(
        place in (handle_bytes(), name_bytes()),
        settings: Settings,
        verifier: [u8; 8],
        target in name_bytes(),
        device: (u32, u32),
    ) {
        let our_place = our_name(&place.0, &place.1);
        let their_place = || their_name(&place.0, &place.1);
        let given = our_settings(settings);
        let taken = || their_settings(settings);
        for (how, their_how) in [
            (ours::CreateHow::Unchecked(given), theirs::createhow3::UNCHECKED(taken())),
            (ours::CreateHow::Guarded(given), theirs::createhow3::GUARDED(taken())),
            (
                ours::CreateHow::Exclusive(verifier),
                theirs::createhow3::EXCLUSIVE(theirs::createverf3(verifier)),
            ),
        ] {
            agree_borrowed(
                &ours::CreateArgs { place: our_place, how },
                &theirs::CREATE3args { where_: their_place(), how: their_how },
            );
        }
        agree_borrowed(
            &ours::MkdirArgs { place: our_place, attributes: given },
            &theirs::MKDIR3args { where_: their_place(), attributes: taken() },
        );
        agree_borrowed(
            &ours::SymlinkArgs { place: our_place, attributes: given, target: bounded(&target) },
            &theirs::SYMLINK3args {
                where_: their_place(),
                symlink: theirs::symlinkdata3 {
                    symlink_attributes: taken(),
                    symlink_data: target[..].into(),
                },
            },
        );
        let our_device = ours::specdata3 { specdata1: device.0, specdata2: device.1 };
        let their_device = || theirs::devicedata3 {
            dev_attributes: taken(),
            spec: theirs::specdata3 { specdata1: device.0, specdata2: device.1 },
        };
        for (what, their_what) in [
            (ours::MknodWhat::CharacterDevice(given, our_device), theirs::mknoddata3::NF3CHR(their_device())),
            (ours::MknodWhat::BlockDevice(given, our_device), theirs::mknoddata3::NF3BLK(their_device())),
            (ours::MknodWhat::Socket(given), theirs::mknoddata3::NF3SOCK(taken())),
            (ours::MknodWhat::Pipe(given), theirs::mknoddata3::NF3FIFO(taken())),
        ] {
            agree_borrowed(
                &ours::MknodArgs { place: our_place, what },
                &theirs::MKNOD3args { where_: their_place(), what: their_what },
            );
        }
    }

    #[test]
    fn arguments_about_data(
        bytes in handle_bytes(), offset: u64, count: u32, how in 0..3_usize,
        data in prop::collection::vec(any::<u8>(), 0..5000),
    ) {
        let (file, fh) = (our_handle(&bytes), their_handle(&bytes));
        check!(ours::ReadArgs { file, offset, count }, theirs::READ3args { file: fh.clone(), offset, count });
        check!(ours::CommitArgs { file, offset, count }, theirs::COMMIT3args { file: fh.clone(), offset, count });
        let their_hows = [
            theirs::stable_how::UNSTABLE,
            theirs::stable_how::DATA_SYNC,
            theirs::stable_how::FILE_SYNC,
        ];
        let write = ours::WriteArgs {
            file, offset, count, stable: StableHow::ALL[how], data: Opaque::new(&data),
        };
        agree_borrowed(&write, &theirs::WRITE3args {
            file: fh, offset, count, stable: their_hows[how], data: TheirOpaque::borrowed(&data),
        });
        let record = write.to_bytes();
        let decoded = ours::WriteArgs::from_bytes(&record).unwrap();
        prop_assert_eq!(&record[decoded.data.range()], &data[..]);
        prop_assert_eq!(decoded, write);
    }

    #[test]
    fn arguments_of_listings(bytes in handle_bytes(), cookie: u64, verifier: [u8; 8], counts: (u32, u32)) {
        check!(
            ours::ReaddirArgs {
                directory: our_handle(&bytes), cookie, cookie_verifier: verifier, count: counts.0,
            },
            theirs::READDIR3args {
                dir: their_handle(&bytes), cookie, cookieverf: theirs::cookieverf3(verifier), count: counts.0,
            }
        );
        check!(
            ours::ReaddirPlusArgs {
                directory: our_handle(&bytes), cookie, cookie_verifier: verifier,
                directory_count: counts.0, count_max: counts.1,
            },
            theirs::READDIRPLUS3args {
                dir: their_handle(&bytes), cookie, cookieverf: theirs::cookieverf3(verifier),
                dircount: counts.0, maxcount: counts.1,
            }
        );
    }
}

#[test]
fn mknod_of_a_type_that_it_does_not_make_is_still_decoded() {
    let place = our_name(b"handle", b"name");
    let what = ours::MknodWhat::Other(ours::ftype3::NF3REG);
    let bytes = ours::MknodArgs { place, what }.to_bytes();
    let decoded = ours::MknodArgs::from_bytes(&bytes).unwrap();
    assert!(matches!(
        decoded.what,
        ours::MknodWhat::Other(ours::ftype3::NF3REG)
    ));
}

#[test]
fn procedures_have_the_same_numbers_and_names() {
    assert_eq!(ours::Procedure::ALL.len(), 22);
    for procedure in ours::Procedure::ALL {
        let same = theirs::NFS_PROGRAM::try_from(procedure.number()).unwrap();
        let name = same.to_string().to_lowercase();
        assert_eq!(name, format!("nfsproc3_{}", procedure.name()));
    }
}
