#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod agent;
mod candidate;
mod checks;
mod config;
mod consent;
mod control;
mod credentials;
mod error;
mod event;
mod gather;
mod hold;
mod pair;
mod session;
mod stats;
mod timer;

pub use crate::{
    agent::Agent,
    candidate::{Address, Candidate, CandidateKind, Pair, Path, Protocol, TcpType},
    config::Config,
    credentials::Credentials,
    error::Error,
    event::{Event, GatheringState, Interface, Request, RequestId, Role, State},
    pair::PairState,
    stats::{Drops, PairStats, Stats},
};
