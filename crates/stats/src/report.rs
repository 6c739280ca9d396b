//! `RTCStatsReport`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{MapAccess, Visitor},
};

use crate::{
    CodecStats, DataChannelStats, IceCandidatePairStats, InboundRtpStreamStats,
    OutboundRtpStreamStats, RemoteInboundRtpStreamStats, RemoteOutboundRtpStreamStats,
    RtpStreamStats, StatsObject, StatsType, TransportStats,
};

/// `RTCStatsReport` ([W3C §8.3](https://www.w3.org/TR/webrtc/#rtcstatsreport-object)): objects by their ids, as they were at one moment.
///
/// It is a map that keeps the order in which objects came to it. In JSON it is an object of objects, as `Object.fromEntries(report)`
/// is in a browser.
#[derive(Clone, Debug, Default, PartialEq)]
#[doc(alias = "RTCStatsReport")]
pub struct StatsReport {
    objects: Vec<StatsObject>,
    /// Where each id stands.
    places: BTreeMap<String, usize>,
}

impl StatsReport {
    /// A report of nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an object. One of the same id has its place taken.
    pub fn insert(&mut self, object: impl Into<StatsObject>) {
        let object = object.into();
        let id = object.id().to_owned();
        match self
            .places
            .get(&id)
            .and_then(|at| self.objects.get_mut(*at))
        {
            Some(place) => *place = object,
            None => {
                self.places.insert(id, self.objects.len());
                self.objects.push(object);
            }
        }
    }

    /// The object of an id.
    pub fn get(&self, id: &str) -> Option<&StatsObject> {
        self.objects.get(*self.places.get(id)?)
    }

    /// How many objects there are.
    pub fn len(&self) -> usize {
        self.objects.len()
    }

    /// There is no object.
    pub fn is_empty(&self) -> bool {
        self.objects.is_empty()
    }

    /// All objects, in their order.
    pub fn iter(&self) -> std::slice::Iter<'_, StatsObject> {
        self.objects.iter()
    }

    /// The objects of one type.
    pub fn of_type(&self, kind: StatsType) -> impl Iterator<Item = &StatsObject> {
        self.iter().filter(move |it| it.kind() == kind)
    }

    /// The transports.
    pub fn transports(&self) -> impl Iterator<Item = &TransportStats> {
        self.iter().filter_map(|it| match it {
            StatsObject::Transport(it) => Some(&**it),
            _ => None,
        })
    }

    /// The pairs of candidates.
    pub fn candidate_pairs(&self) -> impl Iterator<Item = &IceCandidatePairStats> {
        self.iter().filter_map(|it| match it {
            StatsObject::CandidatePair(it) => Some(&**it),
            _ => None,
        })
    }

    /// The data channels.
    pub fn data_channels(&self) -> impl Iterator<Item = &DataChannelStats> {
        self.iter().filter_map(|it| match it {
            StatsObject::DataChannel(it) => Some(it),
            _ => None,
        })
    }

    /// The streams that are received.
    pub fn inbound_rtp(&self) -> impl Iterator<Item = &InboundRtpStreamStats> {
        self.iter().filter_map(|it| match it {
            StatsObject::InboundRtp(it) => Some(&**it),
            _ => None,
        })
    }

    /// The streams that are sent.
    pub fn outbound_rtp(&self) -> impl Iterator<Item = &OutboundRtpStreamStats> {
        self.iter().filter_map(|it| match it {
            StatsObject::OutboundRtp(it) => Some(&**it),
            _ => None,
        })
    }

    /// The codec of a stream.
    pub fn codec(&self, stream: &RtpStreamStats) -> Option<&CodecStats> {
        match self.get(stream.codec_id.as_deref()?)? {
            StatsObject::Codec(it) => Some(it),
            _ => None,
        }
    }

    /// What the peer reports of a stream that is sent, once it has.
    pub fn remote_inbound_rtp(
        &self,
        sent: &OutboundRtpStreamStats,
    ) -> Option<&RemoteInboundRtpStreamStats> {
        match self.get(sent.remote_id.as_deref()?)? {
            StatsObject::RemoteInboundRtp(it) => Some(it),
            _ => None,
        }
    }

    /// What the peer reports of a stream that it sends, once it has.
    pub fn remote_outbound_rtp(
        &self,
        received: &InboundRtpStreamStats,
    ) -> Option<&RemoteOutboundRtpStreamStats> {
        match self.get(received.remote_id.as_deref()?)? {
            StatsObject::RemoteOutboundRtp(it) => Some(it),
            _ => None,
        }
    }

    /// The pair in use on a transport.
    pub fn selected_pair(&self, transport: &TransportStats) -> Option<&IceCandidatePairStats> {
        let id = transport.selected_candidate_pair_id.as_deref()?;
        match self.get(id)? {
            StatsObject::CandidatePair(it) => Some(it),
            _ => None,
        }
    }

    /// The stats selection algorithm ([W3C §8.5](https://www.w3.org/TR/webrtc/#the-stats-selection-algorithm)): the objects for which
    /// `is_root` holds, and all that they refer to, directly or not. For a sender its `outbound-rtp` objects are the roots, for a
    /// receiver its `inbound-rtp` objects.
    #[must_use]
    pub fn select(&self, mut is_root: impl FnMut(&StatsObject) -> bool) -> Self {
        let mut open: Vec<_> = self.iter().filter(|it| is_root(it)).collect();
        let mut found = BTreeSet::new();
        while let Some(object) = open.pop() {
            if found.insert(object.id()) {
                let references = object.references();
                open.extend(references.into_iter().filter_map(|id| self.get(id)));
            }
        }
        let chosen = self.iter().filter(|it| found.contains(it.id()));
        chosen.cloned().collect()
    }
}

impl<'a> IntoIterator for &'a StatsReport {
    type Item = &'a StatsObject;
    type IntoIter = std::slice::Iter<'a, StatsObject>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl IntoIterator for StatsReport {
    type Item = StatsObject;
    type IntoIter = std::vec::IntoIter<StatsObject>;

    fn into_iter(self) -> Self::IntoIter {
        self.objects.into_iter()
    }
}

impl<O: Into<StatsObject>> FromIterator<O> for StatsReport {
    fn from_iter<T: IntoIterator<Item = O>>(objects: T) -> Self {
        let mut report = Self::new();
        objects.into_iter().for_each(|it| report.insert(it));
        report
    }
}

impl Serialize for StatsReport {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.iter().map(|it| (it.id(), it)))
    }
}

impl<'de> Deserialize<'de> for StatsReport {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Objects)
    }
}

/// Reads the objects of a report; those of types that W3C does not have are passed over.
struct Objects;

/// An object of this crate, or anything else.
#[derive(Deserialize)]
#[serde(untagged)]
enum Known {
    Object(Box<StatsObject>),
    Other(serde::de::IgnoredAny),
}

impl<'de> Visitor<'de> for Objects {
    type Value = StatsReport;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map of statistics objects")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<StatsReport, A::Error> {
        let mut report = StatsReport::new();
        while let Some((_id, known)) = map.next_entry::<serde::de::IgnoredAny, Known>()? {
            match known {
                Known::Object(object) => report.insert(*object),
                Known::Other(_) => {}
            }
        }
        Ok(report)
    }
}
