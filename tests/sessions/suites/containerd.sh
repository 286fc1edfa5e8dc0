#!/bin/sh
# containerd's tests of snapshotters, and the one of usage of its zfs snapshotter.
. ./lib.sh

containerd() {
    export SUITE_ROOT=/run/suite/root SUITE_ACTOR=$PWD/../actor
    zfs create -o mountpoint=$SUITE_ROOT tank/containerd
    # The snapshotter's own database is no matter of ZFS.
    ln -s ../metadata.db $SUITE_ROOT/metadata.db
    case $3 in
    TestZFSUsage) "$1" -test.run '^TestUsage$' ;;
    *) "$1" -test.run "TestSuite/^$3\$" ;;
    esac
}

skipped=rename-1.6
# The files of the last one are random:1 and random:2.
suite 1.7 containerd "containerd's tests of snapshotters" basic=Basic stat-active=StatActive \
    stat-committed=StatComitted transitivity=TransitivityTest keys-taken=PreareViewFailingtest update=Update \
    remove=Remove walk=Walk file-update=LayerFileupdate remove-directory=RemoveDirectoryInLowerLayer \
    chown=Chown directory-permission=DirectoryPermissionOnCommit intermediate=RemoveIntermediateSnapshot \
    deleted-files=DeletedFilesInChildSnapshot move-file=MoveFileFromLowerLayer view-readonly=ViewReadonly \
    stat-in-walk=StatInWalk close-twice=CloseTwice root-permission=RootPermission rename=Rename \
    128-layers=128LayersMount usage=TestZFSUsage
