# SPDX-License-Identifier: Apache-2.0
# What a gateway measures of the devices behind it: kept when it changed, told together, later when the way is back.
# Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
step_out

level=./DiagMon/Battery/DiagMonData/1/BatteryLevel
metric=batteryinfo.1.BatteryLevel

starts_a_gateway_of_batteries()
{
        start_server rpserver && start_gateway rpgate || return 1
        eventually 20 is_active rpgate || return 1
        "$xrem" set rpgate ./GwMO/Config/Alerts/BatchWindow 0 && "$xrem" set rpgate ./GwMO/Config/Alerts/ReportWindow 2 || return 1
        {
                printf '[run]\nseed = 7\n'
                call=10m behind_lwm2m cells cell/ 1 10 'tags = cell' 'drain = 1s'
        } >"$home/cells.ini"
        simulate cells "$home/cells.ini" && eventually 30 devices_with --tag cell --state active 10
}

times_of() # device: of its samples, gaps left out
{
        "$xrem" metric get "$1" $metric --from -1h --step raw --csv | awk -F, 'NR > 1 && $4 != "" {print $1}'
}

has_samples() # device, at least, since when, up to when
{
        [ "$(times_of "$1" | awk -v since="${3:-}" -v till="${4:-3}" '$1 > since && $1 < till' | wc -l)" -ge "$2" ]
}

now()
{
        date -u +%Y-%m-%dT%H:%M:%S
}

jobs_of_cells()
{
        "$xrem" --json job list cell/3 | python3 -c 'import json,sys; print(len(json.load(sys.stdin)["items"]))'
}

# Nobody asks for them: there is a rule at the gateway, and a sample a second of each of ten devices.
measures_by_a_rule()
{
        local jobs sessions
        jobs=$(jobs_of_cells)
        "$xrem" add rpgate ./GwMO/Config/Ext/Reports/battery --node &&
                "$xrem" add rpgate ./GwMO/Config/Ext/Reports/battery/Nodes $level &&
                "$xrem" add rpgate ./GwMO/Config/Ext/Reports/battery/Match 'id=*' || return 1
        sessions=$(metric_of grem_north_sessions_total)
        eventually 20 has_samples cell/3 5 && eventually 20 has_samples cell/10 5 || return 1
        equal "$(jobs_of_cells)" "$jobs" 'jobs of a device' || return 1
        sessions=$(($(metric_of grem_north_sessions_total) - sessions))
        [ $sessions -gt 0 ] && [ $((sessions * 5)) -lt "$(metric_of grem_samples_total)" ] ||
                fail "$sessions sessions for $(metric_of grem_samples_total) samples"
}

kept_at_least() # how many wait at the gateway
{
        [ "$(metric_of grem_samples_waiting)" -ge "$1" ]
}

# The server is away, the gateway is killed: what was kept before is told with its times, each once.  Beside what waited
# already when the server went (a count that may be a second old) there are six of each device.
keeps_them_while_nobody_hears()
{
        local away back
        stop rpserver || return 1
        away=$(now)
        eventually 20 kept_at_least $(($(metric_of grem_samples_waiting) + 70)) || return 1
        kill -9 "${pid[rpgate]}" && wait "${pid[rpgate]}" 2>/dev/null
        unset 'pid[rpgate]'
        run_gateway rpgate && back=$(now) || return 1
        run_server rpserver && eventually 30 has_samples cell/3 4 "$away" "$back" && eventually 30 has_samples cell/10 4 "$away" "$back" && [ -z "$(times_of cell/3 | sort | uniq -d)" ]
}

promise 'a gateway begins, with devices that have batteries' starts_a_gateway_of_batteries
promise 'it measures them by a rule, and tells many values at once' measures_by_a_rule
promise 'it keeps what it measures while nobody hears, through a kill' keeps_them_while_nobody_hears
promise 'the simulated batteries end cleanly' stop cells
promise 'and their gateway' stop rpgate
promise 'and the server' stop rpserver
step_back
