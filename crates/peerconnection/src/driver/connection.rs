//! One connection on tokio: how it is made, and its task.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use tokio::{runtime::Handle, sync::Notify, time::Sleep};

use super::{
    carrier::{Plan, TokioCarrier},
    clock::{far, now, seed, wall},
    interfaces::Networks,
    receive::{deliver, receive},
    runtime,
    send::has_room,
    sockets::Socket,
    tls::Tls,
    ways::Ways,
};
use crate::{Configuration, Error, Path, PeerConnection, Settings, api::EngineLock};

/// Makes a connection on its own sockets or on those of a port, and starts its task.
pub(super) fn open(
    configuration: Configuration,
    settings: Settings,
    runtime: &Handle,
    ways: Ways,
    networks: Networks,
) -> Result<PeerConnection, Error> {
    let (connection, _) = start(configuration, settings, runtime, ways, networks)?;
    Ok(connection)
}

/// As [`open`], with what its task holds.
pub(super) fn start(
    configuration: Configuration,
    settings: Settings,
    runtime: &Handle,
    ways: Ways,
    mut networks: Networks,
) -> Result<(PeerConnection, EngineLock<TokioCarrier>), Error> {
    let timer = runtime::timer(runtime)?;
    let task = Arc::new(Notify::new());
    let tls = Tls::new(&settings)?;
    let carrier = TokioCarrier::new(runtime.clone(), task.clone(), ways, tls);
    let (connection, engine) =
        PeerConnection::with_carrier(configuration, settings, seed()?, wall(), carrier)?;
    let label = engine.drive(|_, engine, _| engine.label());
    engine.look(|carrier| carrier.attach(&engine, label));
    let interfaces = networks.current();
    engine.drive(|now, engine, _| engine.handle_interfaces(now, &interfaces));
    runtime.spawn(run(Task(engine.clone()), task, timer, networks));
    Ok((connection, engine))
}

/// Held by the task of a connection: when its runtime ends, so does the connection.
struct Task(EngineLock<TokioCarrier>);

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abandon();
        self.0.look(TokioCarrier::finish);
    }
}

/// The connection's own task: its timer, its sockets, and those that are full.
async fn run(task: Task, woken: Arc<Notify>, timer: Sleep, mut networks: Networks) {
    let engine = &task.0;
    let mut timer = pin!(timer);
    let mut plan = Plan::default();
    loop {
        let before = plan.armed;
        engine.look(|carrier| carrier.plan(&mut plan));
        if plan.finished {
            return;
        }
        if plan.armed != before {
            let due = plan.armed.map_or_else(far, Into::into);
            timer.as_mut().reset(due);
        }
        let woken_or_due = tokio::select! {
            woken_or_due = wait(&plan, &woken, timer.as_mut()) => woken_or_due,
            interfaces = networks.changed() => {
                engine.drive(|now, engine, carrier| {
                    engine.handle_interfaces(now, &interfaces);
                    carrier.attend();
                });
                continue;
            }
        };
        if woken_or_due {
            engine.drive(|now, engine, carrier| {
                engine.handle_timeout(now);
                carrier.attend();
            });
        }
        for socket in &plan.sockets {
            read(engine, &**socket);
        }
        tokio::task::consume_budget().await;
    }
}

/// Waits for what the plan says; false when there is only something to receive.
async fn wait(plan: &Plan, woken: &Notify, mut timer: Pin<&mut Sleep>) -> bool {
    let mut woken = pin!(woken.notified());
    std::future::poll_fn(|context| {
        let full = plan.full.as_ref();
        let serve = full.is_some_and(|socket| has_room(&**socket, context))
            | woken.as_mut().poll(context).is_ready()
            | timer.as_mut().poll(context).is_ready()
            // A timer is a millisecond late. As long as a socket is full nothing else can be done about it.
            || full.is_none() && plan.armed.is_some_and(|due| due <= now());
        let mut readable = false;
        for socket in &plan.sockets {
            readable |= socket.poll_readable(context).is_ready();
        }
        if serve || readable {
            return Poll::Ready(serve);
        }
        if plan.turns && plan.armed.is_some() {
            context.waker().wake_by_ref();
        }
        Poll::Pending
    })
    .await
}

fn read(engine: &EngineLock<TokioCarrier>, socket: &dyn Socket) {
    let local = socket.local_address();
    receive(socket, |batch| {
        engine.drive(|now: Instant, engine, carrier| {
            for (received, bytes) in batch.received() {
                let path = Path::udp(local, received.source);
                deliver(now, engine, path, received, bytes);
            }
            carrier.attend();
        });
    });
}

#[cfg(test)]
mod tests {
    use std::task::{Context, Waker};

    use super::*;

    /// What goes on in steps, the next of which is due at once, waits for no timer.
    #[tokio::test]
    async fn what_is_due_is_done_at_once() {
        let due = |armed| {
            let mut plan = Plan::default();
            plan.armed = Some(armed);
            let (woken, timer) = (Notify::new(), tokio::time::sleep_until(far()));
            let timer = pin!(timer);
            let wait = pin!(wait(&plan, &woken, timer));
            wait.poll(&mut Context::from_waker(Waker::noop()))
        };
        assert_eq!(due(now()), Poll::Ready(true));
        assert_eq!(due(far().into_std()), Poll::Pending);
    }
}
