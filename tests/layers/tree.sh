#!/bin/sh
# Makes the trees "base" and "upper" that the tests know: sh tree.sh DIRECTORY
set -eu
cd "$1"
rm -rf base upper
mkdir base
cd base
mkdir -p etc/conf.d usr/bin var/lib/old "$(printf 'd%.0s' $(seq 60))/$(printf 'e%.0s' $(seq 60))"
printf 'hello\n' > etc/motd
printf 'one' > etc/one
printf 'gone' > etc/gone
printf 'same size' > etc/blind
printf 'shared' > usr/bin/first
ln usr/bin/first usr/bin/second
printf '#!' > usr/bin/ping
ln -s ../etc/motd usr/motd
printf 'x' > var/lib/old/x
printf 'y' > var/lib/old/y
mkdir a a/b
printf 'in' > a/b/f
printf 'dash' > a-b
printf 'dot' > a/b.f
printf 'short' > etc/longer
printf 'one' > etc/unseen
printf 'kept' > etc/kept
printf 'kept' > var/kept
printf 'pair' > usr/pair
ln usr/pair usr/twin
ln -s aim usr/turned
printf 'v3' > usr/bin/v3
mkfifo var/fifo
mknod var/null c 1 3
mknod var/disk b 8 17
find . -exec touch -h -d @1700000000 {} +
touch -d @1700000000.5 etc/unseen
cd ..
cp -a base upper
cd upper
chmod 4755 usr/bin/ping
chown 1000:2000 etc/one
rm etc/gone
rm -r var/lib/old
printf 'SAME SIZE' > etc/blind; touch -d @1700000000 etc/blind
printf 'hello again\n' > etc/motd; touch -d @1700000100.123456789 etc/motd
rm -r a/b; printf 'now a file' > a/b; touch -d @1700000001 a/b
ln usr/bin/first usr/bin/third
printf 'longer' > etc/longer; touch -d @1700000000 etc/longer
printf 'two' > etc/unseen; touch -d @1700000000.5 etc/unseen
ln etc/kept etc/also
ln var/kept var/late
ln -sf eim usr/turned; touch -h -d @1700000000 usr/turned
touch -d @1700000100 var/disk
printf 'deep' > "$(printf 'd%.0s' $(seq 60))/$(printf 'e%.0s' $(seq 60))/$(printf 'f%.0s' $(seq 60))"
printf 'long' > "$(printf 'n%.0s' $(seq 120))"
ln -s "$(printf 't%.0s' $(seq 130))" link-to-long
printf 'utf' > 'caf'$(printf '\303\251')
chown 3000000:4000000 "$(printf 'caf\303\251')"
printf 'old' > before-1970; touch -d @-5 before-1970
rm var/null; mknod var/null c 1 5
mknod var/wh c 0 0
mkdir new new/empty; printf '' > new/zero; chmod 1777 new
setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 usr/bin/first
setfattr -n security.capability -v 0x0100000300200000000000000000000000000000a0860100 usr/bin/v3
setfattr -n user.note -v "told" new/zero
setfattr -n user.overlay.note -v "told" etc/longer
ln -s nowhere new/dangling
for f in new new/empty new/zero "$(printf 'caf\303\251')" new/dangling link-to-long; do touch -h -d @1700000200 "$f"; done
for f in d*/e*/f* n* var/null var/wh; do case $f in new*) ;; *) touch -h -d @1700000300 "$f";; esac; done
find . -type d -exec touch -d @1700000400 {} +
