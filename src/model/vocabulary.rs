//! How closed sets of values are declared.

/// Declares an enum whose variants each have a text, one byte each: label values,
/// and whatever else is chosen from a closed list.
///
/// Those after `own` (`NONE`, `UNKNOWN`, `other`) are this program's, where the
/// others are the API's: they are never parsed.
macro_rules! vocabulary {
    (
        $(#[$meta:meta])*
        $name:ident { $( $(#[$vmeta:meta])* $variant:ident = $text:literal ),+ $(,)? }
        $( own { $( $(#[$ometa:meta])* $own:ident = $otext:literal ),+ $(,)? } )?
    ) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u8)]
        pub(crate) enum $name {
            $( $(#[$vmeta])* $variant, )+
            $( $( $(#[$ometa])* $own, )+ )?
        }

        #[allow(dead_code, reason = "not every vocabulary uses all of this outside of tests")]
        impl $name {
            /// Every value, in the order of [`Self::LABELS`].
            pub(crate) const ALL: &'static [Self] =
                &[$( Self::$variant, )+ $( $( Self::$own, )+ )?];

            /// The label value of each, indexed by `self as usize`.
            pub(crate) const LABELS: &'static [&'static str] =
                &[$( $text, )+ $( $( $otext, )+ )?];

            /// The label value.
            pub(crate) const fn as_str(self) -> &'static str {
                Self::LABELS[self as usize]
            }

            /// Reads what the API sent, without regard to ASCII case.
            ///
            /// `None` for a value that this build does not know.
            pub(crate) fn from_wire(text: &str) -> Option<Self> {
                $( if text.eq_ignore_ascii_case($text) { return Some(Self::$variant); } )+
                None
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use vocabulary;
