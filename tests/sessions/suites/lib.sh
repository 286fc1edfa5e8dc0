# Shared by the sessions of the drivers' own tests: sourced. The programs are in ./suites of the directory
# that the session starts in, as tests/suites/README.md has them built: docker-26.1 and so on.
. ../lib.sh
set -e
programs=../../suites
export TMPDIR=/run/suite
mkdir -p $TMPDIR
# What a version has and does not run: `rename-1.6`.
skipped=

# suite NEWEST DRIVER TITLE TRACE=TEST... runs each of the tests, or those that $ONLY names, of each version
# that there is.
suite() {
    newest=$1 driver=$2 title=$3
    shift 3
    for program in $programs/$driver-*; do
        version=${program##*-}
        [ $version = $newest ] && edition= || edition=-$version
        for case; do
            case " ${ONLY:-${case%%=*}} " in *" ${case%%=*} "*) ;; *) continue ;; esac
            case " $skipped " in *" ${case%%=*}-$version "*) continue ;; esac
            story "$driver-${case%%=*}$edition" "${case#*=} of $title, version $version, as it runs by itself."
            pool
            "$driver" "$program" "${case%%=*}" "${case#*=}"
            end
            zpool destroy -f tank
            rm -rf ${TMPDIR:?}/*
        done
    done
}

# graph PROGRAM DATASET CASE: one case of a graph driver's.
graph() {
    zfs create "$2"
    SUITE_DATASET=$2 "$1" -test.run "TestSuite/^$3\$"
}
