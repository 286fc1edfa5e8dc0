//! `zfs promote` (`zfs_do_promote`).

use ztwin_model::dsl::names::Expected;
use ztwin_model::dsl::op::DslOp;
use ztwin_model::dsl::reason::Reason;
use ztwin_model::dsl::room::Fits;

use crate::programs::args;
use crate::programs::console::{Console, Ended, NotModelled};

pub(super) fn run(console: &mut Console<'_>, words: &[String]) -> Ended {
    if let Some(letter) = args::leading_option(words) {
        return Ok(console.usage(&format!("invalid option '{letter}'")));
    }
    let name = match words {
        [name] => name,
        [] => return Ok(console.usage("missing clone filesystem argument")),
        _ => return Ok(console.usage("too many arguments")),
    };
    let Some(id) = console.open(name, Expected::Filesystem) else {
        return Ok(1);
    };
    let filesystem = console.state().filesystem(id);
    if filesystem.is_some_and(|it| it.origin.is_none()) {
        console.refuse(&format!("cannot promote '{name}'"), &Reason::NotAClone);
        return Ok(1);
    }
    if console.state().fits_promoted(id) == Fits::Unknown {
        return Err(NotModelled(format!(
            "whether '{name}' has the space for its origin"
        )));
    }
    match console.dataset(DslOp::Promote {
        name: name.as_str().into(),
    }) {
        Ok(()) => Ok(0),
        Err(reason) => {
            console.refuse(&format!("cannot promote '{name}'"), &reason);
            Ok(1)
        }
    }
}
