use std::net::SocketAddr;

use proptest::prelude::*;

use super::*;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

fn header(version_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = (rest.len() as u16).to_be_bytes();
    [SIGNATURE, &[version_command, family], &length, rest].concat()
}

fn decode(bytes: &[u8]) -> Result<Source, ProxyError> {
    let (fixed, rest) = bytes.split_first_chunk().unwrap();
    let head = ProxyHead::decode(fixed)?;
    assert!(FIXED_BYTES + head.rest_bytes() <= HEADER_BYTES_MAX);
    ProxyHeader::decode(head, rest).map(|header| header.source)
}

fn client(text: &str) -> Source {
    Source::Client(text.parse().unwrap())
}

/// As HAProxy 2.6 sends it with `send-proxy-v2`.
#[test]
fn a_client_over_ipv4_and_one_over_ipv6() {
    let v4 = b"\x0a\x63\x00\x0b\x0a\x63\x00\x01\x03\x20\x08\x01";
    assert_eq!(
        decode(&header(0x21, 0x11, v4)),
        Ok(client("10.99.0.11:800"))
    );
    let v6 = [
        &[0xfd, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1][..],
        &[0; 16],
        &[0x03, 0x20, 0x08, 0x01],
    ];
    let v6 = header(0x21, 0x21, &v6.concat());
    assert_eq!(decode(&v6), Ok(client("[fd00::1]:800")));
}

#[test]
fn what_else_a_proxy_tells_is_skipped() {
    let v4 = b"\x0a\x63\x00\x0b\x0a\x63\x00\x01\x03\x20\x08\x01";
    let unique_id_and_nothing = b"\x05\x00\x03abc\x04\x00\x00";
    let rest = [&v4[..], unique_id_and_nothing].concat();
    assert_eq!(
        decode(&header(0x21, 0x11, &rest)),
        Ok(client("10.99.0.11:800"))
    );
    for cut in 1..unique_id_and_nothing.len() {
        let rest = &rest[..v4.len() + cut];
        let read = decode(&header(0x21, 0x11, rest));
        // The first value ends after six bytes.
        assert_eq!(read.is_ok(), cut == 6, "{cut}");
    }
}

#[test]
fn a_health_check_is_the_proxys_own_and_so_is_what_says_nothing() {
    for (command, family) in [(0x20, 0x00), (0x20, 0x11), (0x20, 0x31), (0x21, 0x00)] {
        assert_eq!(decode(&header(command, family, b"")), Ok(Source::Proxy));
        assert_eq!(decode(&header(command, family, b"any")), Ok(Source::Proxy));
    }
}

#[test]
fn what_is_no_header_is_refused() {
    let v4 = [0; 12];
    let mut call = header(0x21, 0x11, &v4);
    call[3] = b'x';
    assert_eq!(decode(&call), Err(ProxyError::NoHeader));
    let version_1 = b"PROXY TCP4 10.0.0.1 10.0.0.2 800 2049\r\n";
    assert_eq!(decode(version_1), Err(ProxyError::NoHeader));
    let of = |command, family, rest: &[u8]| decode(&header(command, family, rest));
    assert_eq!(of(0x11, 0x11, &v4), Err(ProxyError::Version(1)));
    assert_eq!(of(0x22, 0x11, &v4), Err(ProxyError::Command(2)));
    for family in [0x12, 0x22, 0x31, 0x32, 0x41, 0x10, 0x01, 0xff] {
        assert_eq!(of(0x21, family, &[0; 216]), Err(ProxyError::Family(family)));
    }
    let (expected, found) = (2, 1);
    let short = Err(ProxyError::TooShort { expected, found });
    assert_eq!(of(0x21, 0x11, &v4[..11]), short);
    let (found, limit) = (537, HEADER_BYTES_MAX);
    let long = Err(ProxyError::TooLong { found, limit });
    assert_eq!(of(0x20, 0x00, &[0; 521]), long);
    assert_eq!(of(0x20, 0x00, &[0; 520]), Ok(Source::Proxy));
}

proptest! {
    #[test]
    fn a_client_is_who_the_proxy_says(address in any::<std::net::IpAddr>(), port: u16, value in proptest::collection::vec(any::<u8>(), 0..400)) {
        let (family, octets) = match address {
            std::net::IpAddr::V4(v4) => (0x11, v4.octets().to_vec()),
            std::net::IpAddr::V6(v6) => (0x21, v6.octets().to_vec()),
        };
        let length = (value.len() as u16).to_be_bytes();
        let rest = [&octets[..], &octets, &port.to_be_bytes(), &[8, 1], &[0xee], &length, &value].concat();
        let said = decode(&header(0x21, family, &rest));
        prop_assert_eq!(said, Ok(Source::Client(SocketAddr::new(address, port))));
    }

    #[test]
    fn any_bytes_are_a_header_or_an_error(command in 0x1e..0x24_u8, family: u8, rest in proptest::collection::vec(any::<u8>(), 0..600), lie in -3..3_i32) {
        let mut bytes = header(command, family, &rest);
        let length = (rest.len() as i32 + lie).clamp(0, 65_535) as u16;
        bytes[14..16].copy_from_slice(&length.to_be_bytes());
        let read = decode(&bytes);
        prop_assert!(usize::from(length) == rest.len() || read.is_err());
    }
}
