#!/bin/sh
# Two users of one view.
. ./lib.sh

containerd_story views "A view is mounted as it was said, read-only, and once more as the daemon says when it \
is asked again: that is refused, because ZFS mounts no dataset read-only and writable at once."
s prepare first
mounted first
act put motd text:1 200
unmounted
s commit base first
note "\`snapshots view --target /mnt/layer look base\`, and what it says."
set -- $(snapshots view --target /mnt/layer look base)
mount -t "$3" ${7:+-o "$7"} "$4" "$5"
mkdir -p /mnt/other
note "\`snapshots mounts /mnt/other look\`, and what it says."
set -- $(snapshots mounts /mnt/other look)
note "It says: $*"
mount -t "$3" ${7:+-o "$7"} "$4" "$5" && exit 1
umount /mnt/layer
removed look
removed base
finish
