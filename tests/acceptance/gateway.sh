# SPDX-License-Identifier: Apache-2.0
# A gateway with OMA DM and LwM2M devices behind it: they are found, named, read, restarted, measured and updated
# alike.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gw=$home/gateway-things
mkdir -p "$gw"
step_out

starts_a_gateway()
{
        start_server gwserver || return 1
        start_gateway gate || return 1
        eventually 20 is_active gate && "$xrem" set gate ./GwMO/Config/Alerts/BatchWindow 0
}

finds_its_devices()
{
        {
                printf '[run]\nseed = 7\n'
                behind_dm dm meter/ 1 5 'tags = behind'
                behind_lwm2m nodes meter/ 11 5 'tags = behind' 'battery = 90' 'drain = 3s'
                call=1h behind_lwm2m idle idle/ 1 1 'awake = 1s'
                printf '[fault hot]\nkind = alarm\ngroup = nodes\ndevices = 15\nafter = 4s\nalarm = peripheral\n'
                printf '[fault worn]\nkind = alarm\ngroup = dm\ndevices = 5\nafter = 0s\nalarm = worn\n'
        } >"$gw/scenario"
        simulate gwsim "$gw/scenario"
        eventually 20 devices_with --tag behind --state active 10 || fail "$("$xrem" device list)" || return 1
        "$xrem" device show meter/1 | grep -q gate && "$xrem" device show meter/11 | grep -q gate &&
                "$xrem" gateway list | grep -q '^gate ' &&
                equal "$("$xrem" gateway devices gate | grep -c '^meter/')" 10 'devices behind it'
}

reads_them_alike()
{
        local n
        for n in 1 3 11 13; do
                equal "$(gw_get meter/$n ./DevDetail/FwV)" 1.0 "FwV of meter/$n" &&
                        equal "$(gw_get meter/$n ./DevInfo/Mod)" M1 "Mod of meter/$n" || return 1
        done
}

writes_to_them()
{
        "$xrem" set meter/1 ./Vendor/sim/Level 7 && equal "$(gw_get meter/1 ./Vendor/sim/Level)" 7 Level &&
                "$xrem" set meter/11 ./LwM2M/26241/0/0 7 && equal "$(gw_get meter/11 ./LwM2M/26241/0/0)" 7 Level
}

says_why_not() # the reason in words, and the code of a command that was refused
{
        local out
        out=$("$xrem" set meter/11 ./DevInfo/Man me 2>&1) && return 1
        echo "$out" | grep -qi '405\|not allowed' || fail "$out" || return 1
        out=$(gw_get meter/1 ./DiagMon/Battery/DiagMonData/1/BatteryLevel 2>&1) && return 1
        echo "$out" | grep -qi '404\|not found' || fail "$out"
}

sleeps() # device: the gateway's last word on it
{
        grep "device .*id=urn:xremsim:$1 state=" "$home/gate.log" | tail -n 1 | grep -q 'state=2'
}

# For an hour; what is ordered of it now has fifteen seconds.
orders_something_of_a_sleeper()
{
        eventually 20 sleeps idle/1 || return 1
        curl -sS -X POST -H "Authorization: Bearer $XREM_TOKEN" -H 'Content-Type: application/json' "$XREM_SERVER/api/v1/devices/idle%2F1/jobs" \
                -d '{"ttl": 15, "commands": [{"cmd": "replace", "uri": "./LwM2M/26241/0/0", "format": "int", "data": "7"}]}' |
                python3 -c 'import json, sys; print(json.load(sys.stdin)["id"])' >"$gw/late" && eventually 10 job_says "$(cat "$gw/late")" '^State  *waiting'
}

is_too_late()
{
        eventually 30 job_says "$(cat "$gw/late")" '^State  *expired' && grep -q 408 "$gw/job" || fail "$(cat "$gw/job")"
}

job_says() # id, words
{
        "$xrem" job show "$1" >"$gw/job" && grep -q "$2" "$gw/job"
}

# In the device's own words, or those of what stands before it.
keeps_the_reason_with_the_job()
{
        local id
        id=$("$xrem" set meter/11 ./DevInfo/Man me --no-wait) && eventually 10 job_says "$id" 'the node is not to be written' || fail "$(cat "$gw/job")" || return 1
        id=$("$xrem" set meter/11 ./LwM2M/26241/0/0 seven --no-wait) && eventually 10 job_says "$id" 'the value does not fit' || fail "$(cat "$gw/job")" || return 1
        id=$("$xrem" get meter/11 ./LwM2M/26241/0/9 --no-wait) && eventually 10 job_says "$id" '4.04 to Read of /26241/0/9' || fail "$(cat "$gw/job")"
}

restarts_one()
{
        "$xrem" exec meter/12 ./DiagMon/Restart/Operations/Start || return 1
        eventually 20 is_heard meter/12 || return 1
        equal "$(gw_get meter/12 ./DevDetail/FwV)" 1.0 FwV && grep -q 'urn:xremsim:meter/12' "$home/gate.log"
}

is_heard()
{
        "$xrem" get "$1" ./DevDetail/FwV --timeout 10
}

sessions_done() # of the gateway with its server
{
        grep -c 'session done' "$home/gate.log"
}

key_of() # device: its key at the gateway
{
        "$xrem" --json gateway devices gate | python3 -c 'import json, sys; print(*[d["key"] for d in json.load(sys.stdin)["items"] if d["device"] == sys.argv[1]])' "$1"
}

# Two devices that restart are told of at once, when the window of the first has passed.
tells_ends_together()
{
        local at=DiagMon/Restart/Operations/Start began sessions
        eventually 20 sleeps idle/1 || return 1 # what comes by itself is over
        printf '[{"cmd": "exec", "uri": "./GwDev/%s/%s"}, {"cmd": "exec", "uri": "./GwDev/%s/%s"}]' "$(key_of meter/11)" $at "$(key_of meter/12)" $at >"$gw/both"
        "$xrem" set gate ./GwMO/Config/Alerts/ResultWindow 4 && eventually 20 gw_has_told_all gate || return 1
        began=$SECONDS sessions=$(sessions_done)
        "$xrem" run gate --file "$gw/both" >"$gw/ran" || fail "$(cat "$gw/ran")" || return 1
        [ $((SECONDS - began)) -ge 4 ] || fail "the window was not waited for: $((SECONDS - began)) s" || return 1
        sessions=$(($(sessions_done) - sessions))
        [ $sessions -le 3 ] || fail "$sessions sessions for two orders and their ends" || return 1
        "$xrem" set gate ./GwMO/Config/Alerts/ResultWindow 1
}

samples_batteries()
{
        "$xrem" metric collect battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel --every 1 --prefix meter/1 >"$gw/collection" &&
                eventually 20 falls meter/13 battery && "$xrem" metric stop "$(cat "$gw/collection")"
}

falls() # device, metric: three samples or more, each below the one before
{
        "$xrem" metric get "$1" "$2" --from -10m --step raw --csv | tr -d '\r' |
                awk -F, 'NR > 1 && $4 != "" {n++; if (n > 1 && $4 > last) bad = 1; if ($4 != last) k++; last = $4} END {exit bad || n < 3 || k < 2}'
}

raises_their_alarms()
{
        eventually 20 sh -c "'$xrem' alarm list meter/15 | grep -q 'error8'"
}

# It was raised in the first session of the device, before the server had heard what that is.
keeps_what_came_early()
{
        eventually 10 sh -c "'$xrem' alarm list meter/5 | grep -q worn" && ! "$xrem" alarm list gate | grep worn
}

updates_them_alike()
{
        { printf 'version: 2.0\nmodel: M1\n' && head -c 30000 /dev/urandom; } >"$gw/image-2.0" &&
                "$xrem" --quiet package add "$gw/image-2.0" --name gwfw --version 2.0 || return 1
        "$xrem" --quiet campaign create 'behind to 2.0' --package gwfw@2.0 --tag behind --retries 0 --start >"$gw/campaign" || return 1
        "$xrem" campaign watch "$(cat "$gw/campaign")" --for 180 || return 1
        equal "$(gw_get meter/4 ./DevDetail/FwV)" 2.0 'FwV of meter/4' &&
                equal "$(gw_get meter/14 ./DevDetail/FwV)" 2.0 'FwV of meter/14'
}

promise 'a gateway is a device like any other' starts_a_gateway
promise 'devices behind it are found, and have the names they were given' finds_its_devices
promise 'OMA DM and LwM2M devices are read alike' reads_them_alike
promise 'and written' writes_to_them
promise 'what cannot be done is refused with its reason' says_why_not
promise 'and the reason stays with the job' keeps_the_reason_with_the_job
promise 'one is restarted' restarts_one
promise 'an error of a device is an alarm at the server' raises_their_alarms
promise 'and one of a first session is that of its device' keeps_what_came_early
promise 'ends of orders are told together' tells_ends_together
promise 'an order of a sleeper waits at the gateway' orders_something_of_a_sleeper
promise 'batteries are measured' samples_batteries
promise 'firmware of both comes by one campaign' updates_them_alike
promise 'the order of the sleeper ends with its time: 408, expired' is_too_late
promise 'the gateway ends cleanly' stop gate
promise 'and its devices' stop gwsim
promise 'and its server' stop gwserver

step_back
