//! A hundred connections, one after the other, leave nothing behind: no task, no file descriptor, no memory.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "driver/pair.rs"]
mod pair;

use std::{alloc::System, time::Duration};

use oxirtc_peerconnection::Message;
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

use pair::{Pair, within};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Known failure 41.
#[tokio::test]
async fn nothing_is_left_behind() {
    // What the process keeps for all of them comes with the first: of descriptors a socket with GRO.
    let (tasks, descriptors) = (tasks(), descriptors() + 1);
    connect_transfer_close().await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    settle(tasks, descriptors).await;
    let mut heap = 0;
    for cycle in 1..=100 {
        connect_transfer_close().await;
        settle(tasks, descriptors).await;
        if cycle == 20 {
            heap = live();
        }
    }
    let grown = live() - heap;
    println!("live heap after cycle 100: {grown} bytes above that after cycle 20");
    assert!(grown <= 4096, "{grown} bytes more than after cycle 20");
}

async fn connect_transfer_close() {
    let Pair {
        near,
        far,
        near_channel,
        far_channel,
    } = Pair::private().await;
    for size in [0, 1, 1_000, 100_000] {
        near_channel.send(vec![3; size]).await.unwrap();
        assert_eq!(
            within(far_channel.recv()).await,
            Some(Message::from(vec![3; size]))
        );
    }
    within(near.shutdown()).await;
    far.close();
}

/// Tasks end by themselves, a moment later.
async fn settle(tasks_before: usize, descriptors_before: usize) {
    for _ in 0..1000 {
        if tasks() == tasks_before && descriptors() == descriptors_before {
            return;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!((tasks(), descriptors()), (tasks_before, descriptors_before));
}

fn tasks() -> usize {
    tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks()
}

fn descriptors() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn live() -> isize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated as isize - stats.bytes_deallocated as isize
}
