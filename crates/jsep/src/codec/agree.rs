//! What both ends have in common, and what is left of it in each direction.

use super::{Codec, Codecs, Format, Red};

impl Codecs {
    /// Those that the other end has too: with their own numbers and parameters, and the feedback that both
    /// know, in the order of `answer`, which is one of the two lists.
    pub(crate) fn shared(&self, other: &Self, answer: &Self) -> Self {
        let in_other = |format: &Format| other.matching(format);
        let mut media: Vec<Format> = Vec::new();
        for format in &self.media {
            let Some(theirs) = in_other(format) else {
                continue;
            };
            let mut format = format.clone();
            let known = &theirs.codec.feedback;
            format.codec.feedback.retain(|it| known.contains(it));
            media.push(format);
        }
        let place = |format: &Format| {
            let mut list = answer.media.iter();
            list.position(|it| it.codec.is_answer_to(&format.codec))
        };
        media.sort_by_key(|it| place(it).unwrap_or(usize::MAX));
        let carried = |payload: u8| media.iter().find(|it| it.payload == payload);
        let red = self.red.filter(|red| {
            other.red.is_some() && red.of.is_none_or(|payload| carried(payload).is_some())
        });
        let preferred = answer.red.is_some_and(|red| red.preferred);
        let red = red.map(|red| Red { preferred, ..red });
        let repaired = |payload: u8| match carried(payload) {
            Some(format) => in_other(format).and_then(|it| other.rtx_of(it.payload)),
            None => {
                let wrapped = other
                    .red
                    .filter(|_| red.is_some_and(|it| it.payload == payload));
                wrapped.and_then(|it| other.rtx_of(it.payload))
            }
        };
        let at_rates = |own: &[(u32, u8)], theirs: &[(u32, u8)]| {
            let both = |it: &&(u32, u8)| theirs.iter().any(|(rate, _)| *rate == it.0);
            own.iter().filter(both).copied().collect()
        };
        let rtx = self.rtx.iter().copied();
        Self {
            rtx: rtx.filter(|(of, _)| repaired(*of).is_some()).collect(),
            ulpfec: self
                .ulpfec
                .filter(|_| red.is_some() && other.ulpfec.is_some()),
            flexfec: self.flexfec.filter(|_| other.flexfec.is_some()),
            events: at_rates(&self.events, &other.events),
            noise: at_rates(&self.noise, &other.noise),
            red,
            media,
        }
    }

    /// With those that were agreed on earlier: until an answer comes the peer may send with either
    /// (RFC 3264 §8.3.2).
    pub(crate) fn joined(mut self, earlier: &Self) -> Self {
        let taken: Vec<_> = self.payloads().collect();
        let free = |payload: u8| !taken.contains(&payload);
        let media = earlier.media.iter().filter(|it| free(it.payload));
        self.media.extend(media.cloned());
        let free_pair = |it: &&(u8, u8)| free(it.1);
        self.rtx.extend(earlier.rtx.iter().filter(free_pair));
        self.red = self.red.or(earlier.red.filter(|it| free(it.payload)));
        self.ulpfec = self.ulpfec.or(earlier.ulpfec.filter(|it| free(*it)));
        self.flexfec = self.flexfec.or(earlier.flexfec.filter(|it| free(*it)));
        let free_rate = |it: &&(u32, u8)| free(it.1);
        self.events.extend(earlier.events.iter().filter(free_rate));
        self.noise.extend(earlier.noise.iter().filter(free_rate));
        self
    }

    /// Those whose payload types are not among these. What serves another one of these goes on serving it.
    pub(crate) fn without(&self, taken: &[u8]) -> Self {
        let free = |payload: u8| !taken.contains(&payload);
        let rated = |list: &[(u32, u8)]| list.iter().copied().filter(|it| free(it.1)).collect();
        let media = self.media.iter().filter(|it| free(it.payload));
        Self {
            media: media.cloned().collect(),
            rtx: self.rtx.iter().copied().filter(|it| free(it.1)).collect(),
            red: self.red.filter(|it| free(it.payload)),
            ulpfec: self.ulpfec.filter(|it| free(*it)),
            flexfec: self.flexfec.filter(|it| free(*it)),
            events: rated(&self.events),
            noise: rated(&self.noise),
        }
    }

    /// All payload types.
    pub(crate) fn payloads(&self) -> impl Iterator<Item = u8> {
        let media = self.media.iter().map(|it| it.payload);
        let rtx = self.rtx.iter().map(|(_, payload)| *payload);
        let alone = [self.red.map(|it| it.payload), self.ulpfec, self.flexfec];
        let rated = self.events.iter().chain(&self.noise);
        media
            .chain(rtx)
            .chain(alone.into_iter().flatten())
            .chain(rated.map(|(_, payload)| *payload))
    }

    /// The payload type that a codec has here, of those that are not `used`.
    pub(crate) fn number_of(&self, codec: &Codec, used: &[u8]) -> Option<u8> {
        let rated = |list: &[(u32, u8)]| {
            let mut list = list.iter();
            list.find(|(rate, _)| *rate == codec.clock_rate)
                .map(|(_, payload)| *payload)
        };
        let found = if codec.is("red") {
            self.red.map(|it| it.payload)
        } else if codec.is("ulpfec") {
            self.ulpfec
        } else if codec.is("flexfec-03") {
            self.flexfec
        } else if codec.is("telephone-event") {
            rated(&self.events)
        } else if codec.is("CN") {
            rated(&self.noise)
        } else {
            let same = |it: &&Format| it.codec.is_answer_to(codec) && !used.contains(&it.payload);
            self.media.iter().find(same).map(|it| it.payload)
        };
        found.filter(|it| !used.contains(it))
    }

    /// The format here that is the same codec.
    pub(crate) fn matching(&self, format: &Format) -> Option<&Format> {
        let mut media = self.media.iter();
        media.find(|it| it.codec.is_answer_to(&format.codec))
    }
}
