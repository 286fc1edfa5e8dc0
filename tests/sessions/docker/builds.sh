#!/bin/sh
# Builds side by side.
. ./lib.sh

docker_story builds "Three builds run side by side from one image, and one of them fails: each layer is \
made from a snapshot of its own."
import
for n in 1 2 3; do
    mkdir -p context/$n
    cat > context/$n/Dockerfile <<X
FROM base:1
RUN ["/bin/actor", "put", "/app", "random:9$n", "20K"]
RUN ["/bin/actor", "rm", "/etc/motd", "+", "append", "/data/words", "text:9$n", "1K"]
X
done
echo 'RUN ["/bin/actor", "rm", "/nothing"]' >> context/2/Dockerfile
note "\`docker build\` three times, at the same time."
for n in 1 2 3; do
    docker build --network none -t app:$n context/$n > /run/build$n 2>&1 &
    eval "build$n=\$!"
done
for n in 1 2 3; do
    eval "wait \$build$n" && note "Build $n ends well." || note "Build $n fails: $(tail -n 1 /run/build$n)"
done
run docker create --network none --name one app:1 /bin/actor put /one random:94 5K
run docker create --network none --name three app:3 /bin/actor put /three random:95 5K
run docker start -a one
run docker start -a three
run docker diff three
run docker rm one three
docker ps -aq | xargs -r docker rm > /dev/null
run docker rmi app:1
run docker rmi app:3
run docker image prune -f
run docker rmi base:1
zfs list -t all -H -r -o name,origin,defer_destroy tank/docker
finish
