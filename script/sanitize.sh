# SANITIZE=1 script/check.sh: the library built with AddressSanitizer and
# UBSan, memory contexts guarded (test/sanitize), in a server that has the
# sanitizer preloaded.  To be sourced, by sandbox.sh.
#
# Reports are files in REPORTS; the tests pass only if there is none.
# shellcheck shell=bash

REPORTS=$SANDBOX/reports

# After sandbox_server, when the tree is copied and not built yet.
sandbox_sanitize() {
    local options first=$SANDBOX/first.so
    mkdir "$REPORTS"
    chmod 1777 "$REPORTS"
    cp "$ROOT/test/sanitize/guarded_memory.c" "$SANDBOX/build/src"
    gcc -shared -fPIC -Wl,-z,initfirst -o "$first" "$ROOT/test/sanitize/first.c"

    # without -fwrapv, which PostgreSQL is built with, overflows are seen
    # shellcheck disable=SC2034
    SANDBOX_MAKE=(COPT="-O1 -fno-lto -fno-wrapv -fno-omit-frame-pointer -fsanitize=address,undefined")

    # PostgreSQL frees nothing at exit, and looks at the address of its stack
    options=log_path=$REPORTS/report:detect_leaks=0:detect_stack_use_after_return=0
    mv "$PGBIN/postgres" "$PGBIN/postgres.bin"
    cat >"$PGBIN/postgres" <<EOF_SH
#!/bin/bash
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $first"
export ASAN_OPTIONS=$options:abort_on_error=1:allocator_may_return_null=1
export UBSAN_OPTIONS=log_path=$REPORTS/report:print_stacktrace=1
exec -a "\$0" "$PGBIN/postgres.bin" "\$@"
EOF_SH
    chmod 755 "$PGBIN/postgres"
    export ECHOSYNC_TEST_TIMEOUT=${ECHOSYNC_TEST_TIMEOUT:-180}
}

# A stage of check.sh.
reports() {
    local file n=0
    for file in "$REPORTS"/*; do
        [ -e "$file" ] || continue
        n=$((n + 1))
        cat "$file"
    done
    echo "# summary: no report of a sanitizer"
    [ "$n" -eq 0 ]
}
