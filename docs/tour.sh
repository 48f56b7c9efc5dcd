#!/usr/bin/env bash
# A tour in a minute: three real processes, a license of 20 seats, the one too
# many, the leader killed, and how long an answer takes. Everything it starts it
# stops, and its data goes with it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bin=bin/cloudlicenses
base=${TOUR_PORT:-18400} # http base+i, admin base+10+i, raft base+20+i, gossip base+30+i
folder=$(mktemp -d)
declare -A pids

say() { printf '\n\033[1m%s\033[0m\n' "$*"; }
fail() {
  printf 'tour: %s\n' "$*" >&2
  tail -n 5 "$folder"/*.log >&2 || true
  exit 1
}

finish() {
  local id
  for id in "${!pids[@]}"; do kill -KILL "${pids[$id]}" 2>/dev/null || true; done
  wait 2>/dev/null || true
  rm -rf "$folder"
}
trap finish EXIT

start() { # start n1|n2|n3
  local id=$1 i=${1#n}
  rm -f "$folder/$id.json"
  "$bin" server --node-id "$id" --data-dir "$folder/$id" --insecure --bootstrap-expect 3 \
    --http "127.0.0.1:$((base + i))" --admin "127.0.0.1:$((base + 10 + i))" \
    --raft "127.0.0.1:$((base + 20 + i))" --gossip "127.0.0.1:$((base + 30 + i))" \
    --join "127.0.0.1:$((base + 31)),127.0.0.1:$((base + 32)),127.0.0.1:$((base + 33))" \
    --ready-file "$folder/$id.json" >>"$folder/$id.log" 2>&1 &
  pids[$id]=$!
  disown # its end is expected, and no news
}

ready() { # ready n1…: waits until these nodes serve
  local id i
  for id in "$@"; do
    for ((i = 0; i < 300; i++)); do
      [[ ! -s "$folder/$id.json" ]] || continue 2
      sleep 0.1
    done
    fail "$id is not ready after 30 s"
  done
}

field() { sed -nE "s/.*\"$1\": ?\"?([^\",}]*)\"?.*/\1/p" | head -n 1; }

checkout() { # checkout USER NODE: prints the reply
  curl -sS --max-time 10 "http://tour.localhost:$((base + $2))/api/v1/licenses/checkout" \
    -H "Authorization: Bearer $key" -d "{\"product_id\":\"cad\",\"user\":\"$1\"}"
}

say "Three nodes, three processes"
for id in n1 n2 n3; do start "$id"; done
ready n1 n2 n3
CLOUDLICENSES_ADMIN_TOKEN=$(cat "$folder/n1/admin.token")
export CLOUDLICENSES_ADMIN_TOKEN
created=$("$bin" tenant create --admin "http://127.0.0.1:$((base + 11))" --id tour --license cad --commit 5 --max-overage 15 --output json)
key=$(field api_key <<<"$created")
"$bin" cluster status --admin "http://127.0.0.1:$((base + 11))"

say "20 seats, 5 of them committed, through all three nodes"
for ((i = 1; i <= 21; i++)); do
  reply=$(checkout "user-$i" $((i % 3 + 1)))
  printf '%3d  %-8s %s\n' "$i" "$(field type <<<"$reply" | sed 's#.*/##')" "$(field lease_id <<<"$reply")"
done
[[ "$reply" == *'"overage_max_exceeded"'* ]] || fail "the 21st was not refused: $reply"

say "The leader is killed (SIGKILL), and a seat asked for and returned at once"
group=$("$bin" tenant show tour --admin "http://127.0.0.1:$((base + 11))" --output json | field group)
leader=$("$bin" cluster status --admin "http://127.0.0.1:$((base + 11))" | awk -v g="$group" '$1 == g && $2 == "license" { print $3 }')
other=1
[[ "$leader" != n1 ]] || other=2
printf 'group %s is led by %s; asking n%s\n' "$group" "$leader" "$other"
kill -KILL "${pids[$leader]}"
began=$(date +%s%N)
reply=$(curl -sS --max-time 10 "http://tour.localhost:$((base + other))/api/v1/licenses/return" \
  -H "Authorization: Bearer $key" -d '{"lease_id":"lease-1"}')
[[ "$reply" == *'"returned"'* ]] || fail "the return got: $reply"
reply=$(checkout someone-else "$other")
[[ "$reply" == *'"lease_id"'* ]] || fail "the checkout got: $reply"
printf 'returned and checked out again %d ms after the kill: %s is %s\n' \
  $((($(date +%s%N) - began) / 1000000)) "$(field lease_id <<<"$reply")" "$(field type <<<"$reply")"

say "It comes back, and nothing is lost"
start "$leader"
ready "$leader"
LICENSE_SERVER_URL="http://tour.localhost:$((base + ${leader#n}))" LICENSE_API_KEY=$key "$bin" leases | awk 'END { print NR - 1, "live leases, as seen by '"$leader"'" }'

say "How long an answer takes: 200 heartbeats, each on a quorum's disks, one after the other"
leader=$("$bin" cluster status --admin "http://127.0.0.1:$((base + 10 + other))" | awk -v g="$group" '$1 == g && $2 == "license" { print $3 }')
url="http://tour.localhost:$((base + ${leader#n}))/api/v1/licenses/heartbeat"
for ((i = 0; i <= 200; i++)); do # the first one opens the connection, and is not counted
  ((i == 0)) || echo next
  printf 'url = "%s"\nheader = "Authorization: Bearer %s"\ndata = "{\\"lease_id\\":\\"lease-2\\"}"\noutput = "/dev/null"\nwrite-out = "%%{http_code} %%{time_total}\\n"\n' "$url" "$key"
done >"$folder/curl.conf"
curl -sS -K "$folder/curl.conf" | tail -n +2 | sort -k2 -n | awk '
  { if ($1 == 200) ok++; t[NR] = $2 * 1000 }
  END { printf "%d of %d answered with 200; p50 %.2f ms, p90 %.2f ms\n", ok, NR, t[int(NR * 0.5)], t[int(NR * 0.9)]; exit ok != NR }'

say "The nodes are drained"
for id in n1 n2 n3; do kill -TERM "${pids[$id]}"; done
for id in n1 n2 n3; do
  for ((i = 0; i < 300; i++)); do
    kill -0 "${pids[$id]}" 2>/dev/null || break
    sleep 0.1
  done
  ! kill -0 "${pids[$id]}" 2>/dev/null || fail "$id did not drain within 30 s"
done
echo "done"
