# SPDX-License-Identifier: Apache-2.0
# Traps: a file system that fills up, in a mount namespace of its own; what is executed when one fires; a
# restart that nobody ordered.  Sourced by tests/acceptance/run, whose world it uses.

room=$home/trap-room
radio=$home/radio-machine
real_dremd=$dremd

# A mount namespace with a small file system in it; dremd runs there, and may be started again.
makes_room()
{
        mkdir -p "$room"
        unshare -rm mount -t tmpfs /dev/room "$room" || return 1
        unshare -rm sh -c "mount -t tmpfs -o size=24m /dev/room '$room' && echo made >'$room/.made' && exec sleep 600" &
        pid[room]=$!
        eventually 5 inside test -s "$room/.made" || return 1
        dremd=$home/inside-dremd
        printf '#!/bin/sh\nexec nsenter -t %s -U -m --preserve-credentials "%s" "$@"\n' "${pid[room]}" "$real_dremd" >"$dremd"
        chmod +x "$dremd"
}

inside() # command ...
{
        nsenter -t "${pid[room]}" -U -m --preserve-credentials "$@"
}

sets_a_trap()
{
        local leaf
        leaf=./Vendor/xrem/Disk/$(printf '%s' "${room#/}" | tr / _)
        add_device trap
        start_device trap "http://127.0.0.1:$plain_port/dm" '' '[diag]
latitude = 46.948
longitude = 7.4474'
        eventually 20 is_active trap || return 1
        equal "$("$xrem" get trap "$leaf/Mount")" "$room" Mount || return 1
        cat >"$home/trap.json" <<END
[{"cmd": "add", "uri": "./Trap/Room", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Ref", "data": "$leaf/FreeMB"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Low", "data": "4"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/Hysteresis", "data": "4"},
 {"cmd": "add", "uri": "./Trap/Room/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Trap/Room/ServerIDs/a/ServerID", "data": "xrem"},
 {"cmd": "add", "uri": "./Trap/Room/ToRef/p/URI", "data": "./Vendor/xrem/Ping"},
 {"cmd": "add", "uri": "./Trap/Room/ToRef/q/URI", "data": "./Vendor/xrem/Gone"}]
END
        "$xrem" run trap --file "$home/trap.json" >/dev/null &&
                equal "$("$xrem" get trap ./Trap/Room/TrapID)" urn:oma:mo:x-xrem-trap-threshold:1.0/Room TrapID &&
                equal "$("$xrem" get trap ./Trap/Room/Status)" 10 Status
}

fires_when_it_is_full()
{
        inside sh -c "head -c 22000000 /dev/zero >'$room/fill'" || return 1
        eventually 15 counted trap "${trap_type}Notification ./Trap/Room warning" 1 || return 1
        equal "$("$xrem" get trap ./Trap/Room/Status)" 20 Status
}

tells_what_it_cannot_execute()
{
        eventually 10 counted trap "${trap_type}Deregistered ./Trap/Room warning ./Vendor/xrem/Gone" 1 &&
                code_of 3 "$xrem" get trap ./Trap/Room/ToRef/q/URI &&
                equal "$("$xrem" get trap ./Trap/Room/ToRef/p/URI)" ./Vendor/xrem/Ping URI
}

# Killed and started while it is full: it has looked, it has nothing to say.
does_not_fire_again()
{
        stop trap KILL
        run_device trap
        eventually 15 has_status trap traps-active 1 && eventually 15 has_status trap state idle &&
                eventually 15 has_status trap alerts-waiting 0 || return 1
        "$xrem" get trap ./Trap/Room/Status >/dev/null && counted trap "${trap_type}Notification ./Trap/Room" 1 &&
                counted trap "${trap_type}InactiveNotification" 0
}

clears_when_there_is_room()
{
        inside rm "$room/fill" || return 1
        eventually 15 counted trap "${trap_type}InactiveNotification ./Trap/Room warning" 1 || return 1
        counted trap "${trap_type}Notification ./Trap/Room" 1 && equal "$("$xrem" get trap ./Trap/Room/Status)" 10 Status
}

logs_both()
{
        local log
        log=$("$xrem" tree trap ./DiagMon/TrapLog/DiagMonData) || return 1
        equal "$(echo "$log" | grep -c 'x-xrem-trap-threshold:1.0/Room')" 2 'records of it' &&
                echo "$log" | grep -q 'Event.*inactive' || fail "$log"
}

refuses_what_makes_no_sense()
{
        code_of 1 "$xrem" add trap ./Trap/Room/TrapConfig/HoldTime -- -1 && code_of 1 "$xrem" set trap ./Trap/Room/Status 20 &&
                code_of 1 "$xrem" delete trap ./Trap/HardReboot && code_of 1 "$xrem" delete trap ./Trap/Geo
}

# This device does not move; it is inside the moment the area is there.
knows_where_it_is()
{
        cat >"$home/trap.json" <<END
[{"cmd": "add", "uri": "./Trap/Geo/TrapConfig/GeoArea/town/Lat", "data": "46.95"},
 {"cmd": "add", "uri": "./Trap/Geo/TrapConfig/GeoArea/town/Long", "data": "7.45"},
 {"cmd": "add", "uri": "./Trap/Geo/TrapConfig/GeoArea/town/Radius", "data": "100"},
 {"cmd": "add", "uri": "./Trap/Geo/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run trap --file "$home/trap.json" >/dev/null && counted trap 'Notification ./Trap/Geo' 0 || return 1
        "$xrem" set trap ./Trap/Geo/TrapConfig/GeoArea/town/Radius 1000 || return 1
        eventually 15 counted trap "${trap_type}Notification ./Trap/Geo warning inside area town" 1
}

# The marker is as a machine leaves it whose power went: another run of it was going on.
tells_of_a_hard_restart()
{
        "$xrem" add trap ./Trap/HardReboot/ServerIDs/a/ServerID xrem || return 1
        stop trap KILL
        echo '11111111-2222-3333-4444-555555555555 running' >"$home/trap/trap/boot"
        run_device trap
        eventually 15 counted trap "${trap_type}Notification ./Trap/HardReboot warning" 1 || return 1
        stop trap KILL && run_device trap
        eventually 15 has_status trap state idle && "$xrem" get trap ./Trap/HardReboot/Status >/dev/null &&
                counted trap "${trap_type}Notification ./Trap/HardReboot" 1
}

deletes_a_trap()
{
        "$xrem" delete trap ./Trap/Room && code_of 3 "$xrem" get trap ./Trap/Room/Status
}

# A radio is what few machines of tests have: what the kernel would say of one is a file, in a folder that stands for
# the machine.
hears() # dBm
{
        printf 'Inter-| sta-|   Quality\n face | tus | link level noise\n wlan0: 0000   50.  %s.  -256        0      0\n' "$1" \
                >"$radio/proc/net/wireless.new" && mv "$radio/proc/net/wireless.new" "$radio/proc/net/wireless"
}

knows_a_radio()
{
        add_device radio && mkdir -p "$radio/proc/net" && hears -60 || return 1
        start_device radio "http://127.0.0.1:$plain_port/dm" '' '[diag]' "root = $radio"
        eventually 20 is_active radio || return 1
        cat >"$home/trap.json" <<END
[{"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/NetType", "data": "WLAN"},
 {"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/LowPower", "data": "-85"},
 {"cmd": "add", "uri": "./Trap/RxPower/TrapConfig/HighPower", "data": "-70"},
 {"cmd": "add", "uri": "./Trap/RxPower/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run radio --file "$home/trap.json" >/dev/null && equal "$("$xrem" get radio ./Trap/RxPower/Status)" 10 Status &&
                code_of 3 "$xrem" get radio ./Trap/DataSpeed/Status && hears -90
}

hears_little()
{
        eventually 15 counted radio "${trap_type}Notification ./Trap/RxPower warning" 1 || return 1
        equal "$("$xrem" get radio ./Trap/RxPower/Status)" 20 Status && hears -65
}

hears_again()
{
        eventually 15 counted radio "${trap_type}InactiveNotification ./Trap/RxPower warning" 1 || return 1
        equal "$("$xrem" get radio ./Trap/RxPower/Status)" 10 Status && counted radio "${trap_type}Notification ./Trap/RxPower" 1
}

promise 'a trap is set on the power of a radio' knows_a_radio
made=no
if makes_room >"$home/room.out" 2>&1; then
        made=yes
        promise 'a trap is set on the room of a file system' sets_a_trap
        promise 'it fires once when that is full' fires_when_it_is_full
        promise 'a node it cannot execute is dropped, and that is told' tells_what_it_cannot_execute
        promise 'killed and started again it does not fire again' does_not_fire_again
        promise 'it clears when there is room again' clears_when_there_is_room
        promise 'the log of traps on the device has both' logs_both
else
        count=$((count + 1))
        echo "ok $count - traps on a file system that fills up # SKIP no mount namespace: $(tail -n 1 "$home/room.out")"
fi
promise 'a radio that fades is told of' hears_little
if [ $made = yes ]; then
        promise 'what makes no sense in a trap is refused' refuses_what_makes_no_sense
        promise 'a place is entered' knows_where_it_is
        promise 'a restart that nobody ordered is told once' tells_of_a_hard_restart
        promise 'a trap is deleted' deletes_a_trap
        promise 'that device ends cleanly' stop trap
        kill "${pid[room]}" && wait "${pid[room]}" 2>/dev/null
        unset 'pid[room]'
fi
dremd=$real_dremd
promise 'once it is well heard again, that is told' hears_again
promise 'that device ends cleanly' stop radio
