//! Memory stays bounded whatever a peer sends, and whatever becomes of what is sent.

mod answers;
mod beside;
mod floods;
mod lists;
mod senders;
#[path = "../support/mod.rs"]
mod support;
#[path = "../support/victim.rs"]
mod victim;

use std::{alloc::System, ops::Range, time::Duration};

use oxirtc_sctp::packet::{Data, Reconfig, Request, Sack};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use support::Sides as _;
use victim::Victim;

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const WINDOW: usize = 1 << 20;
/// How many messages the victim sends before it gets SACKs.
const SENT: u16 = 600;

/// Whatever a peer sends, an association with a window of 256 KiB or more, whose messages are a quarter of that at most, holds twice
/// the window and 256 KiB, which the numbers of its streams take. The only test of this file, as the allocator counts for all.
/// Known failure 32.
#[test]
fn memory_stays_bounded() {
    floods::stay_bounded();
    lists::room_that_was_left_counts();
    lists::what_waits_has_room_to_be_handed_out(Victim::new);
    lists::what_waits_has_room_to_be_handed_out(Victim::interleaving);
    lists::what_was_given_up_leaves_no_room();
    for window in [WINDOW / 4, WINDOW, 4 * WINDOW] {
        beside::what_does_not_count_is_little(Victim::new, window);
        beside::what_does_not_count_is_little(Victim::interleaving, window);
        beside::what_does_not_count_is_what_was_reckoned(Victim::new, window);
        beside::what_does_not_count_is_what_was_reckoned(Victim::interleaving, window);
        lists::what_is_freed_counts_to_the_last(Victim::new, window);
        lists::what_is_freed_counts_to_the_last(Victim::interleaving, window);
        lists::resets_between_messages_take_no_room(Victim::new, window);
        lists::resets_between_messages_take_no_room(Victim::interleaving, window);
    }
    beside::what_is_dropped_last_keeps_little(WINDOW / 4);
    lists::lists_that_grow_when_all_is_full_are_reckoned_for(4 * WINDOW);
    lists::lists_of_few_blocks_are_short(17 * WINDOW);
    lists::lists_of_blocks_count(8 * WINDOW);
    answers::lists_longer_than_a_record_are_not_kept();
    answers::an_owner_who_asks_for_no_events_holds_little();
    answers::resets_in_return_are_little();
    answers::an_owner_who_sends_and_asks_for_no_events_holds_little();
    answers::restarts_leave_nothing();
    answers::restarts_of_who_sends_leave_little();
    answers::answers_that_wait_are_little();
    answers::sacks_that_wait_are_little();
    senders::what_is_given_up_keeps_no_message();
    senders::records_of_what_has_come_beyond_a_gap_count();
}

/// What is held is within the bound, and no less than makes the attack one: what holds nothing would prove nothing.
fn assert_bounded(attack: &str, held: i64, least: usize, window: usize) {
    let bound = 2 * window + (256 << 10);
    println!("{attack}: {held} of {bound}");
    assert!(
        (least as i64..=bound as i64).contains(&held),
        "{attack}: {held}"
    );
}

/// Many short messages are sent.
fn send_much(victim: &mut Victim) {
    for message in 0..SENT {
        victim.pair.say(0, message % 7, b"x");
    }
    for _ in 0..200 {
        victim.pair.now += Duration::from_millis(1);
        let now = victim.pair.now;
        victim.pair.ends[0].handle_timeout(now);
        victim.answer();
    }
    victim.pair.events(0);
}

/// They are acknowledged with long SACKs, of which most wait.
fn acknowledge_much(victim: &mut Victim) {
    for sack in 0..16 {
        let gaps = (1..SENT / 2).map(|it| (2 * it, 2 * it));
        let last = victim.last;
        let duplicates = (0..3500).map(|it| last.advanced(it));
        let head = (last, 1 << 20);
        victim.put(|buf| Sack::write(buf, 16_300, head, gaps, duplicates));
        if sack == 0 {
            // Behind its duplicates come its blocks.
            let now = victim.pair.now;
            (0..2).for_each(|_| victim.pair.ends[0].handle_timeout(now));
        }
    }
}

/// Does what is to be done at once: what is held at most meanwhile.
fn most_of_steps(victim: &mut Victim) -> i64 {
    let mut most = 0;
    loop {
        victim.answer();
        victim.pair.main_events(0);
        most = most.max(held());
        let (now, side) = (victim.pair.now, &mut victim.pair.ends[0]);
        if side.poll_timeout().is_none_or(|at| at > now) {
            return most;
        }
        side.handle_timeout(now);
    }
}

/// The live heap of the process.
fn held() -> i64 {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as i64 - stats.bytes_deallocated as i64
}

/// A message on one stream of each of these pages of 256, which is read, so that the next numbers of all of the page are kept.
fn keep_numbers(victim: &mut Victim, first: u32, pages: impl Iterator<Item = u32>) {
    for (tsn, page) in (first..).zip(pages) {
        let stream = (256 * page + 255).min(65_534) as u16;
        victim.whole(tsn, 0, (stream, 0), b"x");
        victim.pair.read_all(0, stream);
        victim.pair.main_events(0);
    }
}

/// Messages that nobody reads fill what there is to the byte. The next TSN.
fn fill(victim: &mut Victim, stream: u16, mut tsn: u32) -> u32 {
    let dropped = |victim: &Victim| victim.pair.ends[0].stats().dropped_out_of_window;
    let payload = vec![0; 50_000];
    let mut length = payload.len();
    while length > 0 {
        let seen = dropped(victim);
        victim.whole(tsn, Data::UNORDERED, (stream, 0), &payload[..length]);
        victim.answer();
        if dropped(victim) == seen {
            tsn += 1;
        } else {
            length /= 2;
        }
    }
    tsn
}

/// The peer resets streams behind a TSN.
fn reset(victim: &mut Victim, (request, last): (u32, u32), streams: Range<u16>) {
    let streams = Vec::from_iter(streams.flat_map(u16::to_be_bytes));
    let request = Request::OutgoingReset {
        sequence: victim.tsn.advanced(request).0.wrapping_sub(1),
        response_sequence: 0,
        last_tsn: victim.tsn.advanced(last),
        streams: &streams,
    };
    victim.put(|buf| Reconfig::write(buf, std::iter::once(request)));
}
