//! What the peer does with a channel of the page's: it sends back what it gets.

use std::fmt::Write as _;

use oxirtc_peerconnection::{DataChannel, Error, Message};
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::json;

/// The first message on a channel `file`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct Announcement {
    name: String,
    size: u64,
}

/// A file on its way: what came of it, and what is to come.
#[derive(Clone)]
struct Incoming {
    left: u64,
    bytes: u64,
    digest: Context,
}

/// Serves one channel until it closes.
pub(crate) async fn serve(channel: DataChannel) {
    let label = channel.label();
    let outcome = match label.as_str() {
        "file" => file(&channel).await,
        _ => echo(&channel).await,
    };
    if let Err(error) = outcome {
        log::debug!("channel {label:?} ended: {error}");
    }
}

async fn echo(channel: &DataChannel) -> Result<(), Error> {
    while let Some(message) = channel.recv().await {
        channel.send(message).await?;
    }
    Ok(())
}

/// Each piece goes back as it comes. `send` waits while the buffer is full, and what is not read
/// holds up the page: the process keeps a few pieces, however large the file is.
async fn file(channel: &DataChannel) -> Result<(), Error> {
    let Some(first) = channel.recv().await else {
        return Ok(());
    };
    let mut incoming = match announcement(&first) {
        Ok(announcement) => {
            log::info!("{:?}, {} bytes", announcement.name, announcement.size);
            Incoming::new(announcement.size)
        }
        Err(reason) => return refuse(channel, &reason).await,
    };
    while incoming.left > 0 {
        let Some(piece) = channel.recv().await else {
            return Ok(()); // cancelled
        };
        if let Err(reason) = incoming.take(&piece) {
            return refuse(channel, &reason).await;
        }
        channel.send(piece).await?;
    }
    let bytes = incoming.bytes;
    let last = json!({ "sha256": incoming.hex(), "bytes": bytes });
    channel.send(last.to_string()).await?;
    // The page closes, when it has all.
    while channel.recv().await.is_some() {}
    Ok(())
}

async fn refuse(channel: &DataChannel, reason: &str) -> Result<(), Error> {
    channel.send(json!({ "error": reason }).to_string()).await?;
    channel.close();
    channel.closed().await
}

fn announcement(message: &Message) -> Result<Announcement, String> {
    let Message::Text(text) = message else {
        return Err("a file begins with its name and size".to_owned());
    };
    serde_json::from_str(text).map_err(|error| format!("name and size cannot be read: {error}"))
}

impl Incoming {
    fn new(size: u64) -> Self {
        Self {
            left: size,
            bytes: 0,
            digest: Context::new(&SHA256),
        }
    }

    fn take(&mut self, piece: &Message) -> Result<(), String> {
        let Message::Binary(piece) = piece else {
            return Err("a file is sent in binary messages".to_owned());
        };
        let length = piece.len() as u64;
        let Some(left) = self.left.checked_sub(length) else {
            return Err(format!(
                "{} bytes more than were announced",
                length - self.left
            ));
        };
        (self.left, self.bytes) = (left, self.bytes + length);
        self.digest.update(piece);
        Ok(())
    }

    fn hex(self) -> String {
        let digest = self.digest.finish();
        digest
            .as_ref()
            .iter()
            .fold(String::new(), |mut text, byte| {
                // Writing to a String does not fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_in_pieces_has_the_digest_of_the_whole() {
        let mut incoming = Incoming::new(3);
        incoming.take(&Message::from(&b"a"[..])).unwrap();
        incoming.take(&Message::from(&b""[..])).unwrap();
        incoming.take(&Message::from(&b"bc"[..])).unwrap();
        assert_eq!((incoming.left, incoming.bytes), (0, 3));
        // FIPS 180-4's example.
        assert_eq!(
            incoming.hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn more_than_announced_and_text_are_refused() {
        let mut incoming = Incoming::new(3);
        assert_eq!(
            incoming.take(&Message::from(&b"abcde"[..])).unwrap_err(),
            "2 bytes more than were announced"
        );
        assert!(
            incoming
                .take(&Message::from("abc"))
                .unwrap_err()
                .contains("binary")
        );
        assert_eq!(incoming.left, 3);
    }

    #[test]
    fn an_announcement_has_name_and_size() {
        let good = Message::from(r#"{"name":"a.txt","size":5}"#);
        assert_eq!(
            announcement(&good).unwrap(),
            Announcement {
                name: "a.txt".to_owned(),
                size: 5
            }
        );
        for bad in ["", "{}", r#"{"name":"a"}"#, r#"{"name":"a","size":-1}"#] {
            assert!(announcement(&Message::from(bad)).is_err(), "{bad}");
        }
        assert!(announcement(&Message::from(&b"x"[..])).is_err());
    }
}
