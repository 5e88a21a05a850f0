# SANITIZE=1 script/check.sh: the library built with AddressSanitizer and
# UBSan, memory contexts guarded (test/sanitize), in a server that has the
# sanitizer preloaded.  To be sourced, by sandbox.sh.
#
# Reports go where the server's stderr goes: its log.  A stage looks for them.
# shellcheck shell=bash

# After sandbox_server, when the tree is copied and not built yet.
sandbox_sanitize() {
    local first=$SANDBOX/first.so
    cp "$ROOT/test/sanitize/guarded_memory.c" "$SANDBOX/build/src"
    gcc -shared -fPIC -Wl,-z,initfirst -o "$first" "$ROOT/test/sanitize/first.c"

    # without -fwrapv, which PostgreSQL is built with, overflows are seen
    # shellcheck disable=SC2034
    SANDBOX_MAKE=(COPT="-O1 -fno-lto -fno-wrapv -fno-omit-frame-pointer -fsanitize=address,undefined")

    # PostgreSQL frees nothing at exit, and looks at the address of its stack
    mv "$PGBIN/postgres" "$PGBIN/postgres.bin"
    cat >"$PGBIN/postgres" <<EOF_SH
#!/bin/bash
export LD_PRELOAD="$(gcc -print-file-name=libasan.so) $first \${LD_PRELOAD:-}"
export ASAN_OPTIONS=detect_leaks=0:detect_stack_use_after_return=0:allocator_may_return_null=1:abort_on_error=1:quarantine_size_mb=16
exec -a "\$0" "$PGBIN/postgres.bin" "\$@"
EOF_SH
    chmod 755 "$PGBIN/postgres"
    export ECHOSYNC_TEST_TIMEOUT=${ECHOSYNC_TEST_TIMEOUT:-180}
}

# A stage of check.sh: the logs of the servers that ran have no report.
reports() {
    local places=() place
    for place in regress/log tap/tmp_check/log server.log; do
        [ ! -e "$SANDBOX/$place" ] || places+=("$SANDBOX/$place")
    done
    echo "# summary: no report of a sanitizer in $(find "${places[@]}" -type f | wc -l) logs"
    ! grep -rhE -A 40 '^==[0-9]+==ERROR: |runtime error: ' "${places[@]}"
}
