//! The server: answers the calls of all clients, one after the other.

use std::io;
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::machine::{self, Done};
use super::{Answer, Call, Error, Home, Machine};
use crate::exit::Exit;
use crate::guest::wire::{self, Frame};
use crate::pools::End;

/// A machine that listens on a socket for as long as the process lives.
#[derive(Clone, Debug)]
pub struct Server {
    machine: Arc<Mutex<Machine>>,
}

impl Server {
    /// Starts to listen in `home`, in threads of its own.
    pub fn start(machine: Machine, home: &Home) -> Result<Self, Error> {
        let socket = home.socket();
        let failed = |error| Error::of(format!("listen at {}", socket.display()))(error);
        let listener = UnixListener::bind(&socket).map_err(failed)?;
        let server = Server {
            machine: Arc::new(Mutex::new(machine)),
        };
        let listening = server.clone();
        thread::Builder::new()
            .name("listener".to_owned())
            .spawn(move || listening.listen(&listener))
            .map_err(failed)?;
        Ok(server)
    }

    fn listen(&self, listener: &UnixListener) {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else {
                // Out of open files, most likely; those that are open are closed soon.
                thread::sleep(std::time::Duration::from_millis(10));
                continue;
            };
            let server = self.clone();
            let answering = thread::Builder::new().spawn(move || {
                // A client that was killed need not be answered.
                let _ = server.answer(&mut stream);
            });
            // Without a thread the client sees the end of the stream, and says so.
            drop(answering);
        }
    }

    fn answer(&self, stream: &mut UnixStream) -> io::Result<()> {
        let Some(Frame::Message(bytes)) = wire::read(stream)? else {
            return Ok(());
        };
        let call: Call = wire::parse(&bytes)?;
        let peer = rustix::net::sockopt::socket_peercred(&*stream).ok();
        let process = peer.map(|peer| peer.pid.as_raw_nonzero().get());
        // The next call need not wait until this one is on disk.
        let Done {
            mut printed,
            pending,
        } = self.machine().start(&call, process);
        if let Err(error) = pending.map_or(Ok(()), |pending| pending.sync()) {
            printed = machine::failed(&error);
        }
        let code = match printed.end {
            End::Exit(code) => code,
            End::Panic | End::NotModelled => Exit::NotModelled.code(),
        };
        wire::send(stream, &Answer { code })?;
        wire::send_raw(stream, &printed.out)?;
        wire::send_raw(stream, &printed.err)
    }

    /// The machine; nobody else uses it meanwhile.
    fn machine(&self) -> MutexGuard<'_, Machine> {
        // A call that panicked changed nothing that the next one could not work with.
        self.machine.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
