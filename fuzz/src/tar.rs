//! Bytes are read as an archive of a layer: they are refused or read, whatever they are. What was read is put onto an
//! empty layer as each daemon does it, and no system call of that names anything outside of it.

use std::sync::Arc;

use ztwin::drivers::tar;
use ztwin_model::layer::{Daemon, Tree, plan};

/// Runs it on these bytes.
///
/// # Panics
/// When something does not hold that must.
pub fn run(data: &[u8]) {
    let Ok(members) = tar::read(data) else { return };
    let dataset: Arc<str> = "tank/layer".into();
    for daemon in Daemon::ALL {
        // What it does before it stops is in the error's place; a layer that is refused is removed.
        let Ok(calls) = plan(&dataset, &Tree::default(), &members, daemon) else {
            continue;
        };
        for at in calls.iter().flat_map(ztwin_model::zpl::op::FileOp::paths) {
            assert_eq!(at.dataset, dataset);
            assert!(
                at.path.split('/').all(|name| name != ".."),
                "{daemon:?}: {}",
                at.path
            );
        }
    }
}
