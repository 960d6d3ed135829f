#!/usr/bin/env bash
# The model of ../grpc behind Outrider with TLS: calls over HTTP/1.1, HTTP/2 and gRPC, then a new certificate without a restart.
# Needs: pip install outrider, curl and openssl
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

folder=$(mktemp -d)
./certificate.sh "$folder"

python3 ../grpc/model.py &
model=$!

OUTRIDER_LISTEN=0.0.0.0:8000,0.0.0.0:8001 \
OUTRIDER_UPSTREAM=http://127.0.0.1:8080,http://127.0.0.1:8081 \
OUTRIDER_READY=http:/v2/health/ready,grpc \
OUTRIDER_TLS_CERT=$folder/tls.crt \
OUTRIDER_TLS_KEY=$folder/tls.key \
OUTRIDER_DRAIN_DELAY=0s \
    outrider run &
outrider=$!
trap 'kill "$outrider" "$model" 2>/dev/null; wait; rm -r "$folder"' EXIT

until curl --silent --fail localhost:9465/readyz >/dev/null; do kill -0 "$outrider"; sleep 0.2; done

houses='{"inputs": [{"name": "features", "datatype": "FP32", "shape": [2, 2], "data": [52, 12, 97, 8]}]}'
call=(curl --silent --show-error --fail --max-time 10 --cacert "$folder/ca.pem")
version='\n(HTTP/%{http_version}, status %{http_code})\n'

printf '\n== HTTP/1.1\n'
"${call[@]}" --http1.1 --write-out "$version" --data "$houses" https://localhost:8000/v2/models/houses/infer

# Bytes pass as they are, so clients are offered HTTP/2 only where the model server understands it: on the gRPC port.
printf '\n== HTTP/2 asked for: the REST port, then the gRPC port with an empty message for its health check\n'
"${call[@]}" --http2 --write-out "$version" --output /dev/null https://localhost:8000/v2/health/ready
printf '\0\0\0\0\0' | "${call[@]}" --http2 --write-out "$version" --output /dev/null --data-binary @- \
    --header 'content-type: application/grpc' --header 'te: trailers' https://localhost:8001/grpc.health.v1.Health/Check

printf '\n== a client of gRPC\n'
python3 ../grpc/client.py --ca "$folder/ca.pem"

printf '\n== a new certificate\n'
serial() { openssl s_client -connect localhost:8000 </dev/null 2>/dev/null | openssl x509 -noout -serial; }
before=$(serial)
./certificate.sh "$folder"
until [[ $(serial) != "$before" ]]; do sleep 0.5; done # files are looked at every five seconds; SIGHUP has them read at once
echo "before: $before"
echo "now:    $(serial)"
"${call[@]}" --write-out "$version" --output /dev/null https://localhost:8000/v2/health/ready
