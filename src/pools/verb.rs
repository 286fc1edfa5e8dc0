//! Steps that are not programs: file verbs, mounts, vdev files, and looking at the whole state.

use ztwin_model::zpl::op::FileOp;

/// A step that is not a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `vdev PATH SIZE`: makes a sparse file for a pool to live in.
    Vdev {
        /// An absolute path.
        path: String,
        /// Its size in bytes.
        size: u64,
    },
    /// `mount [-o ro] DATASET PATH`: makes the directory where it is missing, and mounts.
    Mount {
        /// The full name of a filesystem or snapshot.
        dataset: String,
        /// An absolute path.
        path: String,
        /// Mount it read-only.
        read_only: bool,
    },
    /// One system call.
    File(FileOp),
    /// `state [-v]`: the whole visible state.
    State {
        /// Every file, instead of a digest of each tree.
        verbose: bool,
    },
}
