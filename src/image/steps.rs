//! System calls as the words of a trace's steps.

use std::collections::BTreeMap;

use bytes::Bytes;
use ztwin_model::dmu::data::{Piece, Source};
use ztwin_model::zpl::op::{At, FileKind, FileOp, NewTime, Target};

use crate::capture::change::size;

/// The bytes that steps name by their hash.
pub(super) type Named = BTreeMap<String, Bytes>;

fn place(at: &At) -> String {
    format!("{}:{}", at.dataset, at.path)
}

/// `data=...` for a piece; bytes that are of no generator are kept under their hash.
fn data(piece: &Piece, named: &mut Named) -> String {
    match &piece.source {
        Source::Zero => "data=zero".to_owned(),
        Source::Random(seed) if piece.position == 0 => format!("data=random:{seed}"),
        Source::Text(seed) if piece.position == 0 => format!("data=text:{seed}"),
        _ => {
            let bytes: Bytes = ztwin_model::dmu::data::to_bytes(std::slice::from_ref(piece)).into();
            if bytes.iter().all(|&byte| byte == 0) {
                return "data=zero".to_owned();
            }
            let name = blake3::hash(&bytes).to_hex().to_string();
            let word = format!("data=hash:{name}");
            named.entry(name).or_insert(bytes);
            word
        }
    }
}

/// The words of the step that makes a call; none for a call that layers do not need.
pub(super) fn words(call: &FileOp, named: &mut Named) -> Option<Vec<String>> {
    let own = |words: &[&str]| words.iter().map(|&word| word.to_owned()).collect();
    Some(match call {
        FileOp::Write {
            to: Target::Path(at),
            offset,
            data: piece,
        } => own(&[
            "write",
            &place(at),
            &size(*offset),
            &size(piece.len),
            &data(piece, named),
        ]),
        FileOp::MakeDirectory { at } => own(&["mkdir", &place(at)]),
        FileOp::RemoveDirectory { at } => own(&["rmdir", &place(at)]),
        FileOp::Unlink { at } => own(&["unlink", &place(at)]),
        FileOp::Link {
            from: Target::Path(from),
            to,
        } => own(&["link", &place(from), &place(to)]),
        FileOp::Symlink { target, at } => own(&["symlink", target, &place(at)]),
        FileOp::MakeSpecial { at, special, mode } => {
            let mode = format!("{mode:04o}");
            let letter = FileKind::Special(*special).letter().to_string();
            let mut words: Vec<String> = own(&["mknod", &mode, &place(at), &letter]);
            words.extend(
                special
                    .device()
                    .map(|(major, minor)| format!("{major}:{minor}")),
            );
            words
        }
        FileOp::SetMode {
            file: Target::Path(at),
            mode,
        } => own(&["chmod", &format!("{mode:04o}"), &place(at)]),
        FileOp::SetOwner {
            file: Target::Path(at),
            uid,
            gid,
        } => own(&["chown", &format!("{uid}:{gid}"), &place(at)]),
        FileOp::SetTimes {
            file: Target::Path(at),
            modification: NewTime::Seconds(seconds),
            access: NewTime::Keep,
        } => own(&["utime", &seconds.to_string(), &place(at)]),
        FileOp::SetXattr { at, name, value } => own(&[
            "setxattr",
            &place(at),
            name,
            &size(value.len),
            &data(value, named),
        ]),
        _ => return None,
    })
}
