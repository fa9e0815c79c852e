# The pieces the scripts here share; they source it. An nginx of its own answers on the first core; whoever is
# measured has the second.
#
# Every answer but that to /v1/fine, a list, is a documented 429: 166 bytes of JSON and four rate-limit headers, from memory. What it says is
# true for the next hour (`Retry-After` counts from every answer, the reset is one moment), so every answer conforms.

cd "$(dirname "${BASH_SOURCE[0]}")/.."

port=${PORT:-8429}
url=http://127.0.0.1:$port/v1/models
work=$(mktemp -d)
started=()
trap 'kill "${started[@]}" 2>/dev/null || true; rm -rf "$work"' EXIT

need() {
    for tool in "$@"; do
        command -v "$tool" >/dev/null || { echo "$0 needs $tool (apt-get install nginx-light wrk jq time)" >&2; exit 1; }
    done
}

# Waits until something listens on a port.
listening() {
    for _ in $(seq 100); do (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done
    echo "nothing listens on port $1" >&2
    exit 1
}

# nginx on a core: `serve CORE PORT` with the server's directives on standard input.
serve() {
    local conf=$work/nginx-$2.conf
    cat >"$conf" <<CONF
daemon off;
worker_processes 1;
pid $work/nginx-$2.pid;
error_log $work/error-$2.log;
events { worker_connections 16384; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_body_temp_path $work; proxy_temp_path $work; fastcgi_temp_path $work; uwsgi_temp_path $work; scgi_temp_path $work;
$(cat)
}
CONF
    taskset -c "$1" nginx -p "$work" -c "$conf" 2>/dev/null &
    started+=($!)
    listening "$2"
}

# The answers, on the first core.
answer() {
    local at
    at=$(($(date +%s) + 3600))
    serve 0 "$port" <<CONF
    server {
        listen 127.0.0.1:$port;
        default_type application/json;
        location = /v1/fine {
            return 200 '{"object":"list","data":[{"id":"m-1","object":"model","created":1,"owned_by":"o"},{"id":"m-2","object":"model","created":1,"owned_by":"o"}]}';
        }
        location / {
            add_header Retry-After 3600 always;
            add_header X-RateLimit-Limit 60 always;
            add_header X-RateLimit-Remaining 0 always;
            add_header X-RateLimit-Reset $at always;
            return 429 '{"error":"Too Many Requests","code":"RATE_LIMIT_EXCEEDED","message":"Too many requests","limit":60,"remaining":0,"reset_at":"$(date -u -d "@$at" +%FT%TZ)","retry_after":3600}';
        }
    }
CONF
}

# Runs a command on the second core; prints "user system", in seconds. What it says is in $work/out.
TIMEFORMAT='%3U %3S'
measure() {
    { time taskset -c 1 "$@" >"$work/out" 2>&1; } 2>&1
}

# Runs wrk on the second core; prints "requests user system".
measure_wrk() {
    local cpu
    cpu=$(measure wrk -t1 -c"$1" -d"${2}s" "$url")
    echo "$(sed -n 's/^ *\([0-9][0-9]*\) requests in .*/\1/p' "$work/out") $cpu"
}

# Reads rows "who requests user system"; prints each, then the median of each in the order of its first row, as µs
# of CPU per request and as a multiple of the first.
costs() {
    awk '
        { cost = 1e6 * ($3 + $4) / $2; user = 1e6 * $3 / $2
          printf "%-10s %9d requests  %6.2f µs CPU/request  (user %.2f, system %.2f)\n", $1, $2, cost, user, cost - user
          if (!n[$1]++) names[++many] = $1
          costs[$1, n[$1]] = cost }
        function sort(who,   i, j, t) {
            for (i = 1; i <= n[who]; i++) for (j = i + 1; j <= n[who]; j++)
                if (costs[who, j] < costs[who, i]) { t = costs[who, i]; costs[who, i] = costs[who, j]; costs[who, j] = t }
            return costs[who, int((n[who] + 1) / 2)]
        }
        END {
            for (k = 1; k <= many; k++) {
                middle = sort(names[k]); if (k == 1) first = middle
                printf "median %-10s %6.2f µs  (%.2f to %.2f)  %.2f times %s\n", names[k], middle, costs[names[k], 1], costs[names[k], n[names[k]]], middle / first, names[1]
            }
        }'
}
