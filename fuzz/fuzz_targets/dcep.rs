//! A message of the data channel establishment protocol.
#![no_main]

use libfuzzer_sys::fuzz_target;
use oxirtc_datachannel::message::Message;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(message) = Message::parse(bytes) {
        let mut written = Vec::new();
        message.write(&mut written);
        assert_eq!(Message::parse(&written), Ok(message));
    }
});
