#!/bin/bash
# The tests on every PostgreSQL that is supported: on this machine's, and on
# those of other Debian releases in trees of their own (debootstrap; as root).
# Ends with a table.
#
#   script/check-all.sh                    all versions
#   script/check-all.sh 17 18              these
#
# STAGES="compile regress" runs these stages only (script/check.sh).  The
# analysers of the stage lint run here and not in the trees: findings are of
# one release of theirs.
# ECHOSYNC_TREES=DIR keeps the trees there and takes them again, about 2 GB each;
# without it they are made anew, and nothing is left behind.
# DEBIAN_MIRROR=URL; TESTS, TAP_JOBS and CHECK_LOGS=DIR as in script/check.sh.
# shellcheck source-path=SCRIPTDIR source=tree.sh
. "$(dirname "${BASH_SOURCE[0]}")/tree.sh"

WORK=$(mktemp -d /var/tmp/echosync-all.XXXXXX)
TREES=${ECHOSYNC_TREES:-$WORK/trees}
STAGES=${STAGES:-compile lint unit fakes corpus regress pgtap tap}
FAILED=

trap 'tree_remove "$WORK"' EXIT
trap 'exit 130' INT TERM

suite_of() {
    case $1 in
        17) echo trixie ;;
        18) echo sid ;;
        *) echo "PostgreSQL $1 is not in the list of script/check-all.sh" >&2; return 1 ;;
    esac
}

# A tree with the packages that the tests need.
prepare() {
    local version=$1 tree=$2
    mkdir -p "$TREES"
    tree_make "$(suite_of "$version")" "$tree"
    rm -rf "$tree/src" "$tree/check_logs"
    mkdir "$tree/src"
    tar -C "$ROOT" --exclude=.git --exclude='*.o' --exclude='*.so' -cf - . | tar -C "$tree/src" -xf -
    in_tree "$tree" PG_MAJOR="$version" /src/script/packages.sh
    rm -rf "$tree"/var/cache/apt/archives/*.deb
}

check_here() {
    "$ROOT/script/packages.sh" lint
    # shellcheck disable=SC2086
    "$ROOT/script/check.sh" $STAGES
}

check_tree() {
    local version=$1 tree=$TREES/$1 stages
    attempt prepare "$version" "$tree" >"$WORK/prepare.log" 2>&1
    if [ "$STATUS" -ne 0 ]; then
        cat "$WORK/prepare.log"
        echo "FAILED: the tree could not be made"
        return 1
    fi
    stages=$(tr ' ' '\n' <<<"$STAGES" | grep -vx lint | tr '\n' ' ')
    # shellcheck disable=SC2086
    attempt in_tree "$tree" ${TESTS:+TESTS="$TESTS"} TAP_JOBS="${TAP_JOBS:-2}" CHECK_LOGS=/check_logs \
        /src/script/check.sh $stages
    if [ -n "${CHECK_LOGS:-}" ] && [ -e "$tree/check_logs" ]; then
        mkdir -p "$CHECK_LOGS"
        cp -r "$tree/check_logs" "$CHECK_LOGS/$version"
    fi
    return "$STATUS"
}

# The lines that script/check.sh says, each with its version, and in the log.
check() {
    local check=check_tree
    [ "$1" != "$HERE" ] || check=check_here
    "$check" "$1" 2>&1 | tee -a "$WORK/$1.log" | sed -u "s/^/[$1] /"
}

# release VERSION: of the PostgreSQL that was tested.
release() {
    local tree=
    [ "$1" = "$HERE" ] || tree=$TREES/$1
    "$tree/usr/lib/postgresql/$1/bin/postgres" --version 2>/dev/null | sed 's/^[^0-9]*//; s/ .*//' || true
}

table() {
    local version stage
    printf '\n%-9s %-8s' PostgreSQL ''
    # shellcheck disable=SC2086
    printf '%8s' $STAGES
    echo
    for version in "${VERSIONS[@]}"; do
        printf '%-9s %-8s' "$version" "$(cat "$WORK/$version.release")"
        for stage in $STAGES; do
            printf '%8s' "$(awk -v stage="$stage" '$2 == stage && ($1 == "ok" || $1 == "FAILED") { found = $1 } END { print found ? found : "-" }' "$WORK/$version.log")"
        done
        echo
    done
}

HERE=$("${PG_CONFIG:-pg_config}" --version | sed 's/^[^0-9]*\([0-9]*\).*/\1/')
VERSIONS=("$@")
[ $# -gt 0 ] || VERSIONS=("$HERE" 17 18)

for version in "${VERSIONS[@]}"; do
    [ "$version" = "$HERE" ] || suite_of "$version" >/dev/null
done
for version in "${VERSIONS[@]}"; do
    attempt check "$version"
    [ "$STATUS" -eq 0 ] || FAILED="$FAILED $version"
    release "$version" >"$WORK/$version.release"
    [ -n "${ECHOSYNC_TREES:-}" ] || tree_remove "$TREES/$version"
done
table
if [ -n "$FAILED" ]; then
    echo "FAILED:$FAILED"
    exit 1
fi
