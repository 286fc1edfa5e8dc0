#!/bin/sh
# An image with whiteouts is unpacked, and a container runs from it.
. ./lib.sh

# blob FILE: puts a file among the blobs of ./oci; sets $digest and $size.
blob() {
    digest=$(sha256sum "$1" | cut -d ' ' -f 1)
    size=$(stat -c %s "$1")
    cp "$1" "oci/blobs/sha256/$digest"
}

# layer DIRECTORY: makes a layer of it.
layer() {
    find "$1" -exec touch -h -d @1700000000 {} +
    tar -C "$1" --sort=name --owner=0 --group=0 -cf layer.tar .
    blob layer.tar
    diffs="$diffs${diffs:+,}\"sha256:$digest\""
    layers="$layers${layers:+,}{\"mediaType\":\"application/vnd.oci.image.layer.v1.tar\",\"digest\":\"sha256:$digest\",\"size\":$size}"
}

containerd_story image "An image of two layers is unpacked, of which the second one deletes files of the \
first, and two containers run from it."
rm -rf oci one two
mkdir -p oci/blobs/sha256 one/bin one/etc one/data two/data two/etc
cp ../actor one/bin/actor
../actor put one/etc/motd text:1 200 + put one/data/big random:2 300K + put one/data/words text:3 20K \
    + mkdir one/old + put one/old/a random:4 100 + put one/old/b random:5 100
../actor put two/etc/name random:6 30 + put two/data/.wh.words zero 0 + mkdir two/old + put two/old/.wh..wh..opq zero 0 \
    + put two/old/c random:7 100
layer one
layer two
printf '{"architecture":"amd64","os":"linux","config":{"Cmd":["/bin/actor"]},"rootfs":{"type":"layers","diff_ids":[%s]}}' "$diffs" > config.json
blob config.json
printf '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"application/vnd.oci.image.config.v1+json","digest":"sha256:%s","size":%s},"layers":[%s]}' \
    "$digest" "$size" "$layers" > manifest.json
blob manifest.json
printf '{"imageLayoutVersion":"1.0.0"}' > oci/oci-layout
printf '{"schemaVersion":2,"manifests":[{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:%s","size":%s,"annotations":{"io.containerd.image.name":"app:1","org.opencontainers.image.ref.name":"1"},"platform":{"architecture":"amd64","os":"linux"}}]}' \
    "$digest" "$size" > oci/index.json
tar -C oci -cf image.tar .

run ctr images import --snapshotter zfs image.tar
s tree
run ctr run --snapshotter zfs app:1 one /bin/actor put /data/one random:8 5K + rm /etc/motd
run ctr run --snapshotter zfs app:1 two /bin/actor put /data/two random:9 5K + over /data/big 0 random:10 4K
s tree
before=$(datasets)
run ctr containers delete one
run ctr containers delete two
settle
before=$(datasets)
run ctr images remove app:1
settle
s tree
finish
