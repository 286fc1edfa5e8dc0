#!/bin/sh
# What containerd refuses, and what of it ZFS hears.
. ./lib.sh

containerd_story refusals "What containerd refuses: names that exist, parents that do not, a parent that has \
children, and a commit of a view. Its own database decides; ZFS hears of few of them."
s prepare first
s_refused prepare first
mounted first
act put motd text:1 200
unmounted
s_refused prepare orphan nothing
s_refused view orphan nothing
s_refused prepare orphan first
s commit base first
s_refused commit base first
s_refused mounts /mnt/layer first
s prepare second base
s_refused commit base second
s_refused remove base
s view look base
s_refused commit other look
s_refused remove nothing
s_refused commit other nothing
removed second
note "Nothing held the view: it was garbage too. What is left is not removed any more: the garbage collector \
has left the view among the children in the daemon's own database."
s_refused remove look
s_refused remove base
finish
