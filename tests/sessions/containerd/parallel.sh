#!/bin/sh
# Layers prepared side by side.
. ./lib.sh

containerd_story parallel "Four layers are prepared at the same time from one parent: one after the other, \
because each holds the database while it calls ZFS."
s prepare first
mounted first
act put motd text:1 200 + put big random:2 200K
unmounted
s commit base first
note "\`snapshots prepare\` four times, at the same time."
for n in 1 2 3 4; do
    /usr/bin/ctr --address $socket snapshots --snapshotter zfs prepare p$n base &
    eval "p$n=\$!"
done
for n in 1 2 3 4; do eval "wait \$p$n"; done
for n in 1 2 3 4; do
    mounted p$n
    act put own$n random:1$n 20K + rm motd
    unmounted
done
s tree
for n in 1 2 3 4; do removed p$n; done
removed base
finish
