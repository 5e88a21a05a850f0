#!/bin/bash
# Writes doc/catalog.md from what COMMENT ON says, in a throwaway cluster.
# To be run after a change of src/sql; test/t/044_docs.pl says when it was not.

# shellcheck source-path=SCRIPTDIR source=sandbox.sh
. "$(dirname "${BASH_SOURCE[0]}")/sandbox.sh"

sandbox_build
sandbox_start_fakes
# shellcheck disable=SC2119
sandbox_start_cluster
sql -c 'CREATE EXTENSION echosync'
sql -A -t -f "$ROOT/script/catalog.sql" >"$SANDBOX/catalog.md"
cp "$SANDBOX/catalog.md" "$ROOT/doc/catalog.md"
echo "doc/catalog.md: $(wc -l <"$ROOT/doc/catalog.md") lines"
