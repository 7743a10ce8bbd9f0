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
                behind_lwm2m nodes meter/ 11 5 'tags = behind' 'battery = 90' 'drain = 1s'
                printf '[fault hot]\nkind = alarm\ngroup = nodes\ndevices = 15\nafter = 4s\nalarm = peripheral\n'
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
        "$xrem" set --timeout 10 meter/1 ./Vendor/sim/Level 7 && equal "$(gw_get meter/1 ./Vendor/sim/Level)" 7 Level &&
                "$xrem" set --timeout 10 meter/11 ./LwM2M/26241/0/0 7 && equal "$(gw_get meter/11 ./LwM2M/26241/0/0)" 7 Level
}

says_why_not() # the reason in words, and the code of a command that was refused
{
        local out
        out=$("$xrem" set --timeout 10 meter/11 ./DevInfo/Man me 2>&1) && return 1
        echo "$out" | grep -qi '405\|not allowed' || fail "$out" || return 1
        out=$(gw_get meter/1 ./DiagMon/Battery/DiagMonData/1/BatteryLevel 2>&1) && return 1
        echo "$out" | grep -qi '404\|not found' || fail "$out"
}

restarts_one()
{
        "$xrem" exec meter/12 ./DiagMon/Restart/Operations/Start --timeout 20 || return 1
        eventually 20 is_heard meter/12 || return 1
        equal "$(gw_get meter/12 ./DevDetail/FwV)" 1.0 FwV && grep -q 'urn:xremsim:meter/12' "$home/gate.log"
}

is_heard()
{
        "$xrem" get "$1" ./DevDetail/FwV --timeout 5
}

samples_batteries()
{
        "$xrem" metric collect battery=./DiagMon/Battery/DiagMonData/1/BatteryLevel --every 1 --prefix meter/1 >"$gw/collection" &&
                eventually 20 falls meter/13 battery && "$xrem" metric stop "$(cat "$gw/collection")"
}

falls() # device, metric: three samples or more, each below the one before
{
        "$xrem" metric get "$1" "$2" --from -10m --step raw --csv | tr -d '\r' |
                awk -F, 'NR > 1 && $4 != "" {n++; if (n > 1 && $4 > last) exit 1; if ($4 != last) k++; last = $4} END {exit !(n >= 3 && k >= 2)}'
}

raises_their_alarms()
{
        eventually 20 sh -c "'$xrem' alarm list meter/15 | grep -q 'error8'"
}

updates_them_alike()
{
        { printf 'version: 2.0\nmodel: M1\n' && head -c 30000 /dev/urandom; } >"$gw/image-2.0" &&
                "$xrem" --quiet package add "$gw/image-2.0" --name gwfw --version 2.0 || return 1
        "$xrem" --quiet campaign create 'behind to 2.0' --package gwfw@2.0 --tag behind --retries 0 --start >"$gw/campaign" || return 1
        "$xrem" campaign watch "$(cat "$gw/campaign")" --for 20 || return 1
        equal "$(gw_get meter/4 ./DevDetail/FwV)" 2.0 'FwV of meter/4' &&
                equal "$(gw_get meter/14 ./DevDetail/FwV)" 2.0 'FwV of meter/14'
}

promise 'a gateway is a device like any other' starts_a_gateway
promise 'devices behind it are found, and have the names they were given' finds_its_devices
promise 'OMA DM and LwM2M devices are read alike' reads_them_alike
promise 'and written' writes_to_them
promise 'what cannot be done is refused with its reason' says_why_not
promise 'one is restarted' restarts_one
promise 'batteries are measured' samples_batteries
promise 'an error of a device is an alarm at the server' raises_their_alarms
promise 'firmware of both comes by one campaign' updates_them_alike
promise 'the gateway ends cleanly' stop gate
promise 'and its devices' stop gwsim
promise 'and its server' stop gwserver

step_back
