//! Whose rules apply: daemons differ in what they list, write and refuse.

/// A daemon that makes layers, by the version that the rule came with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Daemon {
    /// Docker 20.10: the type of a file is in its mode.
    Docker20,
    /// Docker 23 to 28.
    #[default]
    Docker26,
    /// Docker 29, which refuses names that lead out of a layer.
    Docker29,
    /// containers/storage to 1.4x: Docker's, but attributes of users count too.
    Storage43,
    /// containers/storage since 1.57: so do times of directories, and where links lead.
    Storage57,
    /// containerd 1: the time of a whiteout is that of the export.
    Containerd1,
    /// containerd 2: the time of a whiteout is 0.
    Containerd2,
}

impl Daemon {
    /// All of them.
    pub const ALL: [Daemon; 7] = [
        Daemon::Docker20,
        Daemon::Docker26,
        Daemon::Docker29,
        Daemon::Storage43,
        Daemon::Storage57,
        Daemon::Containerd1,
        Daemon::Containerd2,
    ];

    /// Whether it is containerd.
    #[must_use]
    pub const fn is_containerd(self) -> bool {
        matches!(self, Daemon::Containerd1 | Daemon::Containerd2)
    }

    /// Whether it is containers/storage.
    #[must_use]
    pub const fn is_storage(self) -> bool {
        matches!(self, Daemon::Storage43 | Daemon::Storage57)
    }
}
