# SPDX-License-Identifier: Apache-2.0
# Lock, wipe, factory reset and capabilities of a device, by commands with real effects on files.
# Sourced by tests/acceptance/run, whose world it uses.

lw=$home/lw-things
law=./LAWMO/Operations
cam=./DCMO/camera

make_things()
{
        mkdir -p "$lw/data/deep/er" "$lw/logs" "$lw/plug" && touch "$lw/camera-on" || return 1
        echo mine >"$lw/data/deep/er/letter"
        echo "of $(date)" | tee "$lw/logs/one" >"$lw/logs/.two"
        ln -s "$lw/logs/one" "$lw/data/link"
        # says what it does, where the test can hold it in the middle
        cat >"$lw/lock" <<'END'
#!/bin/sh
echo "$2" >>"$1/calls"
[ ! -e "$1/refuse" ] || { echo 'a door is open'; exit 1; }
echo begun >"$1/$2.begun"
while [ -e "$1/hold" ]; do sleep 0.05; done
case $2 in
FullyLock) touch "$1/locked" ;;
UnLock) rm -f "$1/locked" ;;
esac
END
        chmod +x "$lw/lock"
}

start_lock_device()
{
        make_things || return 1
        add_device lw
        start_device lw "http://127.0.0.1:$plain_port/dm" '' "[lawmo]
fully_lock = $lw/lock $lw \$1
unlock = $lw/lock $lw \$1
factory_reset = echo new >$lw/factory
wipe_paths = $lw/data
notify = echo \"\$1 \$2\" >>$lw/told
[wipe logs]
title = Log files
paths = $lw/logs
command = echo \"\$1 \$2\" >$lw/wiped; while [ -e $lw/hold ]; do sleep 0.05; done
[dcmo]
check = 300ms
[capability camera]
group = Hardware
enable = touch $lw/camera-on
disable = rm $lw/camera-on
state = test -e $lw/camera-on
attached = test -e $lw/plug/camera
[capability wan]
property = Cellular
enable = true
disable = true
bearer = yes"
        eventually 20 is_active lw
}

says() # device, URI, value
{
        equal "$("$xrem" get lw "$1")" "$2" "$1"
}

ends_with() # wanted text, xrem arguments: an order, and what is told of its end
{
        local want=$1 out
        shift
        out=$("$xrem" exec lw "$@" 2>&1) || true
        echo "$out" | grep -q -- "$want" || fail "want '$want': $out"
}

locks_and_unlocks()
{
        ends_with 1200 $law/FullyLock && says ./LAWMO/State 10 && [ -e "$lw/locked" ] || return 1
        equal "$(status lw lock-state)" 10 lock-state || return 1
        "$xrem" exec lw $law/FullyLock && equal "$(wc -l <"$lw/calls")" 1 'commands run' || return 1
        ends_with 1200 $law/UnLock && says ./LAWMO/State 30 && [ ! -e "$lw/locked" ]
}

refuses_what_it_cannot_do()
{
        ends_with 406 $law/PartiallyLock || return 1
        touch "$lw/refuse"
        ends_with 1402 $law/FullyLock && says ./LAWMO/State 30 && says ./LAWMO/Ext/xrem/Reason 'a door is open' &&
                rm "$lw/refuse"
}

# dremd dies while the lock is being made.  It starts locked: the command has run before it is ready.
starts_locked_after_a_power_cut()
{
        local job
        rm -f "$lw/FullyLock.begun"
        touch "$lw/hold"
        job=$("$xrem" exec lw $law/FullyLock --no-wait) || return 1
        eventually 20 test -s "$lw/FullyLock.begun" || return 1
        stop lw KILL
        rm "$lw/hold"
        run_device lw
        "$xrem" job watch "$job" || return 1
        [ -e "$lw/locked" ] && says ./LAWMO/State 10 || return 1
        rm "$lw/locked" # and whoever starts it again finds it locked again
        stop lw && run_device lw
        eventually 20 test -e "$lw/locked" && ends_with 1200 $law/UnLock
}

last_alarm() # severity, text
{
        alarms lw | tail -n 1 | grep -q "<Severity>$1</Severity><Cause>lock-failed</Cause><Object>./LAWMO</Object><Text>${2:-}"
}

# Its lock cannot be made at the start: that is told, and tried until it is done.
tells_when_it_is_not_locked()
{
        ends_with 1200 $law/FullyLock && stop lw && rm "$lw/locked" && touch "$lw/refuse" && run_device lw || return 1
        eventually 20 last_alarm critical 'a door is open' && says ./LAWMO/State 10 && [ ! -e "$lw/locked" ] || return 1
        rm "$lw/refuse"
        "$dremd" --config "$home/lw/dremd.conf" --sync >/dev/null && eventually 10 test -e "$lw/locked" &&
                eventually 10 last_alarm cleared && ends_with 1200 $law/UnLock && [ ! -e "$lw/locked" ]
}

wipes_what_is_marked()
{
        "$xrem" set lw ./LAWMO/LAWMOConfig/NotifyUser true || return 1
        ends_with 1201 $law/Wipe || return 1
        [ -d "$lw/data" ] && equal "$(ls -A "$lw/data")" '' 'what is left' && [ -s "$lw/logs/.two" ] || return 1
        eventually 5 grep -q 'Wipe done' "$lw/told" || return 1
        says ./LAWMO/AvailableWipeList/logs/ListItemName 'Log files' &&
                "$xrem" set lw ./LAWMO/AvailableWipeList/logs/ToBeWiped true && ends_with 1202 $law/Wipe || return 1
        equal "$(ls -A "$lw/logs")" '' 'what is left' && equal "$(cat "$lw/wiped")" 'Wipe logs' &&
                says ./LAWMO/AvailableWipeList/logs/ToBeWiped false
}

# Nothing is left of what was marked when dremd is ready, and the order ends once.
goes_on_with_a_wipe()
{
        local job
        echo left >"$lw/logs/three" && rm "$lw/wiped" && touch "$lw/hold" || return 1
        "$xrem" set lw ./LAWMO/AvailableWipeList/logs/ToBeWiped true && job=$("$xrem" exec lw $law/Wipe --no-wait) &&
                eventually 20 test -s "$lw/wiped" || return 1
        stop lw KILL
        [ -e "$lw/logs/three" ] || fail 'it was wiped before' || return 1
        rm "$lw/hold"
        from=$(wc -l <"$home/lw.log")
        run_device lw
        "$xrem" job watch "$job" || return 1
        "$xrem" job show "$job" | grep -q '1202' || fail "$("$xrem" job show "$job")" || return 1
        equal "$(ls -A "$lw/logs")" '' 'what is left' || return 1
        tail -n +$((from + 1)) "$home/lw.log" | grep -E 'operation done|ready' | head -n 1 | grep -q 'operation=Wipe' ||
                fail 'dremd was ready before it was wiped'
}

switches_capabilities()
{
        ends_with 1200 $cam/Operations/Disable && says $cam/Enabled false && [ ! -e "$lw/camera-on" ] || return 1
        ends_with 1200 $cam/Operations/Enable && says $cam/Enabled true && [ -e "$lw/camera-on" ] || return 1
        ends_with 405 ./DCMO/wan/Operations/Disable && says ./DCMO/wan/Enabled true
}

sees_what_people_do()
{
        says $cam/Attached false && touch "$lw/plug/camera" && eventually 10 says $cam/Attached true || return 1
        rm "$lw/camera-on" && eventually 10 says $cam/Enabled false || return 1
        touch "$lw/camera-on" && eventually 10 says $cam/Enabled true || return 1
        ends_with 1200 $cam/Operations/Disable && "$xrem" set lw $cam/DCMOConfig/DenyUserEnable true || return 1
        touch "$lw/camera-on" # which the user may not
        eventually 10 sh -c "! test -e '$lw/camera-on'" && says $cam/Enabled false
}

# What is off stays off, and what the configuration brings is told.
keeps_capabilities_over_a_start()
{
        stop lw
        touch "$lw/camera-on"
        printf '[capability usb]\nenable = true\ndisable = true\n' >>"$home/lw/dremd.conf"
        run_device lw
        eventually 10 sh -c "! test -e '$lw/camera-on'" && says $cam/Enabled false || return 1
        eventually 20 sh -c "python3 '$here/events.py' '$home/${server:-server2}' lw | grep -q NewCapability"
}

is_new_again()
{
        "$xrem" set lw ./Vendor/xrem/Config/Note mine || return 1
        "$xrem" exec lw $law/FactoryReset || return 1
        equal "$(cat "$lw/factory")" new factory && says ./LAWMO/State 30 &&
                says ./Vendor/xrem/Config/Note '' && [ ! -e "$home/lw/factory-reset.done" ]
}

promise 'a device that can be locked and wiped' start_lock_device
promise 'it is locked and unlocked, by its commands' locks_and_unlocks
promise 'what it cannot do is refused, what fails is told with its reason' refuses_what_it_cannot_do
promise 'kill -9 in a lock ends locked, before anybody uses it' starts_locked_after_a_power_cut
promise 'a device that cannot be locked at its start says so, and is when it can be' tells_when_it_is_not_locked
promise 'a wipe takes the data, and what is marked' wipes_what_is_marked
promise 'kill -9 in a wipe: it goes on before dremd is ready' goes_on_with_a_wipe
promise 'a capability is switched off and on; the bearer of the session is not' switches_capabilities
promise 'what people do on the device is seen, and what they may not is put back' sees_what_people_do
promise 'capabilities are kept over a restart, and a new one is told' keeps_capabilities_over_a_start
promise 'after a factory reset the device is new, calls, and tells who ordered it' is_new_again
promise 'that device ends cleanly' stop lw
