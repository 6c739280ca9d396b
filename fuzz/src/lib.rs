#![doc = include_str!("../README.md")]

pub mod dtls;
pub mod engine;
pub mod ice;
pub mod mdns;
pub mod parse;
pub mod sctp;
pub mod streams;
pub mod turn;
pub mod wire;
