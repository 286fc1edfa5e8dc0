#!/bin/sh
# Somebody else's snapshots on layers.
. ./lib.sh

containerd_story foreign "An auto-snapshotter takes a snapshot of a committed layer: when that is removed, \
its own snapshot goes first, then the dataset is refused; the layer can never be removed again, and the garbage \
collector stops there, so that others stay, too."
s prepare first
mounted first
act put motd text:1 200 + put big random:2 200K
unmounted
s commit base first
note "Somebody takes snapshots of all."
zfs snapshot -r tank/containerd@auto
removed base
note "They are gone."
zfs destroy -r tank/containerd@auto
s prepare next
removed next
s tree
zfs list -H -t all -r -o name,origin tank/containerd
finish
