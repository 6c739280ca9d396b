#![doc = include_str!("../README.md")]
#![warn(clippy::indexing_slicing)]

mod agent;
mod base;
mod candidate;
mod checks;
mod combine;
mod config;
mod consent;
mod control;
mod credentials;
mod error;
mod event;
mod external;
mod framing;
mod gather;
mod generation;
mod head;
mod hold;
mod hosts;
mod key;
mod name;
mod pair;
mod relay;
mod select;
mod server;
mod set;
mod silence;
mod source;
mod state;
mod stats;
mod stream;
mod tables;
mod timer;
mod way;

pub use oxirtc_turn::Credentials as RelayCredentials;

pub use crate::{
    agent::Agent,
    candidate::{Address, Candidate, CandidateKind, Pair, Path, Protocol, RelayProtocol, TcpType},
    config::{Config, IpHandling, TransportPolicy},
    credentials::Credentials,
    error::Error,
    event::{Event, GatheringState, Interface, Obstacle, Request, RequestId, Role, State},
    generation::{Generation, GenerationId, Plan, RemoteIce},
    head::{Head, head, transaction},
    pair::PairState,
    server::{Server, ServerKind},
    set::ChecklistSet,
    stats::{Drops, PairStats, Stats},
    way::Way,
};
