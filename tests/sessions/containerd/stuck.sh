#!/bin/sh
# A transaction that is never ended.
. ./lib.sh

containerd_story stuck "Somebody destroys the snapshot of a committed layer. To prepare a layer from it is \
refused, and from then on whoever wants to change anything waits for ever, until the daemon starts anew."
s prepare first
s commit base first
note "Somebody destroys its snapshot."
zfs destroy tank/containerd/1@snapshot
s_refused prepare second base
note "\`snapshots prepare third\`, for ten seconds at most."
timeout 10 /usr/bin/ctr --address $socket snapshots --snapshotter zfs prepare third && exit 1
s info base
note "The daemon is killed, since it does not end either."
kill -9 $daemon
died
started
s prepare third
s tree
removed third
finish
