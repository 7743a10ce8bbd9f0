# SPDX-License-Identifier: Apache-2.0
# A campaign of firmware over a hundred simulated devices and dremd itself: corrupted downloads, devices that die in
# mid-update, a server that is killed, a retry, a halt, a rollback.  Sourced by tests/acceptance/run, whose world it uses.

cg=$home/campaign
step_out

make_fleet()
{
        local v
        mkdir -p "$cg/keys" && openssl genpkey -algorithm ed25519 -out "$cg/maker.key" &&
                openssl pkey -in "$cg/maker.key" -pubout -out "$cg/keys/maker.pub" || return 1
        for v in 1.0 2.0 3.0; do
                { echo "version: $v" && head -c 20000 /dev/urandom; } >"$cg/image-$v" || return 1
        done
        cat >"$cg/scenario" <<END
[run]
seed = 7
[group meters]
count = 100
prefix = fleet/
model = M1
fwv = 1.0
tags = fleet
call = 2s
start = 1s
install = 500ms
reboot = 200ms
keys = $cg/keys
[fault corrupted]
kind = bad-download
group = meters
devices = 3, 33, 63
[fault dead]
kind = silence
group = meters
state = updating
devices = 20, 80
[group boxes]
count = 12
prefix = box/
model = B1
fwv = 1.0
call = 2s
start = 1s
install = 100ms
reboot = 100ms
keys = $cg/keys
[fault broken]
kind = wrong-result
cause = FAILED
group = boxes
always = yes
END
}

all_called() # prefix, how many
{
        [ "$("$xrem" --json device list --prefix "$1" --state active | grep -c '"name"')" = "$2" ]
}

start_fleet()
{
        make_fleet || return 1
        start_server fleet || return 1
        "$bin/sim/xremsim" --scenario "$cg/scenario" --create --server "http://127.0.0.1:$plain_port/dm" \
                --api "$XREM_SERVER" >"$cg/sim.out" 2>"$home/sim.log" &
        pid[sim]=$!
        add_device this --tag fleet
        start_device this "http://127.0.0.1:$plain_port/dm" '' "[firmware]
installer = slots
keys = $cg/keys
slots = $cg/slots
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
patch = $bin/drem/patch/dremd-patch"
        for v in 1.0 2.0 3.0; do
                "$xrem" --quiet package add "$cg/image-$v" --name fw --version $v --sign "$cg/maker.key" || return 1
        done
        eventually 30 all_called fleet/ 100 && eventually 20 all_called box/ 12 && eventually 20 is_active this
}

tells_what_it_would_do()
{
        local out
        out=$("$xrem" campaign create try --package fw@2.0 --tag fleet --dry-run) || return 1
        echo "$out" | grep -q '^fleet/7 .*order .*exec ./FUMO/main/DownloadAndUpdate' &&
                echo "$out" | grep -q '^box/1 .*out .*it has no tag fleet' || fail "$out" || return 1
        equal "$("$xrem" --json campaign list | grep -c '"name"')" 0 campaigns
}

tally() # campaign, state
{
        "$xrem" --json campaign show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["devices"][sys.argv[1]])' "$2"
}

state_of() # campaign
{
        "$xrem" --json campaign show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["state"])'
}

has_state() # campaign, state
{
        [ "$(state_of "$1")" = "$2" ]
}

has_at_least() # campaign, state, how many
{
        [ "$(tally "$1" "$2")" -ge "$3" ]
}

# Killed while devices update; nothing is done twice, nobody is left out.
runs_over_a_kill()
{
        local id
        id=$("$xrem" --quiet campaign create 'to 2.0' --package fw@2.0 --tag fleet --canary 5 --wave 40 --threshold 80 \
                --stop-above 20 --update-time 10s --contact-time 8s --retries 0 --start) || return 1
        equal "$id" 1 number
        eventually 20 has_at_least 1 succeeded 8 || return 1
        stop fleet KILL && run_server fleet || return 1
        code_of 1 "$xrem" campaign watch 1 --for 180 || return 1
        equal "$(tally 1 succeeded)" 96 succeeded && equal "$(tally 1 failed)" 5 failed && has_state 1 'done'
}

gives_verdicts()
{
        local out
        out=$("$xrem" campaign devices 1 --state failed) || return 1
        equal "$(echo "$out" | grep -c 'fleet/\(3\|33\|63\) .*corrupt .*Corrupted package (402)')" 3 corrupt &&
                equal "$(echo "$out" | grep -c 'fleet/\(20\|80\) .*silent .*was not heard of again')" 2 silent || fail "$out"
}

# What each device says it runs, and how often it was ordered.
is_whole()
{
        local id
        for id in 1 50 99; do
                equal "$("$xrem" get fleet/$id ./DevDetail/FwV)" 2.0 "FwV of $id" || return 1
        done
        equal "$("$xrem" get fleet/33 ./DevDetail/FwV)" 1.0 'FwV of 33' && equal "$("$xrem" get this ./DevDetail/FwV)" 2.0 FwV || return 1
        "$xrem" --json event --kind alert -n 1000 | python3 -c '
import collections, json, sys
told = collections.Counter()
for line in sys.stdin:
    e = json.loads(line)
    if e["data"].get("type", "").endswith("downloadandupdate"):
        told[e["device"], e["data"].get("data")] += 1
assert len([d for d, r in told if r == "200"]) == 96, told
assert max(told.values()) == 1, told
'
}

retries_the_failed()
{
        "$xrem" campaign retry 1 >/dev/null && eventually 20 has_at_least 1 succeeded 99 &&
                equal "$("$xrem" get fleet/33 ./DevDetail/FwV)" 2.0 'FwV of 33'
}

# Somebody else approves; too many fail; resumed, paused, cancelled.
is_held_and_halted()
{
        local other
        "$xrem" --quiet campaign create broken --package fw@2.0 --model B1 --canary 4 --threshold 50 --approval >/dev/null &&
                code_of 1 "$xrem" campaign start 2 && code_of 6 "$xrem" campaign approve 2 || return 1
        other=$("$xrem" --json token add other --role operator | sed -n 's/^ *"token": "\([^"]*\)".*/\1/p')
        "$xrem" --token "$other" campaign approve 2 >/dev/null && "$xrem" campaign start 2 >/dev/null || return 1
        eventually 20 has_state 2 halted || return 1
        "$xrem" campaign show 2 | grep -q 'of 4 devices .* failed; the next wave wants 50 % to succeed' || fail "$("$xrem" campaign show 2)" || return 1
        equal "$(tally 2 pending)" 8 pending
}

is_paused_and_cancelled()
{
        "$xrem" campaign create slow --package fw@3.0 --prefix box/ --window 00:00-00:01 --zone +00:00 \
                --begin 2099-01-01T00:00:00Z --start >/dev/null || return 1
        "$xrem" campaign pause 3 | grep -q 'paused by admin' || return 1
        code_of 1 "$xrem" campaign pause 3 && "$xrem" campaign resume 3 >/dev/null && has_state 3 running &&
                "$xrem" campaign cancel 3 >/dev/null && "$xrem" campaign cancel 2 >/dev/null || return 1
        eventually 10 has_at_least 3 cancelled 12 && eventually 10 has_at_least 2 cancelled 8 && has_state 2 cancelled &&
                eventually 10 "$xrem" campaign remove 3 && code_of 3 "$xrem" campaign show 3
}

# One that runs is ended by it: the two that died are tried once more, which takes them longer than the next command.
goes_back()
{
        eventually 40 has_state 1 'done' && "$xrem" campaign retry 1 >/dev/null && "$xrem" campaign rollback 1 >/dev/null || return 1
        eventually 40 has_at_least 4 succeeded 98 || fail "$("$xrem" campaign show 4)" || return 1
        equal "$("$xrem" get fleet/50 ./DevDetail/FwV)" 1.0 'FwV of 50' && equal "$(state_of 1)" cancelled 'the campaign before' || return 1
        "$xrem" campaign devices 4 --state skipped | grep -q '^this .*there is no package fw' || fail "$("$xrem" campaign devices 4 | grep -v succeeded)"
}

# Those that have begun are let end; none begins.
pauses_one_that_runs()
{
        local id n
        id=$("$xrem" --quiet campaign create more --package fw@3.0 --prefix fleet/1 --parallel 2 --start) || return 1
        eventually 20 has_at_least "$id" succeeded 2 && "$xrem" campaign pause "$id" >/dev/null && eventually 20 rests "$id" || return 1
        n=$(tally "$id" succeeded)
        [ "$n" -lt 12 ] && equal "$(($(tally "$id" pending) + $(tally "$id" delayed)))" $((12 - n)) 'left for later' || return 1
        "$xrem" campaign resume "$id" >/dev/null && "$xrem" campaign watch "$id" --for 180 && equal "$(tally "$id" succeeded)" 12 succeeded
}

rests() # campaign
{
        [ "$(tally "$1" ordered)$(tally "$1" checking)" = 00 ]
}

halts_above_a_rate()
{
        local id
        id=$("$xrem" --quiet campaign create rate --package fw@2.0 --model B1 --parallel 2 --stop-above 20 --stop-least 3 --start) || return 1
        eventually 20 has_state "$id" halted || return 1
        "$xrem" campaign show "$id" | grep -q 'failed, which is more than 20 %' || fail "$("$xrem" campaign show "$id")" || return 1
        eventually 20 rests "$id" && [ $(($(tally "$id" pending) + $(tally "$id" delayed))) -ge 7 ]
}

promise 'a hundred simulated devices and this machine, twelve others' start_fleet
promise 'a dry run tells per device what would be sent, and why others are left out' tells_what_it_would_do
promise 'a campaign in waves goes on over a kill -9 of the server' runs_over_a_kill
promise 'three corrupted downloads and two deaths in mid-update have their verdicts in words' gives_verdicts
promise 'none is half updated, and none was ordered twice' is_whole
promise 'the failed are retried by one command' retries_the_failed
promise 'a campaign is approved by somebody else, and halts when too many fail' is_held_and_halted
promise 'campaigns are paused, resumed, cancelled, removed' is_paused_and_cancelled
promise 'a rollback brings devices back to what they had' goes_back
promise 'one that runs is paused, and goes on where it was' pauses_one_that_runs
promise 'one halts when the rate of errors is above what is allowed' halts_above_a_rate
stop sim && stop this && stop fleet
step_back
