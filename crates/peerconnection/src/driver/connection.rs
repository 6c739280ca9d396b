//! One connection on tokio: how it is made, and its task.

use std::{
    pin::{Pin, pin},
    sync::Arc,
    task::Poll,
    time::Instant,
};

use tokio::{runtime::Handle, time::Sleep};

use super::{
    carrier::TokioCarrier,
    clock::{far, now, seed, wall},
    interfaces::Networks,
    plan::{Plan, Waits},
    receive::{deliver, receive},
    runtime,
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
    let plan = Arc::<Plan>::default();
    let tls = Tls::new(&settings)?;
    let carrier = TokioCarrier::new(runtime.clone(), plan.clone(), ways, tls);
    let (connection, engine) =
        PeerConnection::with_carrier(configuration, settings, seed()?, wall(), carrier)?;
    let label = engine.drive(|_, engine, _| engine.label());
    engine.look(|carrier| carrier.attach(&engine, label));
    let interfaces = networks.current();
    engine.drive(|now, engine, _| engine.handle_interfaces(now, &interfaces));
    runtime.spawn(run(Task(engine.clone()), plan, timer, networks));
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
async fn run(task: Task, plan: Arc<Plan>, timer: Sleep, mut networks: Networks) {
    let engine = &task.0;
    let mut timer = pin!(timer);
    let mut waits = Waits::default();
    loop {
        let before = waits.armed;
        waits = plan.read();
        if waits.finished {
            return;
        }
        if waits.armed != before {
            let due = waits.armed.map_or_else(far, Into::into);
            timer.as_mut().reset(due);
        }
        let turn = tokio::select! {
            turn = wait(&plan, &waits, timer.as_mut()) => turn,
            interfaces = networks.changed() => {
                engine.drive(|now, engine, carrier| {
                    engine.handle_interfaces(now, &interfaces);
                    carrier.attend();
                });
                continue;
            }
        };
        if turn.serve {
            engine.drive(|now, engine, carrier| {
                engine.handle_timeout(now);
                carrier.attend();
            });
        }
        if turn.receive {
            for socket in &*waits.sockets {
                read(engine, &**socket);
            }
        }
        tokio::task::consume_budget().await;
    }
}

/// What there is to do; nothing when only the plan has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Turn {
    serve: bool,
    receive: bool,
}

/// Waits for what the plan says, or for another plan.
async fn wait(plan: &Plan, waits: &Waits, mut timer: Pin<&mut Sleep>) -> Turn {
    let mut told = pin!(plan.told());
    std::future::poll_fn(|context| {
        let full = waits.full.as_ref();
        let told = told.as_mut().poll(context).is_ready();
        let serve = full.is_some_and(|socket| socket.poll_writable(context).is_ready())
            | (told && plan.is_to_serve())
            | timer.as_mut().poll(context).is_ready()
            // A timer is a millisecond late. As long as a socket is full nothing else can be done about it.
            || full.is_none() && waits.armed.is_some_and(|due| due <= now());
        let mut receive = false;
        for socket in &*waits.sockets {
            receive |= socket.poll_readable(context).is_ready();
        }
        if serve || receive || told {
            return Poll::Ready(Turn { serve, receive });
        }
        if waits.turns && waits.armed.is_some() {
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
            let (plan, mut waits) = (Plan::default(), Waits::default());
            waits.armed = Some(armed);
            let timer = pin!(tokio::time::sleep_until(far()));
            let wait = pin!(wait(&plan, &waits, timer));
            wait.poll(&mut Context::from_waker(Waker::noop()))
        };
        let at_once = Turn {
            serve: true,
            receive: false,
        };
        assert_eq!(due(now()), Poll::Ready(at_once));
        assert_eq!(due(far().into_std()), Poll::Pending);
    }

    /// A plan that has changed is looked at, and the engine left alone; who is to serve it does so once.
    #[tokio::test]
    async fn a_changed_plan_serves_nobody() {
        let (plan, waits) = (Plan::default(), Waits::default());
        let turn = || {
            let timer = pin!(tokio::time::sleep_until(far()));
            let wait = pin!(wait(&plan, &waits, timer));
            wait.poll(&mut Context::from_waker(Waker::noop()))
        };
        let told = |serve| {
            let receive = false;
            Poll::Ready(Turn { serve, receive })
        };
        plan.tell();
        assert_eq!((turn(), turn()), (told(false), Poll::Pending));
        plan.serve();
        plan.tell();
        assert_eq!(turn(), told(true));
        plan.tell();
        assert_eq!((turn(), turn()), (told(false), Poll::Pending));
    }
}
