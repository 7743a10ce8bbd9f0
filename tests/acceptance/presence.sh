# SPDX-License-Identifier: Apache-2.0
# Presence: a device that dies is found unreachable, and its return is seen; one that sleeps is not missed.
# Sourced by tests/acceptance/run, whose world it uses.

in_state() # device, state
{
        "$xrem" --json device show "$1" | grep -q "\"state\": *\"$2\""
}

tells_when_it_calls()
{
        add_device quiet
        start_device quiet "http://127.0.0.1:$plain_port/dm" ''
        eventually 20 is_active quiet || return 1
        eventually 10 expects quiet device 3600
}

expects() # device, who says it, seconds
{
        "$xrem" --json device expect "$1" | python3 -c '
import json, sys
o = json.load(sys.stdin)
assert (o["expected_by"], o["expected_every"]) == (sys.argv[1], int(sys.argv[2])), o' "$2" "$3"
}

finds_the_silent_one()
{
        stop quiet KILL
        "$xrem" device expect quiet --interval 1s && expects quiet operator 1 || return 1
        eventually 15 in_state quiet unreachable || return 1
        "$xrem" device list --state unreachable | grep -q '^quiet .*unreachable' &&
                eventually 5 sh -c "'$xrem' alarm list quiet | grep -q 'major .*unreachable .*silent for'"
}

sees_its_return()
{
        "$xrem" device expect quiet --interval device && run_device quiet && eventually 15 in_state quiet active || return 1
        eventually 5 sh -c "'$xrem' alarm list quiet 2>&1 | grep -q 'no alarms'" || return 1
        "$xrem" event --device quiet -n 100 >"$home/quiet.out" 2>&1 || return 1
        equal "$(grep -oE 'device\.(unreachable|active)' "$home/quiet.out" | tail -n 2 | tr '\n' ' ')" \
                'device.unreachable device.active ' events
}

sleeps_as_expected()
{
        "$xrem" device expect quiet --interval 1h --awake 1s && eventually 10 in_state quiet asleep || return 1
        "$xrem" get quiet ./DevInfo/DmV >/dev/null && eventually 10 in_state quiet asleep &&
                "$xrem" alarm list quiet 2>&1 | grep -q 'no alarms'
}

is_taken_away()
{
        "$xrem" device set quiet --state detached && in_state quiet detached || return 1
        stop quiet && run_device quiet && eventually 15 sh -c "'$xrem' event --device quiet -n 100 | grep -q 'from.*detached'"
}

promise 'a device says how often it calls' tells_when_it_calls
promise 'one that dies is found unreachable, and is an alarm' finds_the_silent_one
promise 'its return is seen, and ends the alarm' sees_its_return
promise 'one that sleeps is asleep, and not missed' sleeps_as_expected
promise 'one that was taken away is active when it calls' is_taken_away
promise 'that device ends cleanly' stop quiet
