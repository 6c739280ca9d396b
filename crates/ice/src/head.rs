//! The head of a datagram: what a port that many agents share has to know of it.

use oxirtc_stun::{Message, TransactionId};

/// What kind of datagram this is, for a shared port to find whom it is for. Nothing is verified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head<'a> {
    /// A request for the agent that has this local fragment.
    Request {
        /// What stands before the colon in its user name (RFC 8445 §7.2.2).
        ufrag: &'a str,
        /// What stands behind it: the fragment of the peer.
        remote: &'a str,
    },
    /// An answer to the request of this id.
    Response {
        /// The id of its transaction.
        id: [u8; 12],
    },
    /// Payload, or STUN that names nobody: it belongs to whom its path belongs to.
    Other,
}

/// Looks at one datagram. Each of a receive buffer is to be looked at: they may come from different peers.
pub fn head(datagram: &[u8]) -> Head<'_> {
    // RFC 7983 §7: the first byte tells STUN from everything else.
    let stun = matches!(datagram.first(), Some(0..=3))
        .then(|| Message::parse(datagram).ok())
        .flatten();
    let Some(message) = stun else {
        return Head::Other;
    };
    if message.class().is_response() {
        let id: TransactionId = message.transaction_id();
        return Head::Response { id: *id.as_bytes() };
    }
    let name = message.username().and_then(|name| name.split_once(':'));
    match name {
        Some((ufrag, remote)) if message.class() == oxirtc_stun::Class::Request => {
            Head::Request { ufrag, remote }
        }
        _ => Head::Other,
    }
}

/// The id of the transaction that a request of ours begins, by which its answer is known; `None` for whatever
/// is no request.
pub fn transaction(datagram: &[u8]) -> Option<[u8; 12]> {
    let stun = matches!(datagram.first(), Some(0..=3));
    let message = Message::parse(datagram).ok().filter(|_| stun)?;
    let is_request = message.class() == oxirtc_stun::Class::Request;
    is_request.then(|| *message.transaction_id().as_bytes())
}

#[cfg(test)]
mod tests {
    use oxirtc_stun::{Attribute, Builder, Class, Method};

    use super::*;

    fn message(class: Class, username: Option<&str>) -> Vec<u8> {
        let mut bytes = Vec::new();
        let id = TransactionId::new([7; 12]);
        let mut builder = Builder::new(&mut bytes, class, Method::BINDING, id);
        if let Some(name) = username {
            builder.add(Attribute::Username(name));
        }
        builder.finish().unwrap();
        bytes
    }

    #[test]
    fn datagrams_are_told_apart() {
        let request = message(Class::Request, Some("ours:theirs"));
        let named = Head::Request {
            ufrag: "ours",
            remote: "theirs",
        };
        assert_eq!(head(&request), named);
        assert_eq!(transaction(&request), Some([7; 12]));
        for class in [Class::Success, Class::Error] {
            let answer = message(class, Some("ours:theirs"));
            assert_eq!(head(&answer), Head::Response { id: [7; 12] });
            assert_eq!(transaction(&answer), None);
        }
        for other in [
            message(Class::Request, None),
            message(Class::Request, Some("ours")),
            message(Class::Indication, Some("ours:theirs")),
            request[..request.len() - 1].to_vec(),
            vec![22; 60],
            vec![128; 60],
            vec![],
        ] {
            assert_eq!(head(&other), Head::Other, "{other:?}");
        }
    }
}
