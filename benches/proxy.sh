#!/usr/bin/env bash
# What the fault proxy costs beside nginx as a plain reverse proxy and toxy, a fault proxy from npm, in one run.
#
#   benches/proxy.sh [SECONDS] [ROUNDS]     defaults: 5 3
#
# An nginx answers on the first core, where wrk asks too; whoever stands between has the second core to itself.
# Programs take turns, round by round. See benches/README.md for what each figure means.
set -euo pipefail
source "$(dirname "$0")/responder.sh"
need wrk nginx jq python3 npm node

seconds=${1:-5} rounds=${2:-3}
cargo build --profile "${PROFILE:-release}" 2>"$work/build" || { cat "$work/build" >&2; exit 1; }
brownout=${CARGO_TARGET_DIR:-target}/${PROFILE:-release}/brownout
npm install --silent --no-fund --no-audit --prefix "$work/toxy" toxy@0.3.16 >/dev/null 2>&1 || echo "toxy cannot be installed: it is left out" >&2

declare -A at pid
# Remembers who listens where: `stands NAME PORT PID`.
stands() {
    at[$1]=$2 pid[$1]=$3
    listening "$2"
}

stand_nginx() {
    serve 1 8441 <<CONF
    upstream target { server 127.0.0.1:$port; keepalive 256; keepalive_requests 1000000000; }
    server {
        listen 127.0.0.1:8441;
        location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host; }
    }
CONF
    stands nginx 8441 "$(cat "$work/nginx-8441.pid")"
    pid[nginx]=$(pgrep -P "${pid[nginx]}")
}

# `stand_brownout NAME PORT RULES`: RULES is a file of [[fault]] tables.
stand_brownout() {
    sed -e "s#\${port}#$port#; s#\${listen}#127.0.0.1:$2#" benches/proxy.toml | cat - "$3" >"benches/.$1.toml"
    taskset -c 1 "$brownout" proxy --quiet --force --out "$work/$1" "benches/.$1.toml" >"$work/$1.out" 2>&1 &
    started+=($!)
    stands "$1" "$2" $!
    rm "benches/.$1.toml"
}

stand_toxy() {
    [ -d "$work/toxy/node_modules/toxy" ] || return 0
    cat >"$work/toxy/proxy.js" <<JS
const toxy = require('toxy'), proxy = toxy();
proxy.forward('http://127.0.0.1:$port').all('/*');
proxy.poison(toxy.poisons.latency({ jitter: 1 })).rule(toxy.rules.probability(0));
proxy.listen(8443);
JS
    taskset -c 1 node "$work/toxy/proxy.js" >"$work/toxy.out" 2>&1 &
    started+=($!)
    stands toxy 8443 $!
}

# CPU seconds that a process has used: "user system".
used() {
    awk -v tick="$(getconf CLK_TCK)" '{ print $14 / tick, $15 / tick }' "/proc/$1/stat"
}

rss_kb() {
    awk '/VmRSS/ { print $2 }' "/proc/$1/status"
}

# wrk on the first core, against a port: `ask PORT CONNECTIONS SECONDS [OPTIONS]`; its report is in $work/wrk.
ask() {
    local where=$1 connections=$2 for=$3
    shift 3
    taskset -c 0 wrk -t1 -c"$connections" -d"${for}s" --latency "$@" "http://127.0.0.1:$where/v1/models" >"$work/wrk"
}

answered() {
    sed -n 's/^ *\([0-9][0-9]*\) requests in .*/\1/p' "$work/wrk"
}

percentile() {
    awk -v which="$1%" '$1 == which { v = $2; if (v ~ /us$/) f = 1; else if (v ~ /ms$/) f = 1000; else f = 1e6; sub(/[a-z]+$/, "", v); print v * f }' "$work/wrk"
}

answer
cat >"$work/silent.toml" <<'TOML'
[[fault]]
name = "never drawn"
match = { path = "/v1/**" }
chance = "0%"
respond = { error = "RATE_LIMIT_EXCEEDED", retry_after = "2s" }
[[fault]]
name = "another path"
match = { path = "/v2/**", method = ["POST"] }
reset = true
TOML
cat >"$work/delay.toml" <<'TOML'
[[fault]]
name = "ten milliseconds"
delay = "10ms"
TOML
stand_nginx
stand_brownout brownout 8442 "$work/silent.toml"
stand_toxy
who=(nginx brownout)
[ -z "${pid[toxy]:-}" ] || who+=(toxy)

echo "# cost per request through each, 64 connections; load average $(cut -d' ' -f1-3 /proc/loadavg)"
for _ in $(seq "$rounds"); do
    for name in "${who[@]}"; do
        before=$(used "${pid[$name]}")
        ask "${at[$name]}" 64 "$seconds"
        after=$(used "${pid[$name]}")
        echo "$name $(answered) $(echo "$before $after" | awk '{ print $3 - $1, $4 - $2 }')"
    done
done | costs

echo "# latency at one connection, µs: p50 of each round, straight to the target first"
for name in target "${who[@]}"; do
    printf '%-10s' "$name"
    for _ in $(seq "$rounds"); do ask "$([ "$name" = target ] && echo "$port" || echo "${at[$name]}")" 1 2; printf ' %7.1f' "$(percentile 50)"; done
    echo
done

echo "# a delay of 10 ms, 52 connections (about 5000/s): latency in µs"
stand_brownout delayed 8444 "$work/delay.toml"
for _ in $(seq "$rounds"); do
    ask 8444 52 "$seconds"
    echo "$(($(answered) / seconds))/s: p50 $(percentile 50), p90 $(percentile 90), p99 $(percentile 99)"
done

echo "# memory per idle connection, each of 5000 having had one answer"
for name in "${who[@]}"; do
    python3 - "${at[$name]}" "${pid[$name]}" "$name" <<'PY'
import resource, socket, sys
port, pid, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
def rss():
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))
def opened(n):
    conns = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port)); s.settimeout(10)
        s.sendall(b"GET /v1/models HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        got = b""
        while b'"retry_after"' not in got:
            part = s.recv(4096)
            if not part: raise SystemExit(f"{name}: closed after {len(conns)} connections")
            got += part
        conns.append(s)
    return conns
opened(50)
before = rss()
conns = opened(int(min(5000, hard - 100)))
print(f"{name}: {(rss() - before) / len(conns):.1f} KiB each of {len(conns)}")
PY
done

[ "${CHURN:-}" ] || { echo "# CHURN=1000000 opens so many connections one after the other, and shows what that leaves"; exit 0; }
echo "# memory over $CHURN connections of one request each"
opened=0
while [ "$opened" -lt "$CHURN" ]; do
    ask 8442 32 10 -H 'Connection: close'
    opened=$((opened + $(answered)))
    echo "$opened connections: $(rss_kb "${pid[brownout]}") KiB"
done
