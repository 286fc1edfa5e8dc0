#!/bin/sh
# The daemon is killed between two of its commands.
. ./lib.sh

containerd_story killed-prepare "The daemon is killed as it has made a dataset: its number is given out again, \
so that no layer can be made any more until somebody destroys the dataset."
die_behind 'create *'
s_refused prepare first
died
started
s_refused prepare first
s_refused prepare second
note "Somebody destroys the dataset."
zfs destroy tank/containerd/1
s prepare first
mounted first
act put motd text:1 200
unmounted
s commit base first
s tree
finish

containerd_story killed-commit "The daemon is killed as it has taken the snapshot of a layer: the layer is \
still to be committed, and cannot be, nor removed, until somebody destroys that snapshot."
s prepare first
mounted first
act put motd text:1 200
unmounted
die_behind 'snapshot *'
s_refused commit base first
died
started
s tree
s_refused commit base first
note "Somebody destroys the snapshot."
zfs destroy tank/containerd/1@snapshot
s commit base first
s prepare second base
mounted second
act put other text:2 200
unmounted
removed second
removed base
finish

containerd_story killed-remove "The daemon is killed as it has destroyed the snapshot of a layer that it \
removes: the garbage collector's next try is refused, and the layer stays for ever."
s prepare first
mounted first
act put motd text:1 200
unmounted
s commit base first
die_behind 'destroy -d *'
s remove base
died
started
s prepare second
removed second
s tree
zfs list -H -t all -r -o name,origin tank/containerd
finish
