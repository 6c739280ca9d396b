//! Negotiation between two ends, and with descriptions recorded from browsers.

mod signaling;
mod support;
