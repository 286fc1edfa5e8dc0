#!/bin/sh
# The same layers by three snapshotters of one daemon: zfs, overlayfs and native.
. ./lib.sh
overlayfs=

# Overlayfs has no layers on overlayfs, which is what the guest's root is.
mkdir -p $root
mountpoint -q $root || mount -t tmpfs tmpfs $root
other() { ctr snapshots --snapshotter "$@"; }

# tree: what is in the working directory, but for times, and what differs by nature: sizes and links of
# directories.
tree() {
    find . -type d -printf '%M %U:%G %p\n' -o -type l -printf '%M %U:%G %p -> %l\n' -o -printf '%M %n %U:%G %s %p\n' | sort
    find . -type f -exec sha256sum {} + | sort -k 2
}

# mount_other SNAPSHOTTER KEY: mounts what another snapshotter says.
mount_other() {
    set -- $(other "$1" mounts /mnt/other "$2")
    mount -t "$3" ${7:+-o "$7"} "$4" "$5"
}

# layer NAME PARENT ACTIONS...: by all three, and the trees that come of it are compared.
layer() {
    name=$1 parent=$2
    shift 2
    s prepare $name-active $parent
    mounted $name-active
    act "$@"
    unmounted
    s commit $name $name-active
    s view $name-view $name
    view=$(snapshots mounts /mnt/layer $name-view | awk '{ print $4 }')
    mount -t zfs -o ro "$view" /mnt/layer
    (cd /mnt/layer && tree) > /run/zfs.tree
    unmounted
    for snapshotter in overlayfs native; do
        other $snapshotter prepare $name-active $parent > /dev/null
        mount_other $snapshotter $name-active
        (cd /mnt/other && /run/ztwin-session/sessions/actor "$@")
        umount /mnt/other
        other $snapshotter commit $name $name-active
        other $snapshotter view $name-view $name > /dev/null
        mount_other $snapshotter $name-view
        (cd /mnt/other && tree) > /run/$snapshotter.tree
        umount /mnt/other
        cmp /run/zfs.tree /run/$snapshotter.tree || exit 1
    done
    note "The view of it holds $(grep -c ' \.' /run/zfs.tree) lines of files, the same by all three snapshotters."
}

mkdir -p /mnt/other
containerd_story others "The same layers are made by the zfs snapshotter, which is recorded here, and at the same \
time by overlayfs and native: files are overwritten, deleted, renamed and linked, directories come and go. After \
each layer a view of it shows the same tree by all three."
layer one '' mkdir bin + put bin/tool random:1 20K + chmod 755 bin/tool + mkdir etc + put etc/motd text:2 200 \
    + put etc/name random:3 30 + chmod 600 etc/name + mkdir old + put old/a random:4 100 + put old/b random:5 100 \
    + symlink ../etc/motd bin/link + ln etc/motd etc/again
layer two one over bin/tool 8K random:6 4K + rm old/a + rm old/b + rmdir old + put etc/new text:7 50
layer three two mkdir old + put old/c random:8 100 + rm bin/link + mv etc/new etc/motd.new + chmod 644 etc/name \
    + cut bin/tool 10K
layer four three rm etc/motd + mkdir etc/motd + put etc/motd/inside text:9 10 + append etc/again text:10 100
finish
