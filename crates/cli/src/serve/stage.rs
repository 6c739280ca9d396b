//! What is published, by the name of its room.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use oxirtc_peerconnection::MediaStreamTrack;
use tokio::sync::watch;

/// The rooms of a server.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    rooms: Arc<Mutex<BTreeMap<String, Vec<MediaStreamTrack>>>>,
    /// Tells that something has changed.
    changes: watch::Sender<()>,
}

/// A room that is published in. It is free again when this is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    stage: Stage,
    name: String,
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            rooms: Arc::default(),
            changes: watch::Sender::new(()),
        }
    }

    /// Takes the room of this name; `None` while another has it.
    pub(crate) fn enter(&self, name: &str) -> Option<Place> {
        let mut rooms = self.lock();
        if rooms.contains_key(name) {
            return None;
        }
        rooms.insert(name.to_owned(), Vec::new());
        Some(Place {
            stage: self.clone(),
            name: name.to_owned(),
        })
    }

    /// What is published in a room; nothing when nobody does.
    pub(crate) fn tracks(&self, name: &str) -> Vec<MediaStreamTrack> {
        self.lock().get(name).cloned().unwrap_or_default()
    }

    /// Waits until somebody publishes in a room.
    pub(crate) async fn opened(&self, name: &str) -> Vec<MediaStreamTrack> {
        let mut changes = self.changes.subscribe();
        loop {
            let tracks = self.tracks(name);
            if !tracks.is_empty() {
                return tracks;
            }
            // The sender lives as long as the stage.
            let _ = changes.changed().await;
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Vec<MediaStreamTrack>>> {
        self.rooms.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Publishes tracks in it.
    pub(crate) fn publish(&self, tracks: Vec<MediaStreamTrack>) {
        self.stage.lock().insert(self.name.clone(), tracks);
        self.stage.changes.send_replace(());
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.stage.lock().remove(&self.name);
        self.stage.changes.send_replace(());
    }
}
