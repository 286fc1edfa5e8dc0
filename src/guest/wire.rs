//! What host and guest say to each other over the virtio-serial port.
//!
//! A frame is four bytes of length, big endian, then that many bytes: a message as JSON, or, when the
//! length's highest bit is set, raw bytes that belong to the message before (bytes that a trace names, a
//! tar in pieces). A whole trace is one message; its outcomes come back one by one. While the agent
//! lives it also sends a [`Reply::Beat`] every [`BEAT`], whatever else it does, so that a hang is told
//! from slowness.

use std::io::{self, Read, Write};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::pools::{Command, Printed};

/// The name of the virtio-serial port.
pub const PORT: &str = "ztwin";
/// How often the agent says that it lives.
pub const BEAT: Duration = Duration::from_secs(1);
/// A tar is sent in pieces of at most this many bytes.
pub const PIECE: usize = 1 << 16;
/// No frame is longer; a longer length is a broken stream.
const MAX: u32 = 1 << 30;
/// Marks a frame of raw bytes.
const RAW: u32 = 1 << 31;

/// From the host to the agent.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// Run a whole trace from a fresh start; answered by [`Reply::Outcome`]s and a [`Reply::Played`].
    Play {
        /// Its steps.
        commands: Vec<Command>,
        /// How many frames of raw bytes follow, each with bytes that a step names by their hash.
        blobs: usize,
    },
    /// Run a program; answered by [`Reply::Output`]s and a [`Reply::JobEnded`].
    Job(Job),
}

/// A program to run in the guest, what it finds there, and what of it comes back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Job {
    /// The program and its arguments.
    pub argv: Vec<String>,
    /// Added to the agent's environment.
    pub env: Vec<(String, String)>,
    /// A tar follows, unpacked at `/` before the program starts.
    pub put: bool,
    /// Absolute paths that come back as one tar after the program has ended; none: no tar.
    pub get: Vec<String>,
}

/// One of a program's two output streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// From the agent to the host.
#[derive(Debug, Serialize, Deserialize)]
pub enum Reply {
    /// The first word.
    Hello(Hello),
    /// The agent lives.
    Beat,
    /// A step of the trace has ended.
    Outcome {
        /// Its index in the trace.
        index: usize,
        /// What it printed and how it ended.
        printed: Printed,
    },
    /// The trace is over and cleaned up, or could not be run for this reason.
    Played(Result<(), String>),
    /// A running program printed this.
    Output {
        /// Where.
        stream: Stream,
        /// What.
        bytes: Vec<u8>,
    },
    /// The program ended with this code (128 + N for signal N), or could not be run for this reason.
    /// After a success the tar of [`Job::get`] follows when something was asked for.
    JobEnded(Result<u8, String>),
}

/// What the agent says first: what it runs on.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The version of the `zfs` program, such as `2.3.9-0+deb13u1`.
    pub zfs: String,
    /// The version of the loaded kernel module.
    pub module: String,
    /// The kernel's release.
    pub kernel: String,
}

/// A frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame {
    /// A message as JSON.
    Message(Vec<u8>),
    /// Raw bytes that belong to the message before.
    Raw(Vec<u8>),
}

/// Reads one frame; `None` when the stream ends before one begins.
pub fn read(from: &mut impl Read) -> io::Result<Option<Frame>> {
    let mut head = [0; 4];
    let mut have = 0;
    while have < head.len() {
        match from.read(&mut head[have..]) {
            Ok(0) if have == 0 => return Ok(None),
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(n) => have += n,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    let word = u32::from_be_bytes(head);
    let length = word & !RAW;
    if length > MAX {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("a frame of {length} bytes; at most {MAX} are possible"),
        ));
    }
    // Grows as bytes come: a broken length does not reserve memory.
    let mut body = Vec::new();
    let got = from.take(u64::from(length)).read_to_end(&mut body)?;
    if got < length as usize {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(if word & RAW == 0 {
        Frame::Message(body)
    } else {
        Frame::Raw(body)
    }))
}

/// Writes a message.
pub fn send(to: &mut impl Write, message: &impl Serialize) -> io::Result<()> {
    frame(to, &serde_json::to_vec(message)?, 0)
}

/// Writes raw bytes; in a tar, empty ones end it.
pub fn send_raw(to: &mut impl Write, bytes: &[u8]) -> io::Result<()> {
    frame(to, bytes, RAW)
}

fn frame(to: &mut impl Write, body: &[u8], mark: u32) -> io::Result<()> {
    let length = u32::try_from(body.len())
        .ok()
        .filter(|&n| n <= MAX)
        .ok_or_else(|| {
            io::Error::new(
                io::ErrorKind::InvalidInput,
                format!("{} bytes in one frame", body.len()),
            )
        })?;
    let mut all = Vec::with_capacity(body.len() + 4);
    all.extend_from_slice(&(length | mark).to_be_bytes());
    all.extend_from_slice(body);
    to.write_all(&all)?;
    to.flush()
}

/// The message in `bytes`.
pub fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|e| {
        io::Error::new(
            io::ErrorKind::InvalidData,
            format!("not a message of this protocol: {e}"),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back_as_they_were_sent() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Reply::Beat).unwrap();
        send_raw(&mut bytes, b"abc").unwrap();
        send_raw(&mut bytes, b"").unwrap();
        let mut from = &bytes[..];
        let Some(Frame::Message(m)) = read(&mut from).unwrap() else {
            panic!("no message")
        };
        assert!(matches!(parse::<Reply>(&m).unwrap(), Reply::Beat));
        assert_eq!(read(&mut from).unwrap(), Some(Frame::Raw(b"abc".to_vec())));
        assert_eq!(read(&mut from).unwrap(), Some(Frame::Raw(Vec::new())));
        assert_eq!(read(&mut from).unwrap(), None);
    }

    #[test]
    fn a_stream_cut_anywhere_inside_a_frame_is_an_error() {
        let mut bytes = Vec::new();
        send(&mut bytes, &Reply::Played(Err("x".into()))).unwrap();
        for cut in 1..bytes.len() {
            let error = read(&mut &bytes[..cut]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "cut at {cut}");
        }
    }

    #[test]
    fn an_impossible_length_is_refused_before_memory_is_taken() {
        let error = read(&mut &[0x7f, 0xff, 0xff, 0xff, 0][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }
}
