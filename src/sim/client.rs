//! The programs `zfs` and `zpool` inside of `ztwin sim`: they ask the server, and print what it says.

use std::ffi::OsString;
use std::fs;
use std::io::{self, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use super::home::{self, SOCKET};
use super::{Answer, Call, Error, Found};
use crate::exit::Exit;
use crate::guest::wire::{self, Frame};

/// Runs the program when it was called as `zfs` or `zpool`: its exit code, or nothing when it was called
/// by another name.
pub fn run(args: impl IntoIterator<Item = OsString>) -> Option<u8> {
    let mut args = args.into_iter();
    let called = args.next()?;
    let name = Path::new(&called).file_name()?;
    let name = name
        .to_str()
        .filter(|name| home::PROGRAMS.contains(name))?
        .to_owned();
    Some(ask(&name, args).unwrap_or_else(|error| {
        eprintln!("ztwin: {error}");
        Exit::Unavailable.code()
    }))
}

fn ask(program: &str, args: impl Iterator<Item = OsString>) -> Result<u8, Error> {
    let mut words = vec![program.to_owned()];
    for word in args {
        let Ok(word) = word.into_string() else {
            eprintln!("ztwin: not modelled: arguments that are not UTF-8");
            return Ok(Exit::NotModelled.code());
        };
        words.push(word);
    }
    let socket = socket().ok_or_else(|| {
        Error(format!(
            "this {program} is simulated, and works for what 'ztwin sim -- COMMAND' runs only"
        ))
    })?;
    let files = files(&words);
    let call = Call { words, files };
    let gone = |error| {
        Error(format!(
            "the simulated machine is gone ({error}): the 'ztwin sim' that started this program has ended"
        ))
    };
    let mut stream = UnixStream::connect(socket).map_err(gone)?;
    wire::send(&mut stream, &call).map_err(gone)?;
    let mut frame = || match wire::read(&mut stream) {
        Ok(Some(Frame::Message(bytes) | Frame::Raw(bytes))) => Ok(bytes),
        Ok(None) => Err(gone(io::ErrorKind::UnexpectedEof.into())),
        Err(error) => Err(gone(error)),
    };
    let answer: Answer = wire::parse(&frame()?).map_err(gone)?;
    let (out, err) = (frame()?, frame()?);
    // As the real programs: who does not listen misses it.
    let _ = io::stdout()
        .write_all(&out)
        .and_then(|()| io::stdout().flush());
    let _ = io::stderr().write_all(&err);
    Ok(answer.code)
}

/// The server's socket: beside the directory of this program, or where the environment says.
fn socket() -> Option<PathBuf> {
    let beside = std::env::current_exe().ok();
    let beside = beside
        .as_deref()
        .and_then(Path::parent)
        .and_then(Path::parent);
    let named = std::env::var_os(home::VARIABLE).map(PathBuf::from);
    let homes = beside.map(Path::to_owned).into_iter().chain(named);
    homes
        .map(|home| home.join(SOCKET))
        .find(|socket| socket.exists())
}

/// The subcommands of `zpool` that name vdev files.
const OF_FILES: [&str; 5] = ["create", "add", "attach", "replace", "labelclear"];

/// What stands at the absolute paths that such a command names; nothing else of the real disk matters.
fn files(words: &[String]) -> Vec<(String, Found)> {
    match words {
        [program, command, ..] if program == "zpool" && OF_FILES.contains(&command.as_str()) => {}
        _ => return Vec::new(),
    }
    // Where a pool is mounted (-m, -R) is no vdev.
    let option = |word: &str| word.starts_with('-') && word.ends_with(['m', 'o', 'O', 'R', 't']);
    let operands = words.windows(2).filter(|pair| !option(&pair[0]));
    let paths = operands
        .map(|pair| &pair[1])
        .filter(|word| word.starts_with('/'));
    let found = paths.map(|path| {
        let found = match fs::metadata(path) {
            Ok(it) if it.is_file() => Found::File(it.len()),
            Ok(_) => Found::Other,
            Err(_) => Found::Nothing,
        };
        (path.clone(), found)
    });
    found.collect()
}
