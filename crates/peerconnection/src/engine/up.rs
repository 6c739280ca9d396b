//! What the way up leads through.

use std::collections::VecDeque;

use super::{
    claims::Claims,
    data::Data,
    facts::States,
    media::Media,
    negotiation::Negotiation,
    task::{Event, Tasks},
    transport::Transport,
    transports::Others,
};
use crate::Route;

/// What stands above a transport and beside it, where its events go.
pub(super) struct Up<'a> {
    pub(super) others: Others<'a>,
    pub(super) negotiation: &'a mut Negotiation,
    pub(super) data: &'a mut Data,
    pub(super) media: &'a mut Media,
    pub(super) states: &'a mut States,
    pub(super) tasks: &'a mut Tasks,
    pub(super) routes: &'a mut VecDeque<Route>,
    pub(super) claims: &'a mut Claims,
}

impl Up<'_> {
    /// A transport has changed: the states of the connection, and what to tell when they have.
    pub(super) fn update_connection(&mut self, changed: &Transport, events: &mut Vec<Event>) {
        let transports = self.others.iter().chain([changed]);
        let shown = transports.map(|it| (it.shown.ice, it.shown.dtls));
        self.states.update_connection(shown, events);
    }

    /// The same of what is gathered.
    pub(super) fn update_gathering(&mut self, changed: &Transport, events: &mut Vec<Event>) {
        let transports = self.others.iter().chain([changed]);
        let shown = transports.map(|it| it.shown.gathering);
        self.states.update_gathering(shown, events);
    }
}
