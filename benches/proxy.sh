#!/usr/bin/env bash
# What the fault proxy costs beside nginx as a plain reverse proxy and mitmproxy, a fault proxy from PyPI, in one run.
#
#   benches/proxy.sh [SECONDS] [ROUNDS]     defaults: 5 3
#
# An nginx answers on the first core, where wrk asks too; whoever stands between has the second core to itself.
# Programs take turns, round by round. See benches/README.md for what each figure means.
set -euo pipefail
source "$(dirname "$0")/responder.sh"
need wrk nginx jq python3

seconds=${1:-5} rounds=${2:-3}
[ "${BROWNOUT:-}" ] || cargo build --profile "${PROFILE:-release}" 2>"$work/build" || { cat "$work/build" >&2; exit 1; }
brownout=${BROWNOUT:-${CARGO_TARGET_DIR:-target}/${PROFILE:-release}/brownout}
mitmdump=${MITMDUMP:-}
if [ -z "$mitmdump" ]; then
    if python3 -m venv "$work/mitm" && "$work/mitm/bin/pip" install --quiet mitmproxy==11.0.2 >/dev/null 2>&1; then
        mitmdump=$work/mitm/bin/mitmdump
    else
        echo "mitmproxy cannot be installed: it is left out" >&2
    fi
fi
ulimit -n "$(ulimit -Hn)"

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
        listen 127.0.0.1:8441 backlog=4096;
        location / { proxy_pass http://target; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host \$host; }
    }
CONF
    stands nginx 8441 "$(pgrep -P "${started[-1]}")"
}

# `stand_brownout NAME PORT RULES [BINARY]`: RULES is a file of [[fault]] tables.
stand_brownout() {
    local plan=benches/.$1.toml
    sed -e "s#\${port}#$port#; s#\${listen}#127.0.0.1:$2#" benches/proxy.toml | cat - "$3" >"$plan"
    taskset -c 1 "${4:-$brownout}" proxy --quiet --force --out "$work/$1" "$plan" >"$work/$1.out" 2>&1 &
    started+=($!)
    stands "$1" "$2" $!
    rm "$plan"
}

stand_mitmproxy() {
    [ "$mitmdump" ] || return 0
    # A rule that never fires, as the others have: 10 ms for another path.
    cat >"$work/rule.py" <<'PY'
import asyncio
async def request(flow):
    if flow.request.path.startswith("/v2/"):
        await asyncio.sleep(0.010)
PY
    taskset -c 1 "$mitmdump" --quiet --set confdir="$work/mitm" --set connection_strategy=lazy --mode "reverse:http://127.0.0.1:$port" \
        --listen-host 127.0.0.1 --listen-port 8443 -s "$work/rule.py" >"$work/mitm.out" 2>&1 &
    started+=($!)
    stands mitmproxy 8443 $!
}

# CPU seconds that a process has used: "user system".
used() {
    awk -v tick="$(getconf CLK_TCK)" '{ print $14 / tick, $15 / tick }' "/proc/$1/stat"
}

rss_kb() {
    awk '/VmRSS/ { print $2 }' "/proc/$1/status"
}

# wrk on the first core, against a port: `ask PORT CONNECTIONS SECONDS PATH [OPTIONS]`; its report is in $work/wrk.
ask() {
    local where=$1 connections=$2 for=$3 path=$4
    shift 4
    taskset -c 0 wrk -t1 -c"$connections" -d"${for}s" --latency "$@" "http://127.0.0.1:$where$path" >"$work/wrk"
    # For the last word of `recorded`; it is asked from another process.
    echo "$where $(answered)" >>"$work/asked"
}

answered() {
    sed -n 's/^ *\([0-9][0-9]*\) requests in .*/\1/p' "$work/wrk"
}

percentile() {
    awk -v which="$1%" '$1 == which { v = $2; if (v ~ /us$/) f = 1; else if (v ~ /ms$/) f = 1000; else f = 1e6; sub(/[a-z]+$/, "", v); print v * f }' "$work/wrk"
}

# Ends a brownout proxy and holds its book against wrk's: an attempt more for each connection that wrk left is no error.
recorded() {
    local counted
    kill -INT "${pid[$1]}"
    wait "${pid[$1]}" || true
    counted=$(awk -v port="$2" '$1 == port { n += $2 } END { print n + 0 }' "$work/asked")
    jq -r --argjson counted "$counted" '"\(.accounting.attempts // .accounting) attempts on record, \($counted) answered to wrk"' "$work/$1/report.json"
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
[ -z "${BEFORE:-}" ] || stand_brownout before 8445 "$work/silent.toml" "$BEFORE"
stand_mitmproxy
who=(nginx brownout)
[ -z "${pid[before]:-}" ] || who+=(before)
[ -z "${pid[mitmproxy]:-}" ] || who+=(mitmproxy)

for path in /v1/fine /v1/models; do
    echo "# cost per request through each, 64 connections, GET $path; load average $(cut -d' ' -f1-3 /proc/loadavg)"
    for _ in $(seq "$rounds"); do
        for name in "${who[@]}"; do
            before=$(used "${pid[$name]}")
            ask "${at[$name]}" 64 "$seconds" "$path"
            after=$(used "${pid[$name]}")
            echo "$name $(answered) $(echo "$before $after" | awk '{ print $3 - $1, $4 - $2 }')"
        done
    done | costs
done

echo "# latency at one connection, p50 of each round in µs, straight to the target first; load average $(cut -d' ' -f1-3 /proc/loadavg)"
for _ in $(seq "$((2 * rounds))"); do
    for name in target "${who[@]}"; do
        ask "$([ "$name" = target ] && echo "$port" || echo "${at[$name]}")" 1 1 /v1/fine
        printf '%s %.0f  ' "$name" "$(percentile 50)"
    done
    echo
done

echo "# a delay of 10 ms, 51 connections (about 5000/s): latency in µs; load average $(cut -d' ' -f1-3 /proc/loadavg)"
stand_brownout delayed 8444 "$work/delay.toml"
for _ in $(seq "$rounds"); do
    ask 8444 51 "$seconds" /v1/fine
    echo "$(($(answered) / seconds))/s: p50 $(percentile 50), p90 $(percentile 90), p99 $(percentile 99)"
done

echo "# memory per idle connection, each of 5000 having had one answer, 4 s before"
for name in "${who[@]}"; do
    taskset -c 0 python3 - "${at[$name]}" "${pid[$name]}" "$name" <<'PY'
import resource, socket, sys, time
port, pid, name = int(sys.argv[1]), sys.argv[2], sys.argv[3]
soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
def rss():
    return next(int(line.split()[1]) for line in open(f"/proc/{pid}/status") if line.startswith("VmRSS"))
def opened(n):
    conns = []
    for _ in range(n):
        s = socket.create_connection(("127.0.0.1", port)); s.settimeout(10)
        s.sendall(b"GET /v1/fine HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        got = b""
        while b'"m-2"' not in got:
            part = s.recv(4096)
            if not part: raise SystemExit(f"{name}: closed after {len(conns)} connections")
            got += part
        conns.append(s)
    return conns
some = opened(50)
before = rss()
conns = opened(int(min(5000, hard - 100)))
awake = rss()
time.sleep(4)
print(f"{name}: {(rss() - before) / len(conns):.1f} KiB each of {len(conns)} ({(awake - before) / len(conns):.1f} KiB at once)")
PY
done

if [ "${CHURN:-}" ]; then
    echo "# memory over $CHURN connections of one request each; load average $(cut -d' ' -f1-3 /proc/loadavg)"
    opened=0
    echo "0 connections: $(rss_kb "${pid[brownout]}") KiB"
    while [ "$opened" -lt "$CHURN" ]; do
        ask 8442 32 10 /v1/fine -H 'Connection: close'
        opened=$((opened + $(answered)))
        echo "$opened connections: $(rss_kb "${pid[brownout]}") KiB"
    done
else
    echo "# CHURN=1000000 opens so many connections one after the other, and shows what that leaves"
fi
recorded brownout 8442
