#!/bin/sh
# Takes the code that is here now into use while people go on: run it as root, after `git pull`.
# One process after the other ends, hands its answers over, and comes back before the next one goes.
set -eu
cd "$(dirname "$0")/.."

: "${PORTS:=8001 8002}"
: "${BACKUPS:=/var/lib/ferryline/backups}"
: "${INSTALL:=python3 chatsite/bootstrap.py --without-env}"
# What runs manage.py as the server does: the same user, the same settings.
: "${MANAGE:=systemd-run --quiet --pipe --wait --collect --uid=ferryline --property=UMask=0077
    --property=EnvironmentFile=/etc/ferryline/ferryline.env --working-directory=$PWD
    --property=StateDirectory=ferryline/backups
    $PWD/.venv/bin/python manage.py}"
# Its last word is the port.
: "${RESTART:=systemctl restart ferryline@}"
: "${START_SECONDS:=60}"

ready() {
  # It is this machine: a proxy that is meant for others is not asked.
  no_proxy='*' .venv/bin/python -c "import sys, urllib.request
urllib.request.urlopen('http://127.0.0.1:' + sys.argv[1] + '/readyz', timeout=4)" "$1" 2>/dev/null
}

$INSTALL
$MANAGE backup "$BACKUPS/before-$(date -u +%Y-%m-%dT%H%M%SZ).zip"
$MANAGE setup
for port in $PORTS; do
  $RESTART"$port"
  tries=0
  until ready "$port"; do
    tries=$((tries + 1))
    if [ "$tries" -ge "$START_SECONDS" ]; then
      echo "The process on port $port does not get ready; the others run on as they were." >&2
      exit 1
    fi
    sleep 1
  done
  echo "The process on port $port is new."
done
