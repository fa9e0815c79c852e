#!/usr/bin/env bash
# What one attempt costs the direct transport alone, beside bare wrk: µs of CPU (user + system) per request.
#
#   benches/generator.sh [CONNECTIONS] [SECONDS] [ROUNDS]     defaults: 64 5 3
#
# `hyper` is a loop over hyper's connections with nothing around it. PROFILE=dist measures the binary that is
# distributed (fat LTO) instead of the one `cargo run --release` builds. See benches/README.md.
set -euo pipefail
source "$(dirname "$0")/responder.sh"
need wrk nginx

connections=${1:-64} seconds=${2:-5} rounds=${3:-3}
generator=$(cargo bench --profile "${PROFILE:-bench}" --bench generator --no-run --message-format=json 2>"$work/build" \
    | sed -n 's/.*"executable":"\([^"]*generator[^"]*\)".*/\1/p' | tail -1)
[ -x "$generator" ] || { cat "$work/build" >&2; exit 1; }

answer
for _ in $(seq "$rounds"); do
    echo "wrk $(measure_wrk "$connections" "$seconds")"
    for how in bare load; do
        cpu=$(measure "$generator" "$how" "$url" "$connections" "$seconds")
        echo "$([ $how = bare ] && echo hyper || echo direct) $(cat "$work/out") $cpu"
    done
done | costs
