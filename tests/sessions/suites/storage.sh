#!/bin/sh
# The tests of graph drivers of containers/storage. Three of them are for drivers that are no zfs, and do for
# it too.
. ./lib.sh

export SUITE_ACTOR=$PWD/../actor
storage() { graph "$1" tank/storage "$2"; }

suite 1.57 storage "the tests of graph drivers of containers/storage" create-empty=CreateEmpty \
    create-base=CreateBase create-snap=CreateSnap template=CreateFromTemplate quota=SetQuota echo=Echo \
    deep-layers=DeepLayerRead diff-apply=DiffApply changes=Changes
