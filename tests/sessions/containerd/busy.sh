#!/bin/sh
# A layer that is removed while it is mounted.
. ./lib.sh

containerd_story busy "A layer is removed while a client has it mounted: containerd forgets it at once, ZFS \
says that it is busy, and the dataset goes with a later collection of garbage."
s prepare first
mounted first
act put motd text:1 200 + put big random:2 200K
removed first
unmounted
s prepare second
removed second
finish
