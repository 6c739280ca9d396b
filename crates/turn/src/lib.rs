#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod address;
mod allocation;
mod auth;
mod channel;
mod client;
mod config;
mod error;
mod event;
mod framing;
mod permission;
mod redirect;
mod request;
mod wrap;

pub use crate::{
    client::{Client, Input},
    config::{Config, Credentials, Families, Leg},
    error::Error,
    event::{Event, Failure, Relayed},
    framing::Deframer,
};
