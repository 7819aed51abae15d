//! Results of all procedures are the same bytes and values here and in `nfs3_types`.

mod support;

use nfs3_types::nfs3 as theirs;
use nfs3_types::xdr_codec::{List as TheirList, Opaque as TheirOpaque, Unpack, Void};
use proptest::prelude::*;
use sluice_proto_nfs::nfs3::{self as ours, Failed, StableHow};
use sluice_proto_nfs::xdr::{Decode, Encode, Encoder, Opaque, padding};
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
    fn results_with_attributes(
        one in attributes(), other in prop::option::of(attributes()), maybe in prop::option::of(attributes()),
        bytes in handle_bytes(), access: u32, words: [u32; 7], wide: [u64; 6], flags: [bool; 4], time: Time,
    ) {
        let ours_maybe = maybe.map(our_attributes);
        let theirs_maybe = || theirs_optional(maybe, their_attributes);
        check!(
            ours::GetAttrResult::Ok(our_attributes(one)),
            theirs::GETATTR3res::Ok(theirs::GETATTR3resok { obj_attributes: their_attributes(one) })
        );
        check!(
            ours::LookupResult::Ok(ours::LookupOk {
                object: our_handle(&bytes),
                attributes: ours_maybe,
                directory_attributes: other.map(our_attributes),
            }),
            theirs::LOOKUP3res::Ok(theirs::LOOKUP3resok {
                object: their_handle(&bytes),
                obj_attributes: theirs_maybe(),
                dir_attributes: theirs_optional(other, their_attributes),
            })
        );
        check!(
            ours::AccessResult::Ok(ours::AccessOk { attributes: ours_maybe, access }),
            theirs::ACCESS3res::Ok(theirs::ACCESS3resok { obj_attributes: theirs_maybe(), access })
        );
        check!(
            ours::FsStatResult::Ok(ours::FsStatOk {
                attributes: ours_maybe,
                total_bytes: wide[0], free_bytes: wide[1], available_bytes: wide[2],
                total_files: wide[3], free_files: wide[4], available_files: wide[5],
                invariant_seconds: access,
            }),
            theirs::FSSTAT3res::Ok(theirs::FSSTAT3resok {
                obj_attributes: theirs_maybe(),
                tbytes: wide[0], fbytes: wide[1], abytes: wide[2],
                tfiles: wide[3], ffiles: wide[4], afiles: wide[5],
                invarsec: access,
            })
        );
        check!(
            ours::FsInfoResult::Ok(ours::FsInfoOk {
                attributes: ours_maybe,
                read_max: words[0], read_preferred: words[1], read_multiple: words[2],
                write_max: words[3], write_preferred: words[4], write_multiple: words[5],
                readdir_preferred: words[6],
                file_size_max: wide[0], time_delta: our_time(time), properties: access,
            }),
            theirs::FSINFO3res::Ok(theirs::FSINFO3resok {
                obj_attributes: theirs_maybe(),
                rtmax: words[0], rtpref: words[1], rtmult: words[2],
                wtmax: words[3], wtpref: words[4], wtmult: words[5],
                dtpref: words[6],
                maxfilesize: wide[0], time_delta: their_time(time), properties: access,
            })
        );
        check!(
            ours::PathConfResult::Ok(ours::PathConfOk {
                attributes: ours_maybe, link_max: words[0], name_max: words[1],
                no_truncation: flags[0], chown_restricted: flags[1],
                case_insensitive: flags[2], case_preserving: flags[3],
            }),
            theirs::PATHCONF3res::Ok(theirs::PATHCONF3resok {
                obj_attributes: theirs_maybe(), linkmax: words[0], name_max: words[1],
                no_trunc: flags[0], chown_restricted: flags[1],
                case_insensitive: flags[2], case_preserving: flags[3],
            })
        );
    }

    #[test]
    fn results_of_changes(
        first in wcc(), second in wcc(), maybe in prop::option::of(attributes()),
        bytes in prop::option::of(handle_bytes()), count: u32, how in 0..3_usize, verifier: [u8; 8],
    ) {
        check!(
            ours::SetAttrResult::Ok(our_wcc(first)),
            theirs::SETATTR3res::Ok(theirs::SETATTR3resok { obj_wcc: their_wcc(first) })
        );
        check!(
            ours::RemoveResult::Ok(our_wcc(first)),
            theirs::REMOVE3res::Ok(theirs::REMOVE3resok { dir_wcc: their_wcc(first) })
        );
        check!(
            ours::RmdirResult::Ok(our_wcc(first)),
            theirs::RMDIR3res::Ok(theirs::RMDIR3resok { dir_wcc: their_wcc(first) })
        );
        check!(
            ours::RenameResult::Ok(ours::RenameWcc { from_directory: our_wcc(first), to_directory: our_wcc(second) }),
            theirs::RENAME3res::Ok(theirs::RENAME3resok { fromdir_wcc: their_wcc(first), todir_wcc: their_wcc(second) })
        );
        check!(
            ours::LinkResult::Ok(ours::Linked { attributes: maybe.map(our_attributes), directory_wcc: our_wcc(first) }),
            theirs::LINK3res::Ok(theirs::LINK3resok {
                file_attributes: theirs_optional(maybe, their_attributes), linkdir_wcc: their_wcc(first),
            })
        );
        check!(
            ours::CommitResult::Ok(ours::CommitOk { wcc: our_wcc(first), verifier }),
            theirs::COMMIT3res::Ok(theirs::COMMIT3resok { file_wcc: their_wcc(first), verf: theirs::writeverf3(verifier) })
        );
        let hows = [theirs::stable_how::UNSTABLE, theirs::stable_how::DATA_SYNC, theirs::stable_how::FILE_SYNC];
        check!(
            ours::WriteResult::Ok(ours::WriteOk { wcc: our_wcc(first), count, committed: StableHow::ALL[how], verifier }),
            theirs::WRITE3res::Ok(theirs::WRITE3resok {
                file_wcc: their_wcc(first), count, committed: hows[how], verf: theirs::writeverf3(verifier),
            })
        );
        let created = ours::Created {
            object: bytes.as_deref().map(our_handle),
            attributes: maybe.map(our_attributes),
            directory_wcc: our_wcc(second),
        };
        macro_rules! their_created {
            ($kind:ident) => {
                theirs::$kind {
                    obj: theirs_optional(bytes.as_deref(), their_handle),
                    obj_attributes: theirs_optional(maybe, their_attributes),
                    dir_wcc: their_wcc(second),
                }
            };
        }
        check!(ours::CreateResult::Ok(created), theirs::CREATE3res::Ok(their_created!(CREATE3resok)));
        check!(ours::MkdirResult::Ok(created), theirs::MKDIR3res::Ok(their_created!(MKDIR3resok)));
        check!(ours::SymlinkResult::Ok(created), theirs::SYMLINK3res::Ok(their_created!(SYMLINK3resok)));
        check!(ours::MknodResult::Ok(created), theirs::MKNOD3res::Ok(their_created!(MKNOD3resok)));
    }

    #[test]
    fn failures(first in wcc(), second in wcc(), maybe in prop::option::of(attributes())) {
        let status = ours::nfsstat3::NFS3ERR_JUKEBOX;
        let code = theirs::nfsstat3::NFS3ERR_JUKEBOX;
        check!(
            ours::GetAttrResult::Err(Failed { status, body: () }),
            theirs::GETATTR3res::Err((code, Void))
        );
        check!(
            ours::LookupResult::Err(Failed { status, body: maybe.map(our_attributes) }),
            theirs::LOOKUP3res::Err((code, theirs::LOOKUP3resfail {
                dir_attributes: theirs_optional(maybe, their_attributes),
            }))
        );
        check!(
            ours::WriteResult::Err(Failed { status, body: our_wcc(first) }),
            theirs::WRITE3res::Err((code, theirs::WRITE3resfail { file_wcc: their_wcc(first) }))
        );
        check!(
            ours::RenameResult::Err(Failed {
                status,
                body: ours::RenameWcc { from_directory: our_wcc(first), to_directory: our_wcc(second) },
            }),
            theirs::RENAME3res::Err((code, theirs::RENAME3resfail {
                fromdir_wcc: their_wcc(first), todir_wcc: their_wcc(second),
            }))
        );
        check!(
            ours::LinkResult::Err(Failed {
                status,
                body: ours::Linked { attributes: maybe.map(our_attributes), directory_wcc: our_wcc(first) },
            }),
            theirs::LINK3res::Err((code, theirs::LINK3resfail {
                file_attributes: theirs_optional(maybe, their_attributes), linkdir_wcc: their_wcc(first),
            }))
        );
    }

    #[test]
    fn read_with_its_data_apart_is_read_in_one(
        maybe in prop::option::of(attributes()), data in prop::collection::vec(any::<u8>(), 0..5000),
        eof: bool, target in name_bytes(),
    ) {
        let attributes = maybe.map(our_attributes);
        let count = u32::try_from(data.len()).unwrap();
        let whole = ours::ReadOk { attributes, count, eof, data: Opaque::new(&data) };
        agree_borrowed(&whole, &theirs::READ3resok {
            file_attributes: theirs_optional(maybe, their_attributes),
            count, eof, data: TheirOpaque::borrowed(&data),
        });
        let mut apart = ours::ReadOkHead { attributes, count, eof }.to_bytes();
        apart.extend_from_slice(&data);
        apart.extend_from_slice(padding(data.len()));
        prop_assert_eq!(apart, whole.to_bytes());
        agree_borrowed(&ours::ReadlinkOk { attributes, target: bounded(&target) }, &theirs::READLINK3resok {
            symlink_attributes: theirs_optional(maybe, their_attributes),
            data: target[..].into(),
        });
    }

    #[test]
    fn pages_never_go_over_the_count(
        maybe in prop::option::of(attributes()), verifier: [u8; 8], count in 0..6000_u32,
        names in prop::collection::vec((any::<u64>(), name_bytes(), any::<u64>()), 0..40),
        before in 0..50_usize,
    ) {
        let attributes = maybe.map(our_attributes);
        let mut encoder = Encoder::new();
        encoder.raw(&vec![0; before]);
        let page = ours::ReaddirPage::begin(encoder, attributes.as_ref(), verifier, count);
        let smallest = if maybe.is_some() { 88 } else { 4 } + 8 + 8;
        prop_assert_eq!(page.is_some(), count >= smallest);
        let Some(mut page) = page else { return Ok(()) };
        let entry = |(file_id, name, cookie): &(u64, Vec<u8>, u64)| theirs::entry3 {
            fileid: *file_id, name: name.clone().into(), cookie: *cookie,
        };
        let taken = names.iter().take_while(|(file_id, name, cookie)| {
            page.push(&ours::ReaddirEntry { file_id: *file_id, name: bounded(name), cookie: *cookie })
        }).count();
        let reply = |taken| theirs::READDIR3resok {
            dir_attributes: theirs_optional(maybe, their_attributes),
            cookieverf: theirs::cookieverf3(verifier),
            reply: theirs::dirlist3 { entries: TheirList(names.iter().take(taken).map(entry).collect()), eof: true },
        };
        let bytes = page.finish(true).into_bytes();
        prop_assert_eq!(&bytes[before..], &packed(&reply(taken))[..]);
        prop_assert!(bytes.len() - before <= count as usize);
        if taken < names.len() {
            prop_assert!(packed(&reply(taken + 1)).len() > count as usize, "the next entry would have fitted");
        }
        let decoded = ours::ReaddirOk::from_bytes(&bytes[before..]).unwrap();
        prop_assert_eq!(decoded.entries.iter().count(), taken);
        for (entry, name) in decoded.entries.iter().zip(&names) {
            prop_assert_eq!((entry.file_id, entry.name.to_vec(), entry.cookie), name.clone());
        }
        prop_assert_eq!(decoded.to_bytes(), &bytes[before..]);
    }

    #[test]
    fn pages_with_attributes_never_go_over_their_counts(
        maybe in prop::option::of(attributes()), verifier: [u8; 8],
        directory_count in 0..3000_u32, count in 0..9000_u32,
        names in prop::collection::vec((any::<u64>(), name_bytes(), any::<u64>(), prop::option::of(attributes()), prop::option::of(handle_bytes())), 0..30),
    ) {
        let attributes = maybe.map(our_attributes);
        let page = ours::ReaddirPlusPage::begin(Encoder::new(), attributes.as_ref(), verifier, directory_count, count);
        let Some(mut page) = page else { return Ok(()) };
        let mut directory_bytes = 0;
        let mut taken = 0;
        for (file_id, name, cookie, attributes, handle) in &names {
            let fits = page.push(&ours::ReaddirPlusEntry {
                file_id: *file_id, name: bounded(name), cookie: *cookie,
                attributes: attributes.map(our_attributes), handle: handle.as_deref().map(our_handle),
            });
            if !fits { break; }
            taken += 1;
            directory_bytes += 20 + name.len().next_multiple_of(4);
        }
        prop_assert!(taken <= 1 || directory_bytes <= directory_count as usize);
        let bytes = page.finish(false).into_bytes();
        prop_assert!(bytes.len() <= count as usize);
        let (reply, length) = theirs::READDIRPLUS3resok::unpack(&mut &bytes[..]).unwrap();
        prop_assert_eq!(length, bytes.len());
        prop_assert_eq!(reply.reply.entries.0.len(), taken);
        for (entry, (file_id, name, cookie, attributes, handle)) in reply.reply.entries.0.iter().zip(&names) {
            prop_assert_eq!((entry.fileid, entry.name.as_ref(), entry.cookie), (*file_id, &name[..], *cookie));
            let expected = packed(&theirs_optional(*attributes, their_attributes));
            prop_assert_eq!(packed(&entry.name_attributes), expected);
            let expected = packed(&theirs_optional(handle.as_deref(), their_handle));
            prop_assert_eq!(packed(&entry.name_handle), expected);
        }
        let decoded = ours::ReaddirPlusOk::from_bytes(&bytes).unwrap();
        prop_assert_eq!(decoded.to_bytes(), bytes);
    }
}

#[test]
fn statuses_have_the_same_numbers() {
    for number in 0..=10_100 {
        let same = theirs::nfsstat3::unpack(&mut &u32::to_be_bytes(number)[..]).ok();
        let ours = ours::status_from_number(number);
        assert_eq!(
            ours.map(|status| status as u32),
            same.as_ref().map(|_| number)
        );
        if let (Some(ours), Some((theirs, _))) = (ours, same) {
            let name = theirs.to_string().to_lowercase();
            assert!(name.ends_with(ours::status_name(ours)), "{name}");
        }
    }
}
