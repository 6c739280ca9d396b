//! Whose a datagram is, whatever connections say of themselves and strangers send.

use oxirtc_stun::{Attribute, Builder, Class, Method, TransactionId};
use proptest::prelude::*;

use super::*;

fn ms(n: u64) -> Duration {
    Duration::from_millis(n)
}

const DATA: &[u8] = &[22, 1, 2, 3];

fn path(port: u16) -> Path {
    let at = |port| ([127, 0, 0, 1], port).into();
    Path::udp(at(9), at(port))
}

fn stun(class: Class, id: u8, name: Option<&str>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let id = TransactionId::new([id; 12]);
    let mut builder = Builder::new(&mut bytes, class, Method::BINDING, id);
    if let Some(name) = name {
        builder.add(Attribute::Username(name));
    }
    builder.finish().unwrap();
    bytes
}

/// Two connections, of which the first has a peer at port 1.
fn two() -> (Routes, ConnectionId, ConnectionId, Instant) {
    let now = oxirtc_netsim::epoch();
    let mut routes = Routes::default();
    let (one, two) = (routes.new_connection(), routes.new_connection());
    routes.apply(now, one, Route::Ufrag("first".into()));
    routes.apply(now, two, Route::Ufrag("second".into()));
    routes.apply(now, one, Route::Path(path(1)));
    (routes, one, two, now)
}

#[test]
fn a_request_goes_by_its_name_and_nothing_else() {
    let (mut routes, one, two, now) = two();
    let request = |name| stun(Class::Request, 1, Some(name));
    // Also on the path of the other.
    assert_eq!(routes.owner(now, path(1), &request("second:x")), Some(two));
    assert_eq!(routes.owner(now, path(7), &request("first:x")), Some(one));
    assert_eq!(routes.owner(now, path(1), &request("third:x")), None);
    assert_eq!(routes.owner(now, path(1), &request("secon:x")), None);
    // The first to have a fragment keeps it, and the second is told.
    let applied = routes.apply(now, two, Route::Ufrag("first".into()));
    assert_eq!(applied.refused.as_deref(), Some("first"));
    let again = routes.apply(now, one, Route::Ufrag("first".into()));
    assert_eq!(again.refused, None, "it is its own");
    assert_eq!(routes.owner(now, path(1), &request("first:x")), Some(one));
    routes.apply(now, two, Route::UfragReleased("first".into()));
    assert_eq!(routes.owner(now, path(1), &request("first:x")), Some(one));
    routes.apply(now, one, Route::UfragReleased("first".into()));
    assert_eq!(routes.owner(now, path(1), &request("first:x")), None);
}

/// One spoofed request of any client of the port cut off another one for good.
#[test]
fn a_path_in_use_is_not_taken() {
    let (mut routes, one, two, now) = two();
    for route in [Route::Reserve(path(1)), Route::Path(path(1))] {
        routes.apply(now, two, route);
        assert_eq!(routes.owner(now, path(1), DATA), Some(one));
    }
    // Nor given back by who does not have it.
    routes.apply(now, two, Route::PathReleased(path(1)));
    assert_eq!(routes.owner(now, path(1), DATA), Some(one));
    routes.forget(now, two);
    assert_eq!(routes.owner(now, path(1), DATA), Some(one));
    routes.apply(now, one, Route::PathReleased(path(1)));
    assert_eq!(routes.owner(now, path(1), DATA), None);
}

/// Two connections of one port check each other by the address that both have: neither has the path.
#[test]
fn what_leads_back_to_the_port_is_nobodys() {
    let (mut routes, one, two, now) = two();
    let back = path(9);
    assert_eq!(back.local, back.remote);
    for id in [one, two] {
        routes.apply(now, id, Route::Reserve(back));
        assert_eq!(routes.owner(now, back, DATA), None);
        let applied = routes.apply(now, id, Route::Path(back));
        assert_eq!(applied.taken, Some(back));
        assert!(applied.challenge.is_none(), "nobody is to be asked");
        assert_eq!(routes.owner(now, back, DATA), None);
    }
    // Their checks come through all the same.
    let request = stun(Class::Request, 1, Some("second:first"));
    assert_eq!(routes.owner(now, back, &request), Some(two));
    routes.expect(one, [1; 12]);
    let answer = stun(Class::Success, 1, None);
    assert_eq!(routes.owner(now, back, &answer), Some(one));
    routes.apply(now, one, Route::PathReleased(back));
    assert_eq!(routes.flows.len(), 1);
}

/// A NAT gives the port of a peer that is gone to another one: its connection gets the path when the first lets go.
#[test]
fn what_is_claimed_goes_to_the_claimant_when_it_is_let_go() {
    let (mut routes, one, two, now) = two();
    let three = routes.new_connection();
    routes.apply(now, two, Route::Path(path(1)));
    routes.apply(now, three, Route::Path(path(1)));
    assert_eq!(routes.owner(now, path(1), DATA), Some(one), "not yet");
    routes.apply(now + ms(1_900), one, Route::PathReleased(path(1)));
    let first = Some(two);
    assert_eq!(routes.owner(now, path(1), DATA), first, "who claimed first");
    // A claim that was given up, and one whose connection is gone, come to nothing; one that is old has waited.
    routes.apply(now, three, Route::Path(path(1)));
    routes.apply(now, three, Route::PathReleased(path(1)));
    routes.forget(now, two);
    assert_eq!(routes.owner(now, path(1), DATA), None);
    routes.apply(now, one, Route::Path(path(1)));
    routes.apply(now, three, Route::Path(path(1)));
    routes.apply(now + 9 * CLAIM, one, Route::PathReleased(path(1)));
    assert_eq!(routes.owner(now, path(1), DATA), Some(three));
    routes.apply(now, three, Route::PathReleased(path(1)));
    let four = routes.new_connection();
    routes.apply(now, one, Route::Path(path(1)));
    routes.apply(now, four, Route::Path(path(1)));
    routes.forget(now, four);
    routes.apply(now, one, Route::PathReleased(path(1)));
    assert_eq!(routes.owner(now, path(1), DATA), None);
    assert!(routes.flows.is_empty());
    // The end of a connection lets go as well.
    routes.apply(now, one, Route::Path(path(1)));
    routes.apply(now, three, Route::Path(path(1)));
    routes.forget(now, one);
    assert_eq!(routes.owner(now, path(1), DATA), Some(three));
}

/// A connection has no more than so many paths and fragments, whatever its peers do.
#[test]
fn what_one_connection_has_is_bounded() {
    let (mut routes, one, two, now) = two();
    let many = |count: usize| 100..100 + u16::try_from(count).unwrap();
    for port in many(PATHS - 1) {
        let applied = routes.apply(now, one, Route::Path(path(port)));
        assert_eq!(applied.taken, None);
    }
    let next = path(99);
    assert_eq!(routes.apply(now, one, Route::Path(next)).taken, Some(next));
    assert_eq!(routes.owner(now, next, DATA), None);
    assert_eq!(routes.apply(now, two, Route::Path(next)).taken, None);
    // What is let go of makes room.
    routes.apply(now, one, Route::PathReleased(path(100)));
    let next = path(98);
    assert_eq!(routes.apply(now, one, Route::Path(next)).taken, None);
    for port in many(UFRAGS - 1) {
        let applied = routes.apply(now, one, Route::Ufrag(port.to_string()));
        assert_eq!(applied.refused, None);
    }
    let applied = routes.apply(now, one, Route::Ufrag("last".into()));
    assert_eq!(applied.refused.as_deref(), Some("last"));
    let request = stun(Class::Request, 1, Some("last:x"));
    assert_eq!(routes.owner(now, path(7), &request), None);
    routes.forget(now, one);
    routes.forget(now, two);
    assert!(routes.flows.is_empty() && routes.by_ufrag.is_empty());
}

/// Who knows a fragment makes a connection look at so much a second; what its peer sends on its path is looked at all the same, and
/// so is what is for others.
#[test]
fn strangers_are_few() {
    let (mut routes, one, two, now) = two();
    let request = |name| stun(Class::Request, 1, Some(name));
    for _ in 0..STRANGERS {
        assert_eq!(routes.owner(now, path(7), &request("first:x")), Some(one));
    }
    assert_eq!(routes.owner(now, path(7), &request("first:x")), None);
    assert_eq!(routes.owner(now, path(8), &request("first:x")), None);
    assert_eq!(routes.owner(now, path(1), &request("first:x")), Some(one));
    assert_eq!(routes.owner(now, path(7), &request("second:x")), Some(two));
    // The path of another one is a stranger's.
    for _ in 1..STRANGERS {
        assert_eq!(routes.owner(now, path(1), &request("second:x")), Some(two));
    }
    assert_eq!(routes.owner(now, path(1), &request("second:x")), None);
    // Those that were too many are not requests for a connection that is still to come.
    let _incoming = routes.incoming();
    assert!(!routes.keep(now, path(7), &request("first:x")));
    assert!(routes.keep(now, path(7), &request("third:x")));
    let later = now + STRANGERS_IN;
    assert_eq!(routes.owner(later, path(7), &request("first:x")), Some(one));
}

#[test]
fn a_reservation_is_for_a_moment_and_displaces_nothing() {
    let (mut routes, one, two, now) = two();
    routes.apply(now, two, Route::Reserve(path(2)));
    assert_eq!(routes.owner(now, path(2), DATA), Some(two));
    routes.apply(now, one, Route::Reserve(path(2)));
    assert_eq!(routes.owner(now, path(2), DATA), Some(two));
    let later = now + RESERVATION;
    assert_eq!(routes.owner(later, path(2), DATA), None);
    routes.apply(later, one, Route::Reserve(path(2)));
    assert_eq!(routes.owner(later, path(2), DATA), Some(one));
    // Whose peer has answered from there has it.
    routes.apply(later, two, Route::Path(path(2)));
    assert_eq!(routes.owner(later, path(2), DATA), Some(two));
    for port in 100..=100 + u16::try_from(RESERVED).unwrap() {
        routes.apply(now, one, Route::Reserve(path(port)));
    }
    assert_eq!(routes.owner(now, path(100), DATA), None, "its own oldest");
    assert_eq!(routes.owner(now, path(101), DATA), Some(one));
    assert_eq!(routes.flows.len(), 2 + RESERVED);
}

/// Whoever has the passwords of many connections makes a port remember no more than so much, for so long.
#[test]
fn all_reservations_together_are_bounded() {
    let (mut routes, one, _, now) = two();
    let many: Vec<_> = (0..200).map(|_| routes.new_connection()).collect();
    let paths = |of: usize| (0..RESERVED).map(move |at| path((100 + of * RESERVED + at) as u16));
    for (of, id) in many.iter().enumerate() {
        for path in paths(of) {
            routes.apply(now, *id, Route::Reserve(path));
        }
    }
    // And the one that is bound.
    assert_eq!(routes.flows.len(), ALL_RESERVED + 1);
    assert_eq!(routes.reservations.len(), ALL_RESERVED);
    let of = |routes: &Routes, path| routes.owner(now, path, DATA);
    assert_eq!(of(&routes, path(100)), None, "the oldest went");
    let last = paths(199).next_back().unwrap();
    assert_eq!(of(&routes, last), Some(many[199]));
    let reserved = routes.connections.values().map(|it| it.reserved.len());
    assert_eq!(reserved.sum::<usize>(), ALL_RESERVED);
    // What is over is forgotten with the next.
    routes.apply(now + RESERVATION, one, Route::Reserve(path(99)));
    assert_eq!((routes.flows.len(), routes.reservations.len()), (2, 1));
    // What is bound, released or forgotten is not counted.
    routes.apply(now + RESERVATION, one, Route::Path(path(99)));
    assert_eq!(routes.reservations.len(), 0);
    routes.apply(now + RESERVATION, one, Route::Reserve(path(98)));
    routes.apply(now + RESERVATION, one, Route::PathReleased(path(98)));
    assert_eq!(routes.reservations.len(), 0);
    routes.apply(now + RESERVATION, one, Route::Reserve(path(97)));
    routes.forget(now, one);
    assert_eq!((routes.flows.len(), routes.reservations.len()), (0, 0));
}

/// An answer is for who asked, whatever path it comes on; and nobody's asking costs another an answer.
#[test]
fn an_answer_goes_to_who_asked() {
    let (mut routes, one, two, now) = two();
    let answer = |id| stun(Class::Success, id, None);
    assert_eq!(routes.owner(now, path(1), &answer(200)), None);
    let first = 150..=249;
    first.clone().for_each(|id| routes.expect(one, [id; 12]));
    assert_eq!(routes.owner(now, path(5), &answer(200)), Some(one));
    for id in 0..=u8::try_from(EXPECTED).unwrap() {
        routes.expect(two, [id; 12]);
    }
    for id in first {
        assert_eq!(routes.owner(now, path(1), &answer(id)), Some(one));
    }
    assert_eq!(
        routes.owner(now, path(1), &answer(0)),
        None,
        "its own oldest"
    );
    assert_eq!(routes.owner(now, path(1), &answer(1)), Some(two));
    routes.expect(two, [200; 12]);
    assert_eq!(routes.owner(now, path(1), &answer(200)), Some(one));
}

/// What the system hands over together may be for several: only payload of one path is for one connection.
#[test]
fn each_datagram_of_a_buffer_is_looked_at() {
    let (routes, _, _, now) = two();
    let request = stun(Class::Request, 1, Some("second:x"));
    let payload = vec![0x80; request.len()];
    let kinds = [&payload, &payload, &request, &request, &payload];
    let bytes: Vec<u8> = kinds.into_iter().flatten().copied().collect();
    let (mut rest, mut runs) = (&bytes[..], Vec::new());
    while !rest.is_empty() {
        let (length, _) = routes.first_run(now, path(1), rest, request.len());
        runs.push(length / request.len());
        rest = &rest[length..];
    }
    assert_eq!(runs, [2, 1, 1, 1]);
}

/// Known failure 36.
#[test]
fn strangers_reach_nobody_and_what_is_forgotten_is_gone() {
    let (mut routes, one, two, now) = two();
    assert_eq!(routes.owner(now, path(3), DATA), None);
    let nameless = stun(Class::Request, 1, None);
    assert_eq!(routes.owner(now, path(3), &nameless), None);
    routes.expect(one, [1; 12]);
    routes.apply(now, one, Route::Reserve(path(2)));
    routes.apply(now, two, Route::Path(path(4)));
    routes.forget(now, one);
    assert_eq!(routes.owner(now, path(1), DATA), None);
    assert_eq!((routes.flows.len(), routes.expected.len()), (1, 0));
    assert_eq!(routes.by_ufrag.len(), 1);
    assert_eq!(routes.owner(now, path(4), DATA), Some(two));
}

/// What connections may say of themselves, and what comes from the network, in any order.
#[derive(Clone, Debug)]
enum Operation {
    Connect,
    Forget(usize),
    Ufrag(usize, u8),
    UfragReleased(usize, u8),
    Reserve(usize, u16),
    Path(usize, u16),
    PathReleased(usize, u16),
    Expect(usize, u8),
    Wait(u64),
    Arrive(u16, u8),
}

fn operations() -> impl Strategy<Value = Vec<Operation>> {
    let (of, port, name) = (0..6_usize, 1..12_u16, 0..8_u8);
    let of_path = (of.clone(), port.clone());
    let of_name = (of.clone(), name.clone());
    let one = prop_oneof![
        1 => Just(Operation::Connect),
        1 => of.prop_map(Operation::Forget),
        2 => of_name.clone().prop_map(|(of, name)| Operation::Ufrag(of, name)),
        1 => of_name.clone().prop_map(|(of, name)| Operation::UfragReleased(of, name)),
        3 => of_path.clone().prop_map(|(of, port)| Operation::Reserve(of, port)),
        3 => of_path.clone().prop_map(|(of, port)| Operation::Path(of, port)),
        2 => of_path.prop_map(|(of, port)| Operation::PathReleased(of, port)),
        2 => of_name.prop_map(|(of, id)| Operation::Expect(of, id)),
        1 => (0..12_000_u64).prop_map(Operation::Wait),
        2 => (port, name).prop_map(|(port, name)| Operation::Arrive(port, name)),
    ];
    prop::collection::vec(one, 0..200)
}

/// What is in the tables is of connections that are there, and stands with them: nothing is left behind, nothing is without bound.
fn check(routes: &Routes) {
    let stands = |(path, flow): (&Path, &Flow)| match flow {
        Flow::Bound(id, claim) => {
            let claimed = claim.is_some_and(|(claimant, _)| claimant == *id);
            routes.connections[id].paths.contains(path) && !claimed
        }
        Flow::Reserved(id, until) => {
            let listed = routes.reservations.contains(&(*path, *until));
            routes.connections[id].reserved.contains(path) && listed
        }
    };
    assert!(routes.flows.iter().all(stands));
    let entries = routes.connections.values();
    let known = entries.fold([0; 4], |[paths, reserved, ufrags, expected], it| {
        assert!(it.paths.len() <= PATHS && it.reserved.len() <= RESERVED);
        assert!(it.ufrags.len() <= UFRAGS && it.expected.len() <= EXPECTED);
        [
            paths + it.paths.len(),
            reserved + it.reserved.len(),
            ufrags + it.ufrags.len(),
            expected + it.expected.len(),
        ]
    });
    let [paths, reserved, ufrags, expected] = known;
    assert_eq!(paths + reserved, routes.flows.len());
    assert_eq!(reserved, routes.reservations.len());
    assert_eq!(ufrags, routes.by_ufrag.len());
    assert_eq!(expected, routes.expected.len());
}

proptest! {
    #![proptest_config(oxirtc_netsim::cases(256))]

    /// Whatever order things come in: no connection takes the path, the fragment or the answer of another one that is there.
    #[test]
    fn nobody_takes_what_another_one_has(operations in operations()) {
        let (mut routes, one, two, mut now) = two();
        let mut ids = vec![one, two];
        for operation in operations {
            let (paths, names) = (routes.flows.clone(), routes.by_ufrag.clone());
            let expected = routes.expected.clone();
            let at = |of: usize| ids[of % ids.len()];
            // Whose things may go.
            let mut by = None;
            match operation {
                Operation::Connect if ids.len() < 6 => ids.push(routes.new_connection()),
                Operation::Connect => {}
                Operation::Forget(of) => {
                    by = Some(at(of));
                    routes.forget(now, at(of));
                }
                Operation::Ufrag(of, name) => {
                    by = Some(at(of));
                    routes.apply(now, at(of), Route::Ufrag(name.to_string()));
                }
                Operation::UfragReleased(of, name) => {
                    by = Some(at(of));
                    routes.apply(now, at(of), Route::UfragReleased(name.to_string()));
                }
                Operation::Reserve(of, port) => {
                    by = Some(at(of));
                    routes.apply(now, at(of), Route::Reserve(path(port)));
                }
                Operation::Path(of, port) => {
                    by = Some(at(of));
                    let applied = routes.apply(now, at(of), Route::Path(path(port)));
                    let is_there = routes.connections.contains_key(&at(of));
                    let has = routes.owner(now, path(port), DATA) == Some(at(of));
                    assert_eq!(has, is_there && applied.taken.is_none());
                }
                Operation::PathReleased(of, port) => {
                    by = Some(at(of));
                    routes.apply(now, at(of), Route::PathReleased(path(port)));
                }
                Operation::Expect(of, id) => {
                    by = Some(at(of));
                    routes.expect(at(of), [id; 12]);
                }
                Operation::Wait(time) => now += ms(time),
                Operation::Arrive(port, name) => {
                    let request = stun(Class::Request, name, Some(&format!("{name}:x")));
                    let owner = routes.owner(now, path(port), &request);
                    let named = routes.by_ufrag.get(&name.to_string()).copied();
                    assert!(owner.is_none() || owner == named);
                    let answer = stun(Class::Success, name, None);
                    let owner = routes.owner(now, path(port), &answer);
                    assert_eq!(owner, routes.expected.get(&[name; 12]).copied());
                }
            }
            check(&routes);
            let keeps = |(path, flow): (&Path, &Flow)| match (flow, routes.flows.get(path)) {
                (Flow::Bound(owner, _), Some(Flow::Bound(id, _))) if id == owner => true,
                (Flow::Bound(owner, _), _) => by == Some(*owner),
                (Flow::Reserved(..), _) => true,
            };
            prop_assert!(paths.iter().all(keeps));
            let keeps = |(name, owner): (&String, &ConnectionId)| {
                by == Some(*owner) || routes.by_ufrag.get(name) == Some(owner)
            };
            prop_assert!(names.iter().all(keeps));
            let keeps = |(id, owner): (&[u8; 12], &ConnectionId)| {
                by == Some(*owner) || routes.expected.get(id) == Some(owner)
            };
            prop_assert!(expected.iter().all(keeps));
        }
        for id in ids {
            routes.forget(now, id);
        }
        assert!(routes.flows.is_empty() && routes.expected.is_empty());
        assert!(routes.by_ufrag.is_empty() && routes.reservations.is_empty());
    }
}
