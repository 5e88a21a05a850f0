#!/bin/bash
# The share of lines and branches of the library that the suite runs on its
# clusters (gcov), file by file, and the functions that it does not run at all.
# Processes that are killed take their counts with them, and the tests of
# test/unit have a build of their own: what only they run counts as not run.
# test/coverage.md says why the rest is not.
#
#   script/coverage.sh             regress, pgtap and tap
#   script/coverage.sh regress     these stages only
#   COVERAGE_REPORT=DIR            and an HTML report there, line by line
# TESTS, TAP_JOBS and CHECK_LOGS=DIR as in script/check.sh.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
COVERAGE=$(mktemp -d)
export COVERAGE
trap 'rm -rf "$COVERAGE"' EXIT

# Servers that count are slower.
export ECHOSYNC_TEST_TIMEOUT=${ECHOSYNC_TEST_TIMEOUT:-180} TAP_JOBS=${TAP_JOBS:-2}
status=0
# shellcheck disable=SC2068
"$ROOT/script/check.sh" ${@:-regress pgtap tap} || status=$?
[ -e "$COVERAGE/coverage.info" ] || exit 1

# One record a file: SF, then FNDA:hits,name  DA:line,hits  BRDA:line,block,branch,hits.
awk -F '[:,]' '
    function share(n, of) { return of ? sprintf("%5.1f %%", 100 * n / of) : "      -" }
    /^SF:/ { file = $2 }
    /^DA:/ { lines[file]++; all_lines++; if ($3 > 0) { run[file]++; all_run++ } }
    /^BRDA:/ { ways[file]++; all_ways++; if ($5 > 0) { taken[file]++; all_taken++ } }
    /^FNDA:0,/ { idle = idle "\n  " file " " $3 }
    /^end_of_record/ { order[++n] = file }
    END {
        printf "\n%-36s %8s %8s\n", "file", "lines", "branches"
        for (i = 1; i <= n; i++)
            printf "%-36s %s  %s\n", order[i], share(run[order[i]], lines[order[i]]), share(taken[order[i]], ways[order[i]])
        printf "%-36s %s  %s   %d of %d lines, %d of %d branches\n", "all", share(all_run, all_lines), share(all_taken, all_ways), all_run, all_lines, all_taken, all_ways
        print "\nFunctions that did not run:" (idle ? idle : " none")
    }' "$COVERAGE/coverage.info"
if [ -n "${COVERAGE_REPORT:-}" ]; then
    cd "$ROOT"
    genhtml --quiet --branch-coverage --output-directory "$COVERAGE_REPORT" "$COVERAGE/coverage.info"
    cp "$COVERAGE/coverage.info" "$COVERAGE_REPORT"
fi
exit "$status"
