//! What all dictionaries are made of.

use serde::{Deserialize, Serialize};

/// `RTCStats` ([W3C §8.4](https://www.w3.org/TR/webrtc/#rtcstats-dictionary)): what every dictionary has. Its `type` is the
/// variant of [`StatsObject`](crate::StatsObject).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[doc(alias = "RTCStats")]
pub struct Stats {
    /// Names the object in all reports of its connection.
    pub id: String,
    /// When the values were taken, or when the report of the peer came that told them: milliseconds since 1970.
    pub timestamp: f64,
}

/// A dictionary of W3C's: what it inherits, what is required, and what may be absent.
macro_rules! dictionary {
    (
        $(#[$about:meta])*
        $name:ident {
            $parent:ident: $Parent:ty,
            $( $(#[$required_about:meta])* $required:ident: $Required:ty, )*
        }
        optional {
            $( $(#[$optional_about:meta])* $optional:ident: $Optional:ty, )*
        }
    ) => {
        $(#[$about])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(rename_all = "camelCase")]
        #[non_exhaustive]
        pub struct $name {
            /// What it inherits.
            #[serde(flatten)]
            pub $parent: $Parent,
            $( $(#[$required_about])* pub $required: $Required, )*
            $(
                $(#[$optional_about])*
                #[serde(default, skip_serializing_if = "Option::is_none")]
                pub $optional: Option<$Optional>,
            )*
        }

        impl $name {
            /// With what is required; everything else is absent.
            pub fn new($parent: $Parent, $($required: $Required,)*) -> Self {
                Self { $parent, $($required,)* $($optional: None,)* }
            }

            /// Its own members, in Rust's words.
            #[cfg(test)]
            pub(crate) const MEMBERS: &'static [&'static str] =
                &[$(stringify!($required),)* $(stringify!($optional),)*];
        }
    };
}

pub(crate) use dictionary;
