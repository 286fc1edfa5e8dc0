#!/bin/sh
# A layer that is removed while it is mounted.
. ./lib.sh

containerd_story mounted "A layer is removed while a client has it mounted, and no file of it open: \
\`zfs destroy\` unmounts it first."
s prepare first
mounted first
act put motd text:1 200 + put big random:2 200K
removed first
s prepare second
removed second
finish
