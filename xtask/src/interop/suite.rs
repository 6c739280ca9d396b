//! What the tests of a browser session share.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::time::timeout;

use super::browser::{Browser, Kind, Preferences, Tab};
use super::peer::Story;
use super::server::Server;

/// What the tests of a session share.
#[derive(Debug)]
pub(crate) struct Suite {
    pub(crate) browser: Browser,
    pub(crate) server: Server,
    kind: Kind,
    watched: Mutex<Option<(Tab, Story)>>,
}

impl Suite {
    pub(crate) fn is_firefox(&self) -> bool {
        self.kind == Kind::Firefox
    }

    pub(crate) async fn start(kind: Kind, preferences: Preferences) -> anyhow::Result<Self> {
        let browser = Browser::start(kind, preferences).await?;
        let server = Server::start().await?;
        Ok(Self {
            browser,
            server,
            kind,
            watched: Mutex::default(),
        })
    }

    /// Whose stories are told when the test fails.
    pub(crate) fn watch(&self, tab: Tab, story: Story) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some((tab, story));
    }

    /// The name under which a test keeps files.
    pub(crate) fn file_name(&self, test: &str) -> String {
        format!("{:?}-{test}", self.kind).to_lowercase()
    }

    /// What both sides went through, for the report of a test that failed.
    pub(crate) async fn tell_stories(&self) {
        let watched = self
            .watched
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let Some((tab, story)) = watched else {
            return;
        };
        story
            .lines()
            .iter()
            .for_each(|line| println!("       us      {line}"));
        let lines = timeout(Duration::from_secs(5), tab.run("return h.events", &[])).await;
        if let Ok(Ok(lines)) = lines {
            let lines = lines
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            lines.for_each(|line| println!("       browser {line}"));
        }
    }
}
