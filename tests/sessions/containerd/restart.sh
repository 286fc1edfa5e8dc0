#!/bin/sh
# The daemon stops and starts again.
. ./lib.sh

containerd_story restart "The daemon stops and starts again: its database knows all layers, and the next \
one has the next number."
s prepare first
mounted first
act put motd text:1 200 + put big random:2 200K
unmounted
s commit base first
s prepare second base
stopped
started
s tree
mounted second
act rm big + put small text:3 20
unmounted
s commit top second
s prepare third top
s view look top
s usage
removed look
removed third
removed top
removed base
finish
