# SPDX-License-Identifier: Apache-2.0
# A campaign whose first wake-ups are lost on their way, over devices that do not call by themselves for hours.  Sourced by
# tests/acceptance/run, whose world it uses.

df=$home/deaf-fleet
step_out

start_deaf()
{
        mkdir -p "$df" && { echo 'version: 2.0' && head -c 5000 /dev/urandom; } >"$df/image" || return 1
        cat >"$df/scenario" <<END
[run]
seed = 7
[group deaf]
count = 6
prefix = deaf/
model = D1
call = 6h
start = 500ms
install = 100ms
reboot = 100ms
[fault lost]
kind = deaf
wakes = 3
devices = 1-4
END
        start_server deaf 'tries = 2' 'again = 1s' || return 1
        "$bin/sim/xremsim" --scenario "$df/scenario" --json --create --server "http://127.0.0.1:$plain_port/dm" \
                --api "$XREM_SERVER" >"$df/out" 2>"$home/deaf-sim.log" &
        pid[deaf-sim]=$!
        eventually 30 all_called deaf/ 6
}

reaches_the_deaf()
{
        local job
        "$xrem" --quiet package add "$df/image" --name deaf --version 2.0 || return 1
        "$xrem" --quiet campaign create deaf --package deaf@2.0 --model D1 --start && "$xrem" campaign watch 1 --for 180 || return 1
        equal "$("$xrem" get deaf/1 ./DevDetail/FwV)" 2.0 FwV || return 1
        job=$("$xrem" --json job list deaf/1 | python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][-1]["id"])') || return 1
        "$xrem" job show "$job" >"$df/job" && grep -q 'no answer to 2 wake-ups; tried again in' "$df/job" || fail "$(cat "$df/job")" || return 1
        stop deaf-sim && equal "$(sed -n 's/.*"wakes_lost": *\([0-9]*\).*/\1/p' "$df/out")" 12 'wake-ups that were lost'
}

promise 'devices that do not call for hours are there' start_deaf
promise 'a campaign reaches those whose first wake-ups were lost' reaches_the_deaf
promise 'their server ends cleanly' stop deaf
step_back
