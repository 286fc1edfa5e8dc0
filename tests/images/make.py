#!/usr/bin/env python3
"""Makes an image of layers that are tar archives: make.py [--docker] [--gzip] OUT LAYER.tar...

OUT is an OCI layout, or, with --docker, an archive as `docker save` writes it.
"""

import gzip
import hashlib
import io
import json
import os
import sys
import tarfile

args = sys.argv[1:]
docker = "--docker" in args
packed = "--gzip" in args
out, *layers = [arg for arg in args if not arg.startswith("--")]


def digest(data):
    return hashlib.sha256(data).hexdigest()


blobs = {}


def blob(data, media):
    name = digest(data)
    blobs[name] = data
    return {"mediaType": media, "digest": "sha256:" + name, "size": len(data)}


OCI = "application/vnd.oci.image."
ids, descriptors, history = [], [], []
for path in layers:
    data = open(path, "rb").read()
    ids.append("sha256:" + digest(data))
    kind = OCI + "layer.v1.tar"
    if packed:
        data = gzip.compress(data, 6, mtime=0)
        kind += "+gzip"
    descriptors.append(blob(data, kind))
    history.append({"created_by": "unpack " + os.path.basename(path)})
config = json.dumps({
    "architecture": "amd64", "os": "linux", "config": {},
    "rootfs": {"type": "layers", "diff_ids": ids}, "history": history,
}).encode()
described = blob(config, OCI + "config.v1+json")
manifest = json.dumps({
    "schemaVersion": 2, "mediaType": OCI + "manifest.v1+json", "config": described, "layers": descriptors,
}).encode()
index = {
    "schemaVersion": 2,
    "manifests": [dict(blob(manifest, OCI + "manifest.v1+json"),
                       annotations={"org.opencontainers.image.ref.name": "debs:latest"})],
}
if docker:
    with tarfile.open(out, "w") as tar:
        def add(name, data):
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
        names = []
        for number, it in enumerate(descriptors):
            names.append("%d/layer.tar" % number)
            add(names[-1], blobs[it["digest"][7:]])
        name = described["digest"][7:] + ".json"
        add(name, config)
        add("manifest.json", json.dumps([
            {"Config": name, "RepoTags": ["debs:latest"], "Layers": names}]).encode())
else:
    os.makedirs(os.path.join(out, "blobs", "sha256"), exist_ok=True)
    for name, data in blobs.items():
        with open(os.path.join(out, "blobs", "sha256", name), "wb") as file:
            file.write(data)
    with open(os.path.join(out, "index.json"), "w") as file:
        json.dump(index, file)
    with open(os.path.join(out, "oci-layout"), "w") as file:
        file.write('{"imageLayoutVersion": "1.0.0"}')
