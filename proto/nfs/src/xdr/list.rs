//! XDR linked lists ("another one follows: TRUE, item, ... FALSE"), without memory per item.
//!
//! A decoded list keeps the bytes it was decoded from: they were checked once, so that iterating decodes
//! them again and cannot fail. A list to send is encoded item by item into an [`EncodedList`].

use std::fmt;
use std::marker::PhantomData;

use super::{Decode, Decoder, Encode, Encoder};
use crate::XdrError;

/// A list whose items were checked and are decoded as they are asked for.
pub struct List<'a, T> {
    /// The items, each after its TRUE, and the FALSE at the end.
    raw: &'a [u8],
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Decode<'a>> List<'a, T> {
    /// The items in order.
    pub const fn iter(&self) -> ListIter<'a, T> {
        ListIter {
            decoder: Decoder::new(self.raw),
            items: PhantomData,
        }
    }
}

impl<T> Clone for List<'_, T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for List<'_, T> {}

impl<T> PartialEq for List<'_, T> {
    fn eq(&self, other: &Self) -> bool {
        self.raw == other.raw
    }
}

impl<T> Eq for List<'_, T> {}

impl<'a, T: Decode<'a> + fmt::Debug> fmt::Debug for List<'a, T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_list().entries(self.iter()).finish()
    }
}

impl<T> Encode for List<'_, T> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.raw(self.raw);
    }
}

impl<'a, T: Decode<'a>> Decode<'a> for List<'a, T> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        let start = decoder.position();
        while decoder.bool()? {
            T::decode(decoder)?;
        }
        Ok(Self {
            raw: decoder.since(start),
            items: PhantomData,
        })
    }
}

impl<'a, T: Decode<'a>> IntoIterator for List<'a, T> {
    type Item = T;
    type IntoIter = ListIter<'a, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// Iterator over a [`List`].
#[derive(Debug, Clone)]
pub struct ListIter<'a, T> {
    decoder: Decoder<'a>,
    items: PhantomData<fn() -> T>,
}

impl<'a, T: Decode<'a>> Iterator for ListIter<'a, T> {
    type Item = T;

    fn next(&mut self) -> Option<T> {
        // Errors cannot come: the same bytes were decoded when the list was made.
        Option::<T>::decode(&mut self.decoder).ok().flatten()
    }
}

/// A list being put together for sending; its items are of one type, which the caller knows.
#[derive(Debug)]
pub struct EncodedList {
    encoder: Encoder,
}

impl EncodedList {
    /// An empty list.
    pub fn new() -> Self {
        let mut encoder = Encoder::new();
        encoder.bool(false);
        Self { encoder }
    }

    /// Adds `item` at the end.
    pub fn push(&mut self, item: &impl Encode) {
        self.encoder.truncate(self.encoder.len() - 4);
        self.encoder.bool(true);
        item.encode(&mut self.encoder);
        self.encoder.bool(false);
    }

    /// The list as a message's field.
    pub fn as_list<T>(&self) -> List<'_, T> {
        List {
            raw: self.encoder.as_bytes(),
            items: PhantomData,
        }
    }
}

impl Default for EncodedList {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: Encode> FromIterator<T> for EncodedList {
    fn from_iter<I: IntoIterator<Item = T>>(items: I) -> Self {
        let mut list = Self::new();
        for item in items {
            list.push(&item);
        }
        list
    }
}
