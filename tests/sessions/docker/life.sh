#!/bin/sh
# From an import to the removal of everything.
. ./lib.sh

docker_story life "A whole life: an image is imported, three layers are built on it, two containers run \
from the result and change files, one of them is committed, and all of it is removed again."
import

cat > context/Dockerfile <<'X'
FROM base:1
RUN ["/bin/actor", "mkdir", "/app", "+", "put", "/app/code", "random:10", "40K"]
RUN ["/bin/actor", "over", "/data/big", "128K", "random:11", "4K", "+", "append", "/data/words", "text:12", "1K"]
RUN ["/bin/actor", "rm", "/etc/motd", "+", "rm", "/data/more", "+", "mv", "/etc/name", "/app/name"]
X
note "The Dockerfile: $(tail -n 3 context/Dockerfile)"
run docker build --network none -t app:1 context

run docker run -d --network none --name one app:1 /bin/actor put /data/one random:13 5K + rm /app/name + over /app/code 0 random:14 8K + sleep 1000
run docker create --network none --name two app:1 /bin/actor put /two random:15 5K + rm /data/link + mkdir /var + put /var/log text:16 100
run docker start -a two
run docker diff one
run docker diff two
run docker commit two two:1
run docker stop -t 0 one
run docker rm one
run docker rm two
run docker rmi two:1
run docker rmi app:1
run docker rmi base:1
finish
