#!/bin/sh
# Layers from nothing to nothing.
. ./lib.sh

containerd_story layers "Two layers are prepared, filled, committed one on the other, viewed, and removed in \
the order that their clones allow."
s prepare first
mounted first
act put motd text:1 200 + mkdir data + put data/big random:2 300K + put data/words text:3 20K + symlink motd link
unmounted
s commit base first
s prepare second base
mounted second
act over data/big 128K random:4 4K + rm data/words + put data/new text:5 2K + mv motd message + chmod 600 message
unmounted
note "\`snapshots diff second\`, a tar of: $(snapshots diff second | tar -tz 2> /dev/null | sort | tr '\n' ' ')"
s commit top second
s view look top
mounted look
note "A view is to be looked at, yet \`snapshots mounts\` says nothing of read-only: it can be written."
act put x text:6 10
unmounted
s usage
s tree
removed look
removed top
removed base
finish
