#![doc = include_str!("../README.md")]

pub mod dtls;
pub mod engine;
pub mod ice;
pub mod parse;
pub mod sctp;
pub mod wire;
