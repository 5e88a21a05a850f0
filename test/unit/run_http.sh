#!/bin/sh
#
# Build http_test in a temporary directory and run it against http_server.py.
# Prints TAP; exits 0 only if every test passed.
#
#	CC=clang test/unit/run_http.sh
#	WRAPPER="valgrind -q --leak-check=full --error-exitcode=9" HTTP_TEST_SLOWNESS=5 ...
#
set -eu

here=$(cd "$(dirname "$0")" && pwd)
src=$here/../../src
dir=$(mktemp -d)
server=

finish()
{
	status=$?
	exec 3>&-
	if [ -n "$server" ]; then
		wait "$server" || true
	fi
	rm -rf "$dir"
	exit "$status"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP

# make_ca NAME
make_ca()
{
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/$1.key" -out "$dir/$1.crt" -subj "/CN=echosync test $1" \
		-days 2 2>>"$dir/openssl.log"
}

# make_certificate NAME CA END SUBJECT_ALT_NAME
make_certificate()
{
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$dir/$1.key" -out "$dir/$1.csr" -subj "/CN=echosync test" \
		2>>"$dir/openssl.log"
	: >"$dir/index.txt"
	cat >"$dir/ca.conf" <<END
[ca]
default_ca = this
[this]
database = $dir/index.txt
new_certs_dir = $dir
rand_serial = yes
policy = policy
default_md = sha256
[policy]
commonName = supplied
[leaf]
subjectAltName = $4
END
	# openssl x509 cannot make one that has expired, from OpenSSL 3.4 on
	openssl ca -batch -notext -config "$dir/ca.conf" -extensions leaf \
		-startdate 20200101000000Z -enddate "$3" -cert "$dir/$2.crt" \
		-keyfile "$dir/$2.key" -in "$dir/$1.csr" -out "$dir/$1.crt" \
		2>>"$dir/openssl.log"
}

names=IP:127.0.0.1,DNS:good.test,DNS:hang.test,DNS:missing.test
make_ca ca
make_ca otherca
make_certificate good ca 20491231000000Z "$names"
make_certificate wrongname ca 20491231000000Z DNS:else.test
make_certificate expired ca 20200201000000Z "$names"
make_certificate unknown otherca 20491231000000Z "$names"

warnings="-Wall -Wextra -Werror -Wmissing-prototypes -Wpointer-arith
	-Wdeclaration-after-statement -Wformat-security -Wvla"
case $(${CC:-cc} --version) in
	*clang*) warnings="$warnings -Wshadow" ;;
	*) warnings="$warnings -Wshadow=compatible-local" ;;
esac

# --wrap: the test looks at what our own files free
# shellcheck disable=SC2046
# shellcheck disable=SC2086
${CC:-cc} -std=gnu99 -O1 -g $warnings ${CFLAGS:-} -I"$src" -I"$src/http" \
	-o "$dir/http_test" "$here/http_test.c" "$src"/http/*.c \
	-Wl,--wrap=free,--wrap=curl_slist_free_all \
	$(curl-config --libs) -ldl -lpthread

# the server ends when its standard input, our descriptor 3, is closed
mkfifo "$dir/alive"
"${PYTHON:-python3}" "$here/http_server.py" "$dir" "$dir/ports" <"$dir/alive" &
server=$!
exec 3>"$dir/alive"
while [ ! -e "$dir/ports" ]; do
	kill -0 "$server"
	sleep 0.05
done

if [ -n "${WRAPPER:-}" ]; then
	# what the test does to look at freed memory is what valgrind warns of
	export HTTP_TEST_WRAPPED=1
fi
# shellcheck disable=SC2086
HTTP_TEST_DIR=$dir ${WRAPPER:-} "$dir/http_test"
