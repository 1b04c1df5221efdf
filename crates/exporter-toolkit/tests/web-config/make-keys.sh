#!/bin/sh
# Makes the keys and certificates beside this script anew. They are for tests
# only, belong to nobody and are valid for a hundred years. The key of the
# authority is thrown away.
set -eu
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
days=36500

key() { openssl ecparam -name prime256v1 -genkey -noout | openssl pkcs8 -topk8 -nocrypt; }

# signed NAME SUBJECT EXTENSIONS: a certificate of the authority for NAME.key
signed() {
    openssl req -new -key "$1.key" -subj "$2" -out "$work/$1.csr"
    printf '%b' "$3" >"$work/$1.ext"
    openssl x509 -req -in "$work/$1.csr" -CA ca.pem -CAkey "$work/ca.key" \
        -set_serial "0x$(openssl rand -hex 8)" -days $days -extfile "$work/$1.ext" -out "$1.pem"
}

# listed NAME EXTENSION: a self-signed client certificate that may also sign
listed() {
    key >"$1.key"
    openssl req -x509 -new -key "$1.key" -subj "/CN=$1" -days $days -out "$1.pem" \
        -addext 'extendedKeyUsage=clientAuth' -addext "$2"
}

key >"$work/ca.key"
openssl req -x509 -new -key "$work/ca.key" -subj '/CN=test authority' -days $days -out ca.pem

server='subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n'
key >server.key
signed server '/CN=localhost' "$server"
openssl genpkey -quiet -algorithm RSA -pkeyopt rsa_keygen_bits:2048 >rsa.key
signed rsa '/CN=localhost' "$server"

client='extendedKeyUsage=clientAuth\nbasicConstraints=CA:FALSE\nsubjectAltName='
key >client.key
signed client '/CN=scraper' "${client}DNS:scraper.example,email:scraper@example.net,IP:192.0.2.7,IP:2001:db8::7,URI:spiffe://example/scraper\n"
listed selfsigned 'subjectAltName=DNS:selfsigned.example'
listed stranger 'subjectAltName=DNS:selfsigned.example'

# For the case of an encrypted key.
openssl pkcs8 -topk8 -in server.key -passout pass:test -out encrypted.key
