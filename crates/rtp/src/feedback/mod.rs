//! Transport-wide feedback: what we tell of arrivals, and what the peer tells us.

mod received;
mod sent;

pub use self::sent::{Acked, Feedback};
pub(crate) use self::{received::Received, sent::SentNumbers};
