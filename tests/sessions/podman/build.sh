#!/bin/sh
# Images are built, one with a quota.
. ./lib.sh

podman_story build "An image of three layers is built, saved, removed and loaded again."
import
cat > context/Dockerfile <<'X'
FROM base:1
RUN ["/bin/actor", "rm", "/etc/motd", "+", "put", "/etc/motd.new", "text:30", "100"]
RUN ["/bin/actor", "rm", "/data/big", "+", "mv", "/data/words", "/data/text", "+", "put", "/data/small", "random:31", "3K"]
X
run podman build --layers --network none --isolation chroot -t app:1 context
run podman save -o /run/app.tar app:1
run podman rmi app:1
run podman load -i /run/app.tar
run podman create --network none --name one app:1 /bin/actor put /one random:32 1K
run podman start -a one
run podman diff one
run podman rm one
run podman rmi -a
zfs list -t all -H -r -o name,origin,defer_destroy tank/storage
finish
