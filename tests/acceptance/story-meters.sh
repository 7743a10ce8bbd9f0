# SPDX-License-Identifier: Apache-2.0
# The story of a campaign over meters: eighty LwM2M and twenty OMA DM meters behind one gateway, their batteries, an
# update that fails on three of them, their alarms, a second try.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
sm=$home/story-meters
mkdir -p "$sm"
step_out

starts_the_meters()
{
        start_server smserver '[presence]' || return 1
        start_gateway mains && eventually 20 is_active mains && "$xrem" set mains ./GwMO/Config/Alerts/BatchWindow 1 || return 1
        {
                printf '[run]\nseed = 23\nparallel = 32\n'
                behind_lwm2m water meter/ 1 80 'tags = meters, water' 'battery = 90' 'drain = 3s'
                behind_dm heat meter/ 81 20 'tags = meters, heat'
                printf '[fault damaged]\nkind = bad-download\ngroup = water\ndevices = 7, 42\n'
                printf '[fault broken]\nkind = wrong-result\ncause = FAILED\ngroup = heat\ndevices = 93\n'
        } >"$sm/scenario"
        simulate smsim "$sm/scenario"
        eventually 40 devices_with --tag meters --state active 100
}

# Each of the eighty has said what its battery has, and that of one is seen to fall.
samples_all_batteries()
{
        "$xrem" --quiet metric collect battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel --every 1 --tag water >"$sm/collection" &&
                eventually 30 levels meter/42 3 || return 1
        local n
        for n in $(seq 1 80); do
                eventually 20 levels meter/$n 1 || return 1
        done
        "$xrem" metric stop "$(cat "$sm/collection")" && eventually 20 is_quiet
}

levels() # device, how many: so many different levels of its battery are there, none above the one before
{
        "$xrem" metric get "$1" battery --from -10m --step raw --csv | tr -d '\r' |
                awk -F, -v k="$2" 'NR > 1 && $4 != "" {if (n && $4 > last) exit bad = 1; if ($4 != last) n++; last = $4} END {exit bad || n < k}'
}

# Nothing is under way at the gateway, so that what it does from now on is the campaign's.
is_quiet()
{
        local jobs
        jobs=$("$xrem" --json job list mains -n 1000) && ! echo "$jobs" | grep '"state"' | grep -qv '"\(done\|failed\|expired\|cancelled\)"'
}

nrem_metric() # name of a counter of the server
{
        curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/metrics" | sed -n "s/^$1 //p"
}

sm_sessions=0 sm_octets=0

# What the gateway spends with its server between the two is the campaign's; what we ask ourselves is not.
spending() # -1 when it begins, 1 when it ends
{
        local spent
        spent=$(sed -n 's/.*session done .* bytes_in=\([0-9]*\) bytes_out=\([0-9]*\)$/\1 \2/p' "$home/mains.log" |
                awk '{n++; octets += $1 + $2} END {print n + 0, octets + 0}') || return 1
        sm_sessions=$((sm_sessions + $1 * ${spent% *}))
        sm_octets=$((sm_octets + $1 * ${spent#* }))
}

# With the window that gateways have by themselves: what is no hurry is gathered.
fails_on_three()
{
        "$xrem" set mains ./GwMO/Config/Alerts/BatchWindow 30 && eventually 20 is_quiet && spending -1 || return 1
        { printf 'version: 2.0\nmodel: M1\n' && head -c 60000 /dev/urandom; } >"$sm/image" &&
                "$xrem" --quiet package add "$sm/image" --name smfw --version 2.0 || return 1
        "$xrem" --quiet campaign create 'meters to 2.0' --package smfw@2.0 --tag meters --retries 0 --start >"$sm/campaign" || return 1
        code_of 1 "$xrem" campaign watch "$(cat "$sm/campaign")" --for 180 && spending 1 || return 1
        equal "$(tally "$(cat "$sm/campaign")" succeeded)" 97 succeeded && equal "$(tally "$(cat "$sm/campaign")" failed)" 3 failed
}

says_why()
{
        local out
        out=$("$xrem" campaign devices "$(cat "$sm/campaign")" --state failed) || return 1
        equal "$(echo "$out" | grep -c '^meter/')" 3 'devices with a verdict' &&
                equal "$(echo "$out" | grep -c '^meter/\(7\|42\) .* corrupt .*Corrupted package (402)')" 2 corrupt &&
                equal "$(echo "$out" | grep -c '^meter/93 .* install .*update failed (410)')" 1 install || fail "$out" || return 1
        have_version 2.0 1 80 81 100 && have_version 1.0 7 42 93
}

have_version() # version, numbers
{
        local n
        for n in "${@:2}"; do
                equal "$(gw_get meter/$n ./DevDetail/FwV)" "$1" "FwV of meter/$n" || return 1
        done
}

alarmed() # options of alarm list, devices: those with an alarm of a failed update are these
{
        [ "$("$xrem" --json alarm list --prefix meter/ "${@:1:$#-1}" |
                python3 -c 'import json,sys; print(*sorted(a["device"] for a in json.load(sys.stdin)["items"] if a["cause"] == "update-failed"))')" = "${!#}" ]
}

raises_three_alarms()
{
        eventually 20 alarmed 'meter/42 meter/7 meter/93' || fail "$("$xrem" alarm list)"
}

tries_again()
{
        spending -1 && "$xrem" campaign retry "$(cat "$sm/campaign")" >/dev/null || return 1
        eventually 40 has_at_least "$(cat "$sm/campaign")" succeeded 100 ||
                fail "$("$xrem" campaign devices "$(cat "$sm/campaign")" | grep -v succeeded)" || return 1
        eventually 20 has_state "$(cat "$sm/campaign")" 'done' && spending 1 || return 1
        have_version 2.0 7 42 93 || return 1
        eventually 20 alarmed '' && eventually 20 alarmed --state cleared 'meter/42 meter/7 meter/93' || fail "$("$xrem" alarm list --all)"
}

has_served() # how many images the gateway gave to meters; what it counts is written down now and then
{
        equal "$(metric_of grem_images_served_total)" "$1" 'images taken from the gateway'
}

# A hundred meters by themselves would have come a hundred times, and each for its own image.
spares_the_backhaul()
{
        local sessions=$sm_sessions octets=$sm_octets size
        size=$(stat -c %s "$sm/image")
        equal "$(nrem_metric nrem_package_downloads_total)" 1 'packages the server gave out' &&
                equal "$(nrem_metric nrem_gateway_images_total)" 1 'images ordered of the gateway' &&
                eventually 10 has_served 103 || return 1
        echo "# $sessions sessions and $octets octets of them with the server, an image of $size" | tee "$sm/spent"
        [ $sessions -ge 1 ] && [ $sessions -lt 20 ] || fail "$sessions sessions with the server for a hundred meters" || return 1
        [ $((10 * (octets + size))) -lt $((100 * size)) ] || fail "$octets octets with the server for a hundred meters"
}

promise 'a hundred meters of two kinds behind one gateway' starts_the_meters
promise 'the batteries of eighty are sampled' samples_all_batteries
promise 'a campaign over all of them fails on three' fails_on_three
promise 'these three have verdicts with reasons, and what they had' says_why
promise 'and alarms' raises_three_alarms
promise 'they are ordered once more and succeed, and their alarms are over' tries_again
promise 'one package from the server, few sessions, a tenth of the octets' spares_the_backhaul
[ ! -f "$sm/spent" ] || cat "$sm/spent"
promise 'the gateway of the meters ends cleanly' stop mains
promise 'so do the meters' stop smsim
promise 'and the server of all' stop smserver

step_back
