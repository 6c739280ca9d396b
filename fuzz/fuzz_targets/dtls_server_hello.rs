//! The body of a ServerHello: what was read is written and read again, equal.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_dtls::message::Kind;
use oxirtc_fuzz::parse;

fuzz_target!(|body: &[u8]| parse::handshake(Kind::ServerHello, body));
