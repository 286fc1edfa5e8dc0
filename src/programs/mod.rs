//! `zfs` and `zpool` over the model: arguments, tables, messages by release.
