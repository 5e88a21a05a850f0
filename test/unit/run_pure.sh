#!/bin/sh
# Builds the tests of code that knows nothing of PostgreSQL, with warnings as
# errors and the sanitizers on, and runs them.  Prints their TAP, each under
# its name; fails when one does.  Leaves nothing behind.
set -eu

root=$(cd "$(dirname "$0")/../.." && pwd)
build=$(mktemp -d)
trap 'rm -rf "$build"' EXIT

failed=0
for file in crm/phone crm/retry_after worker/limits; do
	name=${file#*/}
	${CC:-gcc} -std=gnu99 -g -O1 -Wall -Wextra -Werror \
		-fsanitize=address,undefined -fno-sanitize-recover=all \
		-I"$root/src" -o "$build/$name" \
		"$root/test/unit/${name}_test.c" "$root/src/$file.c"
	echo "# $name"
	"$build/$name" || failed=1
done

# Debian's Python has the oracle's package.
${CC:-gcc} -std=gnu99 -O1 -Wall -Wextra -Werror -I"$root/src" -o "$build/phone_lines" \
	"$root/test/unit/phone_lines.c" "$root/src/crm/phone.c"
echo "# phone_oracle"
/usr/bin/python3 -B "$root/test/unit/phone_oracle.py" "$build/phone_lines" || failed=1
exit $failed
