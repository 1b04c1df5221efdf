//! How single members are read: borrowed, tolerant of `null`, and never an
//! error for a value that this build does not know.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;

use serde::de::{Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::Unknowns;
use crate::model::{
    AuthStatus, CredentialKind, ErrorCode, EventOutcome, EventType, Field, FlowStatus, FlowStep,
    FlowType, HealthCheckUnavailable, ReauthReason, SsoProvider, Timestamp,
};

/// A string, borrowed from the body unless it has escapes.
#[derive(Deserialize)]
pub(super) struct JsonStr<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Reads an array past; the number of its items.
fn skip_items<'de, A: SeqAccess<'de>>(mut items: A) -> Result<usize, A::Error> {
    let mut count = 0;
    while items.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

fn skip_members<'de, A: MapAccess<'de>>(mut members: A) -> Result<(), A::Error> {
    while members.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

/// What a member of the API can be read from. A value of any other JSON type is
/// one that this build does not know.
pub(super) trait FromWire<'de>: Sized {
    /// What is exported in the place of a value that this build does not know.
    const STAND_IN: Option<Self> = None;

    /// `None` for a value that this build does not know.
    fn from_wire(_text: &str) -> Option<Self> {
        None
    }

    /// The same of a text that need not be copied.
    fn from_borrowed(text: &'de str) -> Option<Self> {
        Self::from_wire(text)
    }

    /// Whether a text stands for nothing.
    fn is_nothing(text: &str) -> bool {
        text.is_empty() || text == ZERO_TIME
    }

    fn from_bool(_flag: bool) -> Option<Self> {
        None
    }

    fn from_number(_number: f64) -> Option<Self> {
        None
    }

    fn from_length(_items: usize) -> Option<Self> {
        None
    }

    /// Reads an object to its end.
    fn from_members<A: MapAccess<'de>>(members: A) -> Result<Option<Self>, A::Error> {
        skip_members(members)?;
        Ok(None)
    }
}

impl FromWire<'_> for bool {
    fn from_bool(flag: bool) -> Option<Self> {
        Some(flag)
    }
}

/// Text that is nobody's business: that it is there is all that is kept.
impl FromWire<'_> for () {
    fn from_wire(_text: &str) -> Option<Self> {
        Some(())
    }
}

/// A name: whose it is nobody else's business to know, so that one that cannot
/// be read is not told.
impl<'de: 'a, 'a> FromWire<'de> for Cow<'a, str> {
    fn from_wire(text: &str) -> Option<Self> {
        is_readable(text).then(|| Cow::Owned(text.to_owned()))
    }

    fn from_borrowed(text: &'de str) -> Option<Self> {
        is_readable(text).then_some(Cow::Borrowed(text))
    }

    /// A name may be any text.
    fn is_nothing(text: &str) -> bool {
        text.is_empty()
    }
}

/// Not where something stands for bytes that are not UTF-8.
fn is_readable(name: &str) -> bool {
    !name.contains(char::REPLACEMENT_CHARACTER)
}

/// A free text: a name that is not on the list is nothing unknown.
impl FromWire<'_> for SsoProvider {
    fn from_wire(text: &str) -> Option<Self> {
        Some(<Self>::from_wire(text).unwrap_or(Self::Other))
    }
}

/// Whole seconds, as far as they are a span of time.
impl FromWire<'_> for u32 {
    fn from_number(value: f64) -> Option<Self> {
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        (value >= 0.0 && value <= f64::from(Self::MAX)).then_some(value as Self)
    }
}

/// The length of an array whose content is nobody's business.
impl FromWire<'_> for usize {
    fn from_length(items: usize) -> Option<Self> {
        Some(items)
    }
}

/// `credential`: which of its members are there, never what they say.
impl<'de> FromWire<'de> for CredentialKind {
    fn from_members<A: MapAccess<'de>>(mut members: A) -> Result<Option<Self>, A::Error> {
        let (mut name, mut provider, mut path, mut auto) = (false, false, false, false);
        while let Some(key) = members.next_key::<JsonStr<'de>>()? {
            let here = match &*key.0 {
                "name" => &mut name,
                "provider" => &mut provider,
                "path" => &mut path,
                "auto" => {
                    auto = matches!(members.next_value::<Member<bool>>()?, Member::Known(true));
                    continue;
                }
                _ => {
                    members.next_value::<IgnoredAny>()?;
                    continue;
                }
            };
            *here = members.next_value::<Option<IgnoredAny>>()?.is_some();
        }
        Ok(Some(match (name, provider, path, auto) {
            (true, ..) => Self::Kernel,
            (_, true, true, _) => Self::ExternalPath,
            (_, true, _, true) => Self::ExternalAuto,
            (_, true, ..) => Self::ExternalInert,
            _ => Self::None,
        }))
    }
}

macro_rules! from_wire {
    ($( $name:ident $( or $stand_in:ident )? ),+ $(,)?) => {
        $( impl FromWire<'_> for $name {
            $( const STAND_IN: Option<Self> = Some(Self::$stand_in); )?

            fn from_wire(text: &str) -> Option<Self> {
                <$name>::from_wire(text)
            }
        } )+
    };
}

from_wire!(
    AuthStatus or Unknown,
    FlowStatus or Unknown,
    FlowStep or Unknown,
    FlowType or Unknown,
    ErrorCode or Other,
    EventOutcome,
    EventType,
    ReauthReason or Other,
    HealthCheckUnavailable or Other,
);

impl FromWire<'_> for Timestamp {
    /// RFC 3339, with fractions and offsets.
    fn from_wire(text: &str) -> Option<Self> {
        text.parse::<jiff::Timestamp>()
            .ok()
            .map(|time| Self::from_micros(time.as_microsecond()))
    }
}

/// Stands for a value that is not of the type it should be.
const ANOTHER_TYPE: &str = "(of another type)";

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

impl Member<Cow<'_, str>> {
    /// The name; empty where there is none, or none that can be read.
    pub(super) fn or_empty(&self) -> &str {
        match self {
            Self::Known(text) => text,
            Self::Absent | Self::Unknown(_) => "",
        }
    }

    /// Notes that it cannot be read.
    pub(super) fn note(&self, field: Field, unknown: &mut Unknowns) {
        if matches!(self, Self::Unknown(_)) {
            unknown.note(field, ANOTHER_TYPE);
        }
    }
}

impl<'de, T: FromWire<'de>> Member<T> {
    /// The value; what stands in for one that is not known, which is noted.
    pub(super) fn read(&self, field: Field, unknown: &mut Unknowns) -> Option<T>
    where
        T: Copy,
    {
        match self {
            Self::Absent => None,
            Self::Known(value) => Some(*value),
            Self::Unknown(value) => {
                unknown.note(field, value);
                T::STAND_IN
            }
        }
    }

    /// What a text is read as.
    fn of_text(text: &str, read: Option<T>) -> Self {
        match read {
            _ if T::is_nothing(text) => Self::Absent,
            Some(value) => Self::Known(value),
            None => Self::Unknown(text.into()),
        }
    }
}

impl<T> Member<T> {
    fn known(value: Option<T>) -> Self {
        value.map_or_else(|| Self::Unknown(ANOTHER_TYPE.into()), Self::Known)
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }
}

impl<'de, T: FromWire<'de>> Deserialize<'de> for Member<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        struct Read<T>(PhantomData<T>);

        impl<'de, T: FromWire<'de>> Visitor<'de> for Read<T> {
            type Value = Member<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("anything")
            }

            fn visit_unit<E: Error>(self) -> Result<Member<T>, E> {
                Ok(Member::Absent)
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Member<T>, E> {
                Ok(Member::of_text(text, T::from_borrowed(text)))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Member<T>, E> {
                Ok(Member::of_text(text, T::from_wire(text)))
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Member<T>, E> {
                Ok(Member::known(T::from_bool(flag)))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Member<T>, E> {
                Ok(Member::known(T::from_number(number as f64)))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Member<T>, E> {
                Ok(Member::known(T::from_number(number as f64)))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Member<T>, E> {
                Ok(Member::known(T::from_number(number)))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, items: A) -> Result<Member<T>, A::Error> {
                Ok(Member::known(T::from_length(skip_items(items)?)))
            }

            fn visit_map<A: MapAccess<'de>>(self, members: A) -> Result<Member<T>, A::Error> {
                Ok(Member::known(T::from_members(members)?))
            }
        }

        reader.deserialize_any(Read(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_that_was_never_set_is_none_and_a_name_may_look_like_one() {
        let text = format!("\"{ZERO_TIME}\"");
        let time: Member<Timestamp> = serde_json::from_str(&text).unwrap();
        assert!(time.is_absent());
        let name: Member<Cow<'_, str>> = serde_json::from_str(&text).unwrap();
        assert_eq!(name.or_empty(), ZERO_TIME);
    }
}
