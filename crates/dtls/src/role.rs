/// Which side of the handshake an endpoint takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Role {
    /// Sends the first flight (`a=setup:active`).
    Client,
    /// Waits for it (`a=setup:passive`).
    Server,
}
