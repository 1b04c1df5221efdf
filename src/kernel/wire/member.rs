//! How single members are read: borrowed, tolerant of `null`, and never an
//! error for a value that this build does not know.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Unknown;
use crate::model::{
    AuthStatus, ErrorCode, Field, FlowStatus, FlowStep, FlowType, HealthCheckUnavailable,
    ReauthReason, Timestamp,
};

/// The longest unknown value that is kept for the log, bytes.
const MAX_UNKNOWN: usize = 64;

/// A string, borrowed from the body unless it has escapes.
pub(super) struct Text<'a>(pub(super) Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Text<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Text<'de>, E> {
                Ok(Text(Cow::Owned(text.to_owned())))
            }
        }

        reader.deserialize_str(Read)
    }
}

/// A string of the API that stands for something.
pub(super) trait FromWire: Copy {
    /// `None` for a value that this build does not know.
    fn from_wire(text: &str) -> Option<Self>;
}

macro_rules! from_wire {
    ($($name:ty),+) => {
        $( impl FromWire for $name {
            fn from_wire(text: &str) -> Option<Self> {
                <$name>::from_wire(text)
            }
        } )+
    };
}

from_wire!(
    AuthStatus,
    FlowStatus,
    FlowStep,
    FlowType,
    ErrorCode,
    ReauthReason,
    HealthCheckUnavailable
);

impl FromWire for Timestamp {
    /// RFC 3339, with fractions and offsets.
    fn from_wire(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|time| Self::from_micros(time.as_microsecond()))
    }
}

/// What Go writes for a time that was never set.
const ZERO_TIME: &str = "0001-01-01T00:00:00Z";

/// An optional member. Missing, `null` and the empty string are alike.
#[derive(Clone, Debug, Default)]
pub(super) enum Member<T> {
    #[default]
    Absent,
    Known(T),
    Unknown(Box<str>),
}

impl<T: Copy> Member<T> {
    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    /// The value; `stand_in` for one that is not known, which is noted.
    pub(super) fn or_unknown(
        &self,
        stand_in: Option<T>,
        field: Field,
        unknown: &mut Vec<Unknown>,
    ) -> Option<T> {
        match self {
            Self::Absent => None,
            Self::Known(value) => Some(*value),
            Self::Unknown(value) => {
                unknown.push(Unknown {
                    field,
                    value: value.clone(),
                });
                stand_in
            }
        }
    }
}

impl<'de, T: FromWire> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: FromWire> Visitor<'de> for Read<T> {
            type Value = Member<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or null")
            }

            fn visit_none<E: Error>(self) -> Result<Member<T>, E> {
                Ok(Member::Absent)
            }

            fn visit_unit<E: Error>(self) -> Result<Member<T>, E> {
                Ok(Member::Absent)
            }

            fn visit_some<D: Deserializer<'de>>(self, reader: D) -> Result<Member<T>, D::Error> {
                reader.deserialize_str(self)
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Member<T>, E> {
                Ok(match T::from_wire(text) {
                    _ if text.is_empty() || text == ZERO_TIME => Member::Absent,
                    Some(value) => Member::Known(value),
                    None => Member::Unknown(text[..text.floor_char_boundary(MAX_UNKNOWN)].into()),
                })
            }
        }

        reader.deserialize_option(Read(PhantomData))
    }
}

/// The length of an array whose content is nobody's business.
#[derive(Clone, Copy, Debug)]
pub(super) struct Count(pub(super) usize);

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Read;

        impl<'de> Visitor<'de> for Read {
            type Value = Count;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Count, A::Error> {
                let mut count = 0;
                while items.next_element::<IgnoredAny>()?.is_some() {
                    count += 1;
                }
                Ok(Count(count))
            }
        }

        reader.deserialize_seq(Read)
    }
}
