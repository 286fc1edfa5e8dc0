//! What a verb is in a shell.

use ztwin_model::dmu::data::Source;
use ztwin_model::zpl::op::{At, FileOp, Renaming, Target, Unmount};
use ztwin_model::zpl::znode::Special;

use crate::pools::{Blobs, Verb, verb};
use crate::trace::quote;

/// The words for a verb; none for what no program of a usual system does in one system call, or only ztwin looks
/// at.
pub(super) fn words(words: &[String]) -> Option<String> {
    let parsed = verb::parse("", words, &Blobs::default()).ok()?;
    match parsed {
        Verb::Vdev { path, size } => Some(format!("vdev {} {size}", quote(&path))),
        Verb::Mount {
            dataset,
            path,
            read_only,
        } => {
            let option = if read_only { "ro" } else { "rw" };
            Some(format!(
                "put_on {option} {} {}",
                quote(&dataset),
                quote(&path)
            ))
        }
        Verb::File(op) => of_file(&op),
        _ => None,
    }
}

/// Where a file is.
fn at(at: &At) -> String {
    format!("\"$(at {} {})\"", quote(&at.dataset), quote(&at.path))
}

fn target(target: &Target) -> Option<String> {
    match target {
        Target::Path(path) => Some(at(path)),
        Target::Open(_) | Target::Volume(_) => None,
    }
}

fn of_file(op: &FileOp) -> Option<String> {
    Some(match op {
        FileOp::Write { to, offset, data } => {
            let len = data.len;
            let bytes = match &data.source {
                Source::Zero => format!("zero {len}"),
                Source::Random(seed) => format!("random {seed} {len}"),
                Source::Text(seed) => format!("lines {seed} {len}"),
                Source::Bytes(_) => return None,
            };
            let file = target(to)?;
            format!("write_at {file} {offset} {bytes}")
        }
        FileOp::Read { from, .. } => format!("call cat {}", target(from)?),
        FileOp::Truncate { file, size } => {
            format!("call truncate -c -s {size} {}", target(file)?)
        }
        FileOp::Punch { file, offset, len } => {
            format!("call fallocate -p -o {offset} -l {len} {}", target(file)?)
        }
        FileOp::MakeDirectory { at: path } => format!("call mkdir {}", at(path)),
        FileOp::RemoveDirectory { at: path } => format!("call rmdir {}", at(path)),
        FileOp::Unlink { at: path } => format!("call unlink {}", at(path)),
        FileOp::Rename {
            from,
            to,
            how: Renaming::Replace,
        } => format!("call mv -T {} {}", at(from), at(to)),
        FileOp::Link { from, to } => format!("call link {} {}", target(from)?, at(to)),
        FileOp::Symlink {
            target: text,
            at: path,
        } => format!("call ln -s -T {} {}", quote(text), at(path)),
        FileOp::MakeSpecial {
            at: path,
            special: Special::CharacterDevice(major, minor),
            mode,
        } => format!("call mknod -m {mode:04o} {} c {major} {minor}", at(path)),
        FileOp::SetMode { file, mode } => format!("call chmod {mode:04o} {}", target(file)?),
        FileOp::SetOwner { file, uid, gid } => {
            format!("call chown -h {uid}:{gid} {}", target(file)?)
        }
        FileOp::Unmount { path, how } => {
            let flag = match how {
                Unmount::Plain => "",
                Unmount::Force => "-f ",
                Unmount::Lazy => "-l ",
            };
            format!("call umount {flag}{}", quote(path))
        }
        _ => return None,
    })
}
