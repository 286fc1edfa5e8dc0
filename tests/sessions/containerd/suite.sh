#!/bin/sh
# Cases of containerd's own test suite of snapshotters, by the daemon.
. ./lib.sh

# suite NAME TEXT
suite() { containerd_story "suite-$1" "$2"; }

# layer NAME PARENT ACTIONS...: prepared, changed, committed, and looked at in a view.
layer() {
    name=$1 parent=$2
    shift 2
    s prepare $name-active $parent
    mounted $name-active
    act "$@"
    unmounted
    s commit $name $name-active
    s view $name-view $name
    set -- $(snapshots mounts /mnt/layer $name-view)
    mount -t "$3" -o ro "$4" "$5"
    note "The view: $(cd /mnt/layer && find . | sort | tr '\n' ' ')"
    unmounted
}

suite basic "Basic: a layer is prepared, committed, another one is made from it and changed, and all go."
layer base '' put foo text:1 4 + chmod 777 foo + mkdir a + mkdir a/b + mkdir a/b/c
layer next base put bar text:2 4 + put foo text:3 4 + rmdir a/b/c + rmdir a/b
s info base
s info next
s_refused remove base
removed next-view
removed next
removed base-view
removed base
finish

suite keys-taken "PreareViewFailingtest: a key is taken, be it by a layer or a view."
s prepare first
s commit base first
s prepare new base
s_refused view new base
s_refused prepare new base
s view look base
s_refused view look base
s_refused prepare look base
finish

suite update "Update: labels come, change and go."
s prepare first
s commit base first
s label base one=1 two=2
s label base one=3 two=
s info base
s prepare second base
s label second one=1
s info second
finish

suite file-update "LayerFileupdate: a file is overwritten by one of the same size, another gets another mode."
layer one '' mkdir etc + chmod 700 etc + put etc/hosts text:1 17 + put etc/profile text:2 13
layer two one put etc/hosts text:3 17 + chmod 666 etc/profile + mkdir root + chmod 700 root + put root/.bashrc text:4 23
finish

suite remove-directory "RemoveDirectoryInLowerLayer: a directory is removed and made again in an upper layer."
layer one '' mkdir lib + chmod 700 lib + put lib/hidden zero 0
layer two one rm lib/hidden + rmdir lib + mkdir lib + chmod 700 lib + put lib/not-hidden zero 0
layer three two put lib/newfile zero 0
finish

suite intermediate "RemoveIntermediateSnapshot: what has children stays, from the top down they can go."
s prepare first
s commit base first
s prepare second base
s commit inter second
s prepare top inter
s_refused remove inter
removed top
removed inter
removed base
finish

suite deleted-files "DeletedFilesInChildSnapshot: what is deleted in a layer is gone in the next one, too."
layer one '' put foo text:1 4 + put foobar text:2 7
layer two one rm foobar
layer three two chmod 755 .
finish

suite move-file "MoveFileFromLowerLayer: files of the lower layer move, one by way of a hard link."
layer one '' mkdir dir1 + put dir1/f1 text:1 5 + mkdir dir2 + put dir2/f2 text:2 3
layer two one mkdir dir3 + put dir3/f1 text:1 5 + rm dir1/f1 + rmdir dir1 + ln dir2/f2 dir3/f2 + rm dir2/f2
finish

suite rename "Rename: a directory of the lower layer is renamed, a file is written over by a rename."
layer one '' mkdir dir1 + mkdir files + put files/f1 text:1 15 + put files/f2 text:2 19
layer two one mv dir1 dir2 + put files/f1-over text:3 13 + mv files/f1-over files/f1 + mv files/f2 files/f3
finish
