#!/usr/bin/env bash
# ./certificate.sh FOLDER: an authority (ca.pem), once, and a new certificate for localhost from it (tls.crt, tls.key).
set -euo pipefail
mkdir -p "$1"
cd "$1"

new_key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

if [[ ! -e ca.pem ]]; then
    openssl req -x509 "${new_key[@]}" -keyout ca.key -out ca.pem -days 365 -subj "/CN=example authority" 2>openssl.log
fi
openssl req "${new_key[@]}" -keyout tls.key.new -out tls.csr -subj "/CN=localhost" 2>>openssl.log
openssl x509 -req -in tls.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -out tls.crt.new \
    -extfile <(echo "subjectAltName=DNS:localhost,IP:127.0.0.1") 2>>openssl.log

# Each file is swapped whole. Should Outrider look between the two, it keeps the certificate it has, and looks again.
mv tls.key.new tls.key
mv tls.crt.new tls.crt
