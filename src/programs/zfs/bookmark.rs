//! `zfs bookmark` (`zfs_do_bookmark`).

use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;

use crate::programs::console::{Console, Ended, WRONG_USE};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    let Some(flags) = console.flags(words, "") else {
        return Ok(WRONG_USE);
    };
    // What stands behind the second operand is not looked at.
    let (source, name) = match flags.operands.as_slice() {
        [source, name, ..] => (source.clone(), name.clone()),
        [_] => return Ok(console.usage("missing bookmark argument")),
        [] => return Ok(console.usage("missing source argument")),
    };
    if !source.contains(['@', '#']) {
        return Ok(console.usage(&format!(
            "invalid source name '{source}': must contain a '@' or '#'"
        )));
    }
    if !name.contains('#') {
        return Ok(console.usage(&format!(
            "invalid bookmark name '{name}': must contain a '#'"
        )));
    }
    // One of them may be short: then the filesystem is that of the other.
    let filesystem = |full: &str| full.split(['@', '#']).next().unwrap_or_default().to_owned();
    let (source, name) = match (source.starts_with(['@', '#']), name.starts_with('#')) {
        (true, true) => {
            // Without a line feed.
            let complaint = b"either source or bookmark must be specified as full dataset paths";
            console.err.extend_from_slice(complaint);
            return Ok(console.usage(""));
        }
        (false, true) => (source.clone(), filesystem(&source) + &name),
        (true, false) => (filesystem(&name) + &source, name),
        (false, false) => (source, name),
    };
    let at = source.find(['@', '#']).map(|at| &source[at..=at]);
    let expected = if at == Some("@") {
        Expected::Snapshot
    } else {
        Expected::Bookmark
    };
    if console.open(&source, expected).is_none() {
        return Ok(console.usage(""));
    }
    let made = console.dataset(DslOp::Bookmark {
        name: name.as_str().into(),
        source: source.into(),
    });
    match made {
        Ok(()) => Ok(0),
        Err(reason) => {
            console.refuse(&format!("cannot create bookmark '{name}'"), &reason);
            Ok(1)
        }
    }
}
