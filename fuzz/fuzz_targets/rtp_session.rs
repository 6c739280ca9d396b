//! A session that sends and receives: packets in any order, frames, and what an application does.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_fuzz::parse;

fuzz_target!(|bytes: &[u8]| parse::rtp_session(bytes, oxirtc_netsim::epoch()));
