//! Official test vectors, as hexadecimal strings in JSON.

use serde_json::Value;

pub(crate) fn read(file: &str) -> Value {
    serde_json::from_str(file).unwrap()
}

pub(crate) fn hex(value: &Value) -> Vec<u8> {
    let text = value.as_str().unwrap();
    (0..text.len())
        .step_by(2)
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}
