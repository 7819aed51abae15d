//! What the decoder accepts, and above all what it does not.

use super::*;

#[test]
fn opaque_data_says_where_it_stands() {
    let mut encoder = Encoder::new();
    encoder.u32(7);
    encoder.opaque(b"hello");
    encoder.u32(8);
    let record = encoder.into_bytes();
    let mut decoder = Decoder::new(&record);
    assert_eq!(decoder.u32(), Ok(7));
    let data = decoder.opaque(5).unwrap();
    assert_eq!(data.bytes(), b"hello");
    assert_eq!(&record[data.range()], b"hello");
    assert_eq!(decoder.u32(), Ok(8));
    assert_eq!(decoder.finish(), Ok(()));
}

#[test]
fn a_length_is_checked_against_the_limit_and_then_against_the_record() {
    let record = u32::MAX.to_be_bytes();
    assert_eq!(
        Decoder::new(&record).opaque(400),
        Err(XdrError::TooLong {
            position: 0,
            length: u32::MAX as usize,
            limit: 400
        })
    );
    assert_eq!(
        Decoder::new(&record).opaque(usize::MAX),
        Err(XdrError::Truncated {
            position: 4,
            needed: u32::MAX as usize,
            remaining: 0
        })
    );
}

#[test]
fn padding_must_be_there_but_may_be_anything() {
    let missing = [0, 0, 0, 1, b'x', 0, 0];
    assert!(matches!(
        Decoder::new(&missing).opaque(9),
        Err(XdrError::Truncated { needed: 3, .. })
    ));
    let filled = [0, 0, 0, 1, b'x', 1, 2, 3];
    let mut decoder = Decoder::new(&filled);
    assert_eq!(decoder.opaque(9).unwrap().bytes(), b"x");
    assert_eq!(decoder.remaining(), 0);
}

#[test]
fn booleans_are_zero_or_one() {
    for (value, expected) in [(0, Some(false)), (1, Some(true)), (2, None)] {
        let record = u32::to_be_bytes(value);
        assert_eq!(Decoder::new(&record).bool().ok(), expected);
    }
}

#[test]
fn bytes_left_over_are_an_error() {
    assert_eq!(
        u32::from_bytes(&[0; 6]),
        Err(XdrError::TrailingBytes { count: 2 })
    );
}

#[test]
fn bounded_values_refuse_to_be_too_long() {
    assert!(BoundedBytes::<3>::new(b"abc").is_ok());
    assert!(BoundedBytes::<3>::new(b"abcd").is_err());
    assert!(BoundedBytes::<3>::from_bytes(&[0, 0, 0, 4, 1, 2, 3, 4]).is_err());
    assert!(U32Array::<2>::new(&[1, 2]).is_ok());
    assert!(U32Array::<2>::new(&[1, 2, 3]).is_err());
    let three = [0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0, 3];
    assert!(U32Array::<2>::from_bytes(&three).is_err());
    assert_eq!(*U32Array::<3>::from_bytes(&three).unwrap(), [1, 2, 3]);
}

#[test]
fn lists_are_decoded_twice_to_the_same_items() {
    let list = EncodedList::from_iter([3_u32, 5, 8]);
    let bytes = list.as_list::<u32>().to_bytes();
    let decoded = List::<u32>::from_bytes(&bytes).unwrap();
    assert_eq!(decoded.iter().collect::<Vec<_>>(), [3, 5, 8]);
    assert_eq!(decoded.to_bytes(), bytes);
    let unended = &bytes[..bytes.len() - 4];
    assert!(List::<u32>::from_bytes(unended).is_err());
    assert_eq!(EncodedList::new().as_list::<u32>().iter().count(), 0);
}

#[test]
fn padding_fills_to_four() {
    for length in 0..9 {
        assert_eq!((length + padding_length(length)) % 4, 0);
        assert_eq!(padding(length).len(), padding_length(length));
        assert!(padding_length(length) < 4);
    }
}
