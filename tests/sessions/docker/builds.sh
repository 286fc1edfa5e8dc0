#!/bin/sh
# Builds side by side.
. ./lib.sh

# context N STEPS...: what `docker build` number N is given.
context() {
    n=$1
    shift
    mkdir -p context/$n
    { echo FROM base:1; for actions; do echo "RUN [\"/bin/actor\", $actions]"; done; } > context/$n/Dockerfile
}

docker_story builds "Three builds run side by side from one image, and one of them fails: each layer is \
made from a snapshot of its own."
import
context 1 '"put", "/app", "random:91", "20K"' '"rm", "/etc/motd", "+", "append", "/data/words", "text:91", "1K"'
context 2 '"put", "/app", "random:92", "20K"' '"rm", "/etc/motd", "+", "append", "/data/words", "text:92", "1K"' \
    '"rm", "/nothing"'
context 3 '"put", "/app", "random:93", "20K"' '"rm", "/etc/motd", "+", "append", "/data/words", "text:93", "1K"'
note "\`docker build\` three times, at the same time."
for n in 1 2 3; do
    docker build --network none -t app:$n context/$n > /run/build$n 2>&1 &
    eval "build$n=\$!"
done
wait $build1 || exit 1
wait $build2 && exit 1
wait $build3 || exit 1
note "The second one fails: $(tail -n 1 /run/build2)"
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
