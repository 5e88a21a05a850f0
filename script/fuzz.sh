#!/bin/bash
# Feeds what parses foreign bytes with bytes, by libFuzzer, AddressSanitizer
# and UBSan, in a single-user server on a throwaway cluster.
#
#   script/fuzz.sh                  every target, FUZZ_SECONDS each (20)
#   script/fuzz.sh json phone       these targets
#   script/fuzz.sh json FILE...     these inputs, once each: what was found, again
#   script/fuzz.sh replay           the kept inputs, once each: no clang, no sanitizers
#
# The kept inputs are in test/fuzz/corpus; FUZZ_KEEP=1 adds what reaches code
# that they do not.  What breaks is put into FUZZ_CRASHES (test/fuzz/crashes),
# and the command that shows it again is printed.
# BUILT=DIR: of replay, a tree in which the library is built, and COPT how.

# shellcheck source-path=SCRIPTDIR source=sandbox.sh disable=SC1091
. "$(dirname "$0")/sandbox.sh"

FUZZ_SECONDS=${FUZZ_SECONDS:-20}
FUZZ_CRASHES=${FUZZ_CRASHES:-$ROOT/test/fuzz/crashes}
CORPUS=$ROOT/test/fuzz/corpus
WORK=$SANDBOX/fuzz
FAILED=

# What a backend gets into its environment: the keys of the target sealed.
SERVER_ENV=(
    INTEGRATION_ENCRYPTION_KEY=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
    INTEGRATION_ENCRYPTION_SALT=fedcba9876543210
    INTEGRATION_ENCRYPTION_KEY_PREVIOUS=00000000000000000000000000000000000000000000000000000000000000ff
    WEBHOOK_SECRET=webhook-secret
)

# One that has libFuzzer.
find_clang() {
    local name
    for name in "${CLANG:-}" clang clang-14; do
        if [ -n "$name" ] && command -v "$name" >/dev/null &&
           [ -e "$("$name" -print-file-name=libclang_rt.fuzzer_no_main-x86_64.a)" ]; then
            echo "$name"
            return
        fi
    done
    echo "no clang with libFuzzer was found: script/packages.sh fuzz" >&2
    return 1
}

# In the tree nothing is written: the objects go into the sandbox.
build() {
    local clang=$1 out=$WORK/build
    mkdir -p "$out"
    if [ -n "$clang" ]; then
        set -- CC="$clang" LIBFUZZER=1
    else
        [ -n "${BUILT:-}" ] || { sandbox_build; BUILT=$SANDBOX/build; }
        set -- CC=gcc BUILT="$BUILT" COPT="${COPT:-}"
    fi
    if ! make -s -j2 -C "$ROOT/test/fuzz" PG_CONFIG="$PG_CONFIG" OUT="$out" "$@" >"$WORK/build.log" 2>&1; then
        cat "$WORK/build.log" >&2
        return 1
    fi
}

# The sanitizer's runtime, and what lets it start in a server (test/sanitize/first.c).
preload() {
    local clang=$1
    "$clang" -shared -fPIC -Wl,-z,initfirst -o "$WORK/first.so" "$ROOT/test/sanitize/first.c"
    SERVER_ENV+=(
        LD_PRELOAD="$("$clang" -print-file-name=libclang_rt.asan-x86_64.so) $WORK/first.so"
        ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1
        ASAN_SYMBOLIZER_PATH="$(PATH=$PATH:/usr/lib/llvm-14/bin command -v llvm-symbolizer || true)"
    )
}

# One statement a line.
single_user() {
    as_postgres env "${SERVER_ENV[@]}" "$PGBIN/postgres" --single -D "$WORK/data" postgres
}

make_cluster() {
    mkdir -p "$WORK/crashes" "$WORK/corpus"
    cp -r "$CORPUS" "$WORK"
    [ "$(id -u)" -ne 0 ] || { chmod 755 "$SANDBOX"; chown -R postgres: "$WORK"; }
    as_postgres "$PGBIN/initdb" -D "$WORK/data" -A trust -U postgres -E UTF8 --locale=C.UTF-8 -N \
        >"$WORK/initdb.log" 2>&1 || { cat "$WORK/initdb.log" >&2; return 1; }
    single_user >"$WORK/setup.log" 2>&1 <<EOF_SQL
CREATE FUNCTION echosync_fuzz(text, text[]) RETURNS int AS '$WORK/build/fuzz.so' LANGUAGE C
CREATE TABLE fuzz_leads (id bigint, user_id text, owner text, phone text, "Mobile Phone" text, first_name text, last_name text, email text, address text, city text, state text, zip text, risk_score numeric, dnc boolean, is_dnc boolean, "opted""out" text, tags text[], notes text, source text, deleted_at timestamptz, n1 int, n2 int, n3 int, n4 int, n5 int, n6 int, n7 int, n8 int, n9 int)
EOF_SQL
}

quoted() { printf "'%s'" "${1//\'/\'\'}"; }

# run TARGET ARGUMENT...: the target's log is in $WORK/TARGET.log.
run() {
    local target=$1 list=
    shift
    for argument in "$@"; do
        list="$list${list:+, }$(quoted "$argument")"
    done
    echo "SELECT echosync_fuzz('$target', ARRAY[$list]::text[])" |
        single_user >"$WORK/$target.out" 2>"$WORK/$target.log" &&
        grep -qE '^(Done|Executed) ' "$WORK/$target.log" &&
        ! grep -q 'runtime error: ' "$WORK/$target.log"
}

show_failure() {
    local target=$1 crash kept
    FAILED="$FAILED $target"
    # of the stack, what is ours
    sed -nE "s|$ROOT/||; /^BROKEN|^AN ERROR|ERROR:|DETAIL:|runtime error|SUMMARY|(src|test)\/.*\.[ch]:[0-9]+|is located|FATAL|PANIC/p" \
        "$WORK/$target.log" | tail -n 40 | sed 's/^/    /'
    for crash in "$WORK/crashes/$target"-*; do
        [ -e "$crash" ] || continue
        mkdir -p "$FUZZ_CRASHES"
        kept=$FUZZ_CRASHES/$(basename "$crash")
        cp "$crash" "$kept"
        echo "  again: script/fuzz.sh $target ${kept#"$PWD"/}"
    done
    # not by libFuzzer: the input that was the last
    sed -n 's/^Running: //p' "$WORK/$target.log" | tail -n 1 | while read -r crash; do
        echo "  input: $(basename "$crash")"
    done
}

# What the corpus lacks; see test/fuzz/choose.py.
keep() {
    local target=$1 inputs=$WORK/corpus/$1 control=$WORK/$1.control name
    find "$inputs" -type f >"$WORK/$target.files"
    { wc -l <"$WORK/$target.files"; echo 0; cat "$WORK/$target.files"; } >"$control"
    [ "$(id -u)" -ne 0 ] || chown postgres: "$control"
    run "$target" -merge_inner=1 -merge_control_file="$control" || true
    python3 -B "$ROOT/test/fuzz/choose.py" "$control" "$CORPUS/$target" | while read -r name; do
        install -m 644 "$inputs/$name" "$CORPUS/$target/$name"
        echo "  kept: test/fuzz/corpus/$target/$name"
    done
}

fuzz() {
    local target=$1 dictionary=$ROOT/test/fuzz/dict/$1.dict
    shift
    set -- -max_total_time="$FUZZ_SECONDS" -timeout=10 -max_len=4096 -rss_limit_mb=2048 \
        -artifact_prefix="$WORK/crashes/$target-" "$WORK/corpus/$target"
    [ ! -e "$dictionary" ] || set -- -dict="$dictionary" "$@"
    if run "$target" "$@"; then
        printf 'ok      %-14s %s\n' "$target" "$(grep '^Done' "$WORK/$target.log"), $(sed -nE 's/.*(cov: [0-9]+).*(corp: [0-9]+).*/\1, \2/p' "$WORK/$target.log" | tail -n 1)"
    else
        printf 'FAILED  %s\n' "$target"
        show_failure "$target"
    fi
    [ -z "${FUZZ_KEEP:-}" ] || keep "$target"
}

# Inputs, once each.  The target runs as another user, who may not read them.
once() {
    local target=$1
    shift
    rm -rf "$WORK/once"
    mkdir "$WORK/once"
    cp -r "$@" "$WORK/once"
    chmod -R a+rX "$WORK/once"
    if run "$target" "$WORK/once"/*; then
        printf 'ok      %-14s %s inputs\n' "$target" "$(find "$WORK/once" -type f | wc -l)"
    else
        printf 'FAILED  %s\n' "$target"
        show_failure "$target"
    fi
}

targets() { find "$CORPUS" -mindepth 1 -maxdepth 1 -type d -printf '%f\n' | LC_ALL=C sort; }

mkdir -p "$WORK"
if [ "${1:-}" = replay ]; then
    build ''
    make_cluster
    for target in $(targets); do once "$target" "$CORPUS/$target"; done
else
    clang=$(find_clang)
    build "$clang"
    preload "$clang"
    make_cluster
    if [ $# -gt 1 ] && [ -e "$2" ]; then
        once "$@"
    else
        # shellcheck disable=SC2046
        [ $# -gt 0 ] || set -- $(targets)
        for target in "$@"; do fuzz "$target"; done
    fi
fi
if [ -n "$FAILED" ]; then
    echo "FAILED:$FAILED"
    exit 1
fi
