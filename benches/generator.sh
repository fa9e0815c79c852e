#!/usr/bin/env bash
# What one attempt costs the generator, beside bare wrk, against the same responder: µs of CPU (user + system) per request.
#
#   benches/generator.sh [CONNECTIONS] [SECONDS] [ROUNDS]     defaults: 64 5 3
#
# Needs wrk and two cores: the responder has the first, whoever is measured the second. nginx answers if it is
# installed (`apt-get install wrk nginx-light`), else a small responder of our own. Absolute numbers move from machine
# to machine; the ratio, taken within one run, is the point. The aim is 1.5 or less. PROFILE=dist measures the binary
# that is distributed (fat LTO) instead of the one `cargo run --release` builds.
set -euo pipefail
cd "$(dirname "$0")/.."

connections=${1:-64} seconds=${2:-5} rounds=${3:-3}
port=8429 url=http://127.0.0.1:8429/
work=$(mktemp -d)
trap 'kill "${responder:-}" 2>/dev/null || true; rm -rf "$work"' EXIT

generator=$(cargo bench --profile "${PROFILE:-bench}" --bench generator --no-run --message-format=json 2>"$work/build" \
    | sed -n 's/.*"executable":"\([^"]*generator[^"]*\)".*/\1/p' | tail -1)
[ -x "$generator" ] || { cat "$work/build" >&2; exit 1; }

if command -v nginx >/dev/null; then
    cat >"$work/nginx.conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx.pid;
error_log $work/error.log;
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
    server {
        listen 127.0.0.1:$port;
        default_type application/json;
        location / {
            add_header Retry-After 2 always;
            add_header X-RateLimit-Limit 60 always;
            add_header X-RateLimit-Remaining 0 always;
            add_header X-RateLimit-Reset 1795374245 always;
            return 429 '{"error":{"code":"RATE_LIMIT_EXCEEDED","message":"too many requests","retry_after":2,"limit":60,"remaining":0,"reset_at":1795374245},"request_id":"req_01HZX3J9W6Q4T8K2M5N7P0R1S3"}';
        }
    }
}
CONF
    taskset -c 0 nginx -p "$work" -c "$work/nginx.conf" 2>/dev/null &
else
    taskset -c 0 "$generator" respond "127.0.0.1:$port" &
fi
responder=$!
for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null && break; sleep 0.05; done

# Runs a command on the second core; prints "requests user system".
TIMEFORMAT='%3U %3S'
measure() {
    local cpu
    cpu=$({ time taskset -c 1 "$@" >"$work/out" 2>&1; } 2>&1)
    echo "$(sed -n 's/^ *\([0-9][0-9]*\)\( requests in .*\)\{0,1\}$/\1/p' "$work/out" | tail -1) $cpu"
}

: >"$work/rows"
for round in $(seq "$rounds"); do
    echo "wrk $(measure wrk -t1 -c"$connections" -d"${seconds}s" "$url")" >>"$work/rows"
    echo "hyper $(measure "$generator" bare "$url" "$connections" "$seconds")" >>"$work/rows"
    echo "brownout $(measure "$generator" load "$url" "$connections" "$seconds")" >>"$work/rows"
done

awk '
    { cost = 1e6 * ($3 + $4) / $2; user = 1e6 * $3 / $2
      printf "%-9s %9d requests  %6.2f µs CPU/request  (user %.2f, system %.2f)\n", $1, $2, cost, user, cost - user
      costs[$1, ++n[$1]] = cost }
    function median(who,   i, j, t) {
        for (i = 1; i <= n[who]; i++) for (j = i + 1; j <= n[who]; j++)
            if (costs[who, j] < costs[who, i]) { t = costs[who, i]; costs[who, i] = costs[who, j]; costs[who, j] = t }
        return costs[who, int((n[who] + 1) / 2)]
    }
    END {
        wrk = median("wrk"); hyper = median("hyper"); ours = median("brownout")
        printf "median: wrk %.2f µs, hyper alone %.2f µs (%.2f of wrk), brownout %.2f µs (%.2f of wrk)\n", wrk, hyper, hyper / wrk, ours, ours / wrk
    }
' "$work/rows"
