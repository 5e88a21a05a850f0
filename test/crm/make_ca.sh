#!/bin/sh
# Makes what the fakes need for TLS in the directory $1, unless it is there already:
#   ca.pem                        the CA that clients trust
#   server.pem, server.key        for localhost and 127.0.0.1
#   expired, wrong_name           from the same CA, but out of date / for another host
#   untrusted                     for localhost, from a CA nobody knows
# Keys are for tests only and have no passphrase.
set -eu

dir=$1
[ -f "$dir/untrusted.pem" ] && exit 0
mkdir -p "$dir"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

new_ca() {   # name, subject
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -days 3650 -subj "/CN=$2" \
        -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign \
        -keyout "$work/$1.key" -out "$work/$1.pem" 2>/dev/null
}

new_leaf() {   # name, ca, subjectAltName, start, end
    openssl req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -sha256 -subj "/CN=fake CRM" \
        -keyout "$work/$1.key" -out "$work/$1.csr" 2>/dev/null
    : > "$work/index.txt"
    cat > "$work/ca.conf" <<END
[ca]
default_ca = this
[this]
database = $work/index.txt
new_certs_dir = $work
rand_serial = yes
policy = policy
default_md = sha256
[policy]
commonName = supplied
[leaf]
subjectAltName = $3
extendedKeyUsage = serverAuth
basicConstraints = CA:FALSE
END
    openssl ca -batch -notext -config "$work/ca.conf" -extensions leaf -startdate "$4" -enddate "$5" \
        -cert "$work/$2.pem" -keyfile "$work/$2.key" -in "$work/$1.csr" -out "$work/$1.pem" 2>/dev/null
}

here=DNS:localhost,IP:127.0.0.1
new_ca ca "echosync test CA"
new_ca stranger "somebody else's CA"
new_leaf server ca "$here" 20200101000000Z 20491231000000Z
new_leaf expired ca "$here" 20200101000000Z 20200201000000Z
new_leaf wrong_name ca DNS:elsewhere.example 20200101000000Z 20491231000000Z
new_leaf untrusted stranger "$here" 20200101000000Z 20491231000000Z

for name in ca server expired wrong_name untrusted; do
    for kind in key pem; do
        [ "$name.$kind" = ca.key ] || mv "$work/$name.$kind" "$dir/$name.$kind"
    done
done
