//! Negotiation between two ends, and with descriptions recorded from browsers.

mod again;
mod bundles;
mod candidates;
mod data;
mod ends;
mod hidden;
mod hostile;
mod ice;
mod layers;
mod media;
mod media_rounds;
mod peers;
mod recorded;
mod refused;
mod rfc;
mod rounds;
mod shapes;
mod signaling;
mod support;
