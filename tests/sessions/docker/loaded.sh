#!/bin/sh
# An image goes out and comes in again.
. ./lib.sh

docker_story loaded "An image of three layers is saved, removed and loaded again: whiteouts become deletions."
import
cat > context/Dockerfile <<'X'
FROM base:1
RUN ["/bin/actor", "rm", "/etc/motd", "+", "put", "/etc/motd.new", "text:98", "100"]
RUN ["/bin/actor", "rm", "/data/big", "+", "mv", "/data/words", "/data/text", "+", "put", "/data/small", "random:99", "3K"]
X
run docker build --network none -t app:1 context
run docker save -o /run/app.tar app:1
run docker rmi app:1
docker images -aq | xargs -r docker rmi -f > /dev/null 2>&1
run docker load -i /run/app.tar
run docker create --network none --name one app:1 /bin/actor put /one random:100 1K
run docker start -a one
run docker diff one
run docker rm one
run docker rmi app:1
run docker image prune -af
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
