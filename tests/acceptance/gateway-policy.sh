# SPDX-License-Identifier: Apache-2.0
# What a gateway does by itself while its server is away: at a time, when something happens to it, when a device's value
# passes a limit, when a trap of a device fires; and what it may not do.  All of it is told when the server is back, with
# the time it happened.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gp=$home/policy
mkdir -p "$gp/lodge-radio" "$gp/hatch-radio"
step_out
pl=./LwM2M/26241/0

# What the kernel would say of a radio is a file, in a folder that stands for the machine.
pl_hears() # whose, dBm
{
        mkdir -p "$gp/$1-radio/proc/net"
        printf 'Inter-| sta-|   Quality\n face | tus | link level noise\n wlan0: 0000   50.  %s.  -256        0      0\n' "$2" \
                >"$gp/$1-radio/proc/net/wireless.new" && mv "$gp/$1-radio/proc/net/wireless.new" "$gp/$1-radio/proc/net/wireless"
}

pl_hatch() # a dremd whose server is the gateway
{
        mkdir -p "$home/hatch"
        {
                printf '[agent]\nstate = %s\n[device]\nid = urn:test:hatch\n' "$home/hatch"
                printf '[account]\nserver_id = gw\nurl = http://127.0.0.1:%s/dm\nuser = urn:test:hatch\n' "$gw_dm"
                printf 'password = behind\nserver_password = behind\n[diag]\nroot = %s\n' "$gp/hatch-radio"
                printf '[wake]\nlisten = 127.0.0.1:0\nmin_interval = 0s\n[session]\nretry_min = 200ms\n'
        } >"$home/hatch/dremd.conf"
        run_device hatch
}

pl_key() # device
{
        "$xrem" --json device show "$1" | python3 -c 'import json,sys; print(json.load(sys.stdin)["gateway"]["key"])'
}

pl_hatch_name()
{
        "$xrem" --json gateway devices lodge |
                python3 -c 'import json,sys; print(*[d["device"] for d in json.load(sys.stdin)["items"] if d["devid"] == "urn:test:hatch"])'
}

pl_all_there()
{
        pl_hatch=$(pl_hatch_name) && [ -n "$pl_hatch" ] && devices_with --tag lamp --state active 2
}

begins_with_three_devices()
{
        pl_hears lodge -60 && pl_hears hatch -60 || return 1
        start_server plserver && start_gateway lodge '[diag]' "root = $gp/lodge-radio" && pl_hatch || return 1
        { printf '[run]\nseed = 4\n' && behind_lwm2m lamps pl/ 1 2 'tags = lamp'; } >"$gp/scenario"
        simulate plsim "$gp/scenario"
        eventually 20 is_active lodge && "$xrem" set lodge ./GwMO/Config/Alerts/BatchWindow 0 &&
                eventually 20 pl_all_there || fail "$("$xrem" device list)"
}

pl_trap() # device, ServerID: its own radio
{
        cat >"$gp/trap" <<END
[{"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/NetType", "data": "WLAN"},
 {"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/LowPower", "data": "-85"},
 {"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/HighPower", "data": "-70"},
 {"cmd": "add", "uri": "./Trap/RxPower/ServerIDs/a/ServerID", "data": "$2"}]
END
        "$xrem" run "$1" --file "$gp/trap" >/dev/null
}

pl_schedule() # name, part and value of its condition, by turns; then the command
{
        local part
        printf '{"cmd": "add", "uri": "./Schedule/%s/ID", "data": "%s"},' "$1" "$1"
        for ((part = 2; part < $#; part += 2)); do
                printf '{"cmd": "add", "uri": "./Schedule/%s/Condition/1/%s", "data": "%s"},' "$1" "${@:part:2}"
        done
        printf '{"cmd": "add", "uri": "./Schedule/%s/Task/1/Cmd", "format": "xml", "data": "%s"}' "$1" "${!#}"
}

pl_set() # key, resource, value
{
        printf '<Replace><Item><Target><LocURI>./GwDev/%s%s/%s</LocURI></Target><Data>%s</Data></Item></Replace>' \
                "$1" "${pl#.}" "$2" "$3"
}

pl_exec() # address
{
        printf '<Exec><Item><Target><LocURI>%s</LocURI></Target></Item></Exec>' "$1"
}

# The device's trap starts a stored task that sets a lamp to 42; that is beyond the limit of the next, which starts the
# clock of the third.  The gateway's own radio starts the fourth, and a fifth may not touch its lamp.
stores_policies_of_each_kind()
{
        local one two hatch rx=urn:oma:mo:oma-diagmontrap:rxpwr:1.0 task=./GwMO/Fanout/Fanout/light
        one=$(pl_key pl/1) && two=$(pl_key pl/2) && hatch=$(pl_key "$pl_hatch") || return 1
        pl_trap lodge xrem && pl_trap "$pl_hatch" gw || return 1
        {
                printf '[{"cmd": "add", "uri": "%s/TaskID", "data": "light"},' $task
                printf '{"cmd": "add", "uri": "%s/Targets/1", "data": "dev:urn:xremsim:pl/1"},' $task
                printf '{"cmd": "add", "uri": "%s/Cmds", "format": "xml", "data": "%s"},' $task \
                        "<SyncBody><Replace><CmdID>1</CmdID><Item><Target><LocURI>$pl/0</LocURI></Target><Data>42</Data></Item></Replace></SyncBody>"
                pl_schedule trapped Trap/TrapID "./GwDev/$hatch/$rx" "$(pl_exec $task/Operations/Start)"
                printf ','
                pl_schedule limit Threshold/Ref "./GwDev/$one${pl#.}/0" Threshold/High 40 Threshold/SampIntrvl 1 \
                        "$(pl_exec ./Schedule/clock/Operations/Activate)"
                printf ','
                pl_schedule clock Timer/Base 0 "$(pl_set "$one" 1 'it is time')"
                printf ','
                pl_schedule event Trap/TrapID $rx \
                        '<Replace><Item><Target><LocURI>./Vendor/xrem/Config/Note</LocURI></Target><Data>it happened</Data></Item></Replace>'
                printf ','
                pl_schedule barred Trap/TrapID "./GwDev/$hatch/Trap/RxPower" "$(pl_set "$two" 0 13)"
                for name in trapped limit event barred; do
                        printf ',{"cmd": "exec", "uri": "./Schedule/%s/Operations/Activate"}' $name
                done
                printf ']'
        } >"$gp/policies"
        "$xrem" run lodge --file "$gp/policies" >/dev/null && gw_get pl/1 $pl/0 >/dev/null && gw_get pl/2 $pl/0 >"$gp/before"
}

pl_waiting() # how many results
{
        [ "$(gw_says lodge schedule-results-waiting)" -ge "$1" ]
}

# The right to change a lamp goes as long as the server is there to take it away; barred stays armed.
acts_while_the_server_is_away()
{
        local key
        key=$(pl_key pl/2) && "$xrem" set lodge "./GwDev/$key?prop=ACL" 'Get=*&Exec=xrem&Add=xrem&Delete=xrem' || return 1
        stop plserver || return 1
        pl_gone=$(date -u +%Y%m%dT%H%M%SZ)
        pl_hears lodge -95 && pl_hears hatch -95 || return 1
        eventually 30 pl_waiting 5 || fail "$("$gremd" --config "$home/lodge/gremd.conf" --status)" || return 1
        pl_back=$(date -u +%Y%m%dT%H%M%SZ)
        run_server plserver
}

pl_told() # schedule, its result: it ran while the server was away
{
        local when
        when=$(server=plserver events lodge | sed -n "s|.*TaskResult ./Schedule/$1 .*<ResultCode>$2</ResultCode>.*<Time>\(.*\)</Time>.*|\1|p")
        [[ -n $when && ! $when < $pl_gone && ! $pl_back < $when ]]
}

pl_all_told()
{
        pl_told trapped 1200 && pl_told limit 1200 && pl_told clock 1200 && pl_told event 1200
}

tells_it_with_its_time()
{
        eventually 20 pl_all_told || fail "$pl_gone $pl_back: $(server=plserver events lodge)" || return 1
        eventually 20 pl_lamp pl/1 0 42 && eventually 20 pl_lamp pl/1 1 'it is time' &&
                equal "$(gw_get lodge ./Vendor/xrem/Config/Note)" 'it happened' Note
}

pl_lamp() # device, resource, value
{
        [ "$(gw_get "$1" "$pl/$2")" = "$3" ]
}

never_does_what_it_may_not()
{
        eventually 20 pl_told barred 1403 || fail "$(server=plserver events lodge)" || return 1
        equal "$(gw_get pl/2 $pl/0)" "$(cat "$gp/before")" 'the lamp that it may not touch'
}

promise 'a gateway, two lamps and a hatch behind it' begins_with_three_devices
promise 'it is told what to do by itself' stores_policies_of_each_kind
promise 'without the server a trap of a device starts a task, a limit and a timer follow' acts_while_the_server_is_away
promise 'that is told later, with its time' tells_it_with_its_time
promise 'what it has no right to is never done' never_does_what_it_may_not
promise 'the hatch ends cleanly' stop hatch
promise 'so do the lamps' stop plsim
promise 'and their gateway' stop lodge
promise 'and the server' stop plserver
step_back
