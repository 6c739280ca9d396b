//! A peer that edits what it says before it is sealed.

/// Changes one message into what is said in its place.
pub(crate) type Edit = Box<dyn FnMut(Draft) -> Vec<Draft>>;

/// A message that is about to be said.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) epoch: u16,
    pub(crate) kind: u8,
    pub(crate) body: Vec<u8>,
    /// Whether it leaves.
    pub(crate) sent: bool,
    pub(crate) transcript: As,
    original: (u8, Vec<u8>),
}

/// How it counts in the transcript of the one who says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum As {
    /// As it is said: both hash the change, and only the guard of its meaning can notice it.
    Edited,
    /// As it was: only signature and Finished can notice.
    Original,
    Not,
}

impl Draft {
    pub(crate) fn new(epoch: u16, kind: u8, body: Vec<u8>) -> Self {
        Self {
            epoch,
            kind,
            original: (kind, body.clone()),
            body,
            sent: true,
            transcript: As::Edited,
        }
    }

    pub(crate) fn original(&self) -> (u8, &[u8]) {
        (self.original.0, &self.original.1)
    }

    /// The body as it counts.
    pub(crate) fn counted(&self) -> &[u8] {
        match self.transcript {
            As::Original => &self.original.1,
            As::Edited | As::Not => &self.body,
        }
    }
}

/// An edit of the messages of one kind.
pub(crate) fn each(kind: u8, mut change: impl FnMut(&mut Draft) + 'static) -> Edit {
    Box::new(move |mut draft| {
        if draft.kind == kind {
            change(&mut draft);
        }
        vec![draft]
    })
}

/// A bit of the last byte is another: of a signature or of a MAC, where those stand last.
pub(crate) fn flip_last(draft: &mut Draft) {
    if let Some(byte) = draft.body.last_mut() {
        *byte ^= 1;
    }
}
