#!/bin/sh
# Docker's tests of graph drivers. Three of them are for drivers that are no zfs, and do for it too.
. ./lib.sh

docker() { graph "$1" tank/docker "$2"; }

suite 26.1 docker "Docker's tests of graph drivers" create-empty=CreateEmpty create-base=CreateBase \
    create-snap=CreateSnap quota=SetQuota deep-layers=DeepLayerRead diff-apply=DiffApply changes=Changes
