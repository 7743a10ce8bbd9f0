# SPDX-License-Identifier: Apache-2.0
# Alarms: a disk that fills up is one, told twice it is one still, and it ends with the fault; others raise and clear
# by hand.  Sourced by tests/acceptance/run behind traps.sh, whose room it uses.

one_alarm() # device, member, value: there is one alarm of the device, and it is so
{
        "$xrem" --json alarm list "$1" --all | python3 -c '
import json, sys
items = json.load(sys.stdin)["items"]
assert len(items) == 1, f"{len(items)} alarms"
got = str(items[0].get(sys.argv[1]))
assert got == sys.argv[2], f"{sys.argv[1]}: {got}"' "$2" "$3"
}

alarm_id() # device
{
        "$xrem" --json alarm list "$1" --all | python3 -c 'import json,sys; print(json.load(sys.stdin)["items"][0]["id"])'
}

active_warnings()
{
        "$xrem" --json alarm counts | python3 -c 'import json,sys; print(json.load(sys.stdin)["active"]["warning"])'
}

watches_its_disk()
{
        local leaf
        leaf=./Vendor/xrem/Disk/$(printf '%s' "${room#/}" | tr / _)
        add_device full
        start_device full "http://127.0.0.1:$plain_port/dm" ''
        eventually 20 is_active full || return 1
        warnings=$(active_warnings)
        cat >"$home/full.json" <<END
[{"cmd": "add", "uri": "./Trap/Room", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Ref", "data": "$leaf/FreeMB"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Low", "data": "4"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Hysteresis", "data": "4"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Trap/Room/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run full --file "$home/full.json" >/dev/null
}

raises_one_alarm()
{
        inside sh -c "head -c 22000000 /dev/zero >'$room/fill'" || return 1
        eventually 15 one_alarm full state active || return 1
        one_alarm full count 1 && one_alarm full severity warning && one_alarm full source ./Trap/Room &&
                one_alarm full cause urn:oma:mo:x-xrem-trap-threshold:1.0/Room && one_alarm full probable_cause thresholdCrossed &&
                equal "$(active_warnings)" $((warnings + 1)) 'active warnings'
}

# Who registers anew while it is full is told anew.
counts_what_is_repeated()
{
        "$xrem" delete full ./Trap/Room/ServerIDs/a && "$xrem" add full ./Trap/Room/ServerIDs/a/ServerID xrem || return 1
        eventually 15 one_alarm full count 2 && one_alarm full state active && equal "$(active_warnings)" $((warnings + 1)) 'active warnings'
}

is_acknowledged()
{
        "$xrem" alarm ack "$(alarm_id full)" --comment 'being looked at' && one_alarm full acknowledged True &&
                "$xrem" alarm list full --unseen 2>&1 | grep -q 'no alarms'
}

clears_with_the_fault()
{
        inside rm "$room/fill" || return 1
        eventually 15 one_alarm full state cleared && one_alarm full count 2 && equal "$(active_warnings)" "$warnings" 'active warnings'
}

tells_its_history()
{
        "$xrem" alarm show "$(alarm_id full)" >"$home/full.out" || return 1
        equal "$(grep -oE ' (raised|acknowledged|commented|cleared),' "$home/full.out" | tr -d '\n')" \
                ' raised, acknowledged, commented, cleared,' history
}

others_raise_and_clear()
{
        local id
        id=$("$xrem" alarm raise full 'door open' --source cabinet --severity minor --text 'seen by the guard') || return 1
        equal "$("$xrem" alarm raise full 'door open' --source cabinet --severity major)" "$id" 'the same alarm' || return 1
        "$xrem" alarm show "$id" | grep -qE '^Count +2$' && "$xrem" alarm list full | grep -q 'major .*door open' || return 1
        "$xrem" alarm raise full 'door open' --source cabinet --severity cleared >/dev/null &&
                code_of 3 "$xrem" alarm raise full 'door open' --source cabinet --severity cleared &&
                "$xrem" alarm show "$id" | grep -qE '^State +cleared$'
}

obeys_rules()
{
        echo '[{"cause": "door open", "severity": "critical", "event_type": "environmentalAlarm",
                "probable_cause": "enclosureDoorOpen"}]' >"$home/rules.json"
        "$xrem" alarm rules --file "$home/rules.json" | grep -q 'own .*enclosureDoorOpen' || return 1
        eventually 5 raised_critical || return 1
        echo '[]' >"$home/rules.json" && "$xrem" alarm rules --file "$home/rules.json" >/dev/null &&
                "$xrem" alarm raise full 'door open' --source cabinet --severity cleared >/dev/null
}

raised_critical()
{
        "$xrem" alarm raise full 'door open' --source cabinet >/dev/null &&
                "$xrem" alarm list full | grep -q 'critical .*door open'
}

if makes_room >"$home/room.out" 2>&1; then
        promise 'a device watches the room on its disk' watches_its_disk
        promise 'a disk that fills up is one alarm' raises_one_alarm
        promise 'told again it is one still, counted' counts_what_is_repeated
        promise 'somebody acknowledges it' is_acknowledged
        promise 'it is over with the fault' clears_with_the_fault
        promise 'its history tells who did what' tells_its_history
        promise 'other systems raise alarms and end them' others_raise_and_clear
        promise 'rules of an operator say what a cause means' obeys_rules
        promise 'that device ends cleanly' stop full
        kill "${pid[room]}" && wait "${pid[room]}" 2>/dev/null
        unset 'pid[room]'
else
        count=$((count + 1))
        echo "ok $count - alarms of a disk that fills up # SKIP no mount namespace: $(tail -n 1 "$home/room.out")"
fi
dremd=$real_dremd
