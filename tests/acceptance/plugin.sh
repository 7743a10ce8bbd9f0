# SPDX-License-Identifier: Apache-2.0
# Vendor objects: the two examples of docs/examples at work, a table file with files and programs of ours and a
# shared object; a trap on a value that a busy loop drives.  Sourced by tests/acceptance/run, whose world it uses.

plug=$home/plug-in
examples=$here/../../docs/examples
vendor=./Vendor/meter
old_path=$PATH

# What the example's table calls: the power is the time that a process has used so far.
makes_the_meter()
{
        mkdir -p "$plug/tables" "$plug/bin" "$plug/lib"
        cp "$examples/meter.table" "$plug/tables/"
        echo 'M-4711' >"$plug/tables/serial"
        echo 100 >"$plug/tables/limit"
        sleep 600 &
        pid[busy]=$!
        echo "${pid[busy]}" >"$plug/watched"
        cat >"$plug/bin/meter-read" <<END
#!/bin/sh
cut -d ' ' -f 14 "/proc/\$(cat '$plug/watched')/stat"
END
        cat >"$plug/bin/meter-reset" <<END
#!/bin/sh
echo begun >>'$plug/resets'
while test -e '$plug/slow'; do sleep 0.1; done
test -e '$plug/broken' && echo 'the line is dead' && exit 3
exit 0
END
        chmod +x "$plug/bin/"*
}

has_objects()
{
        makes_the_meter || return 1
        PATH=$plug/bin:$old_path
        add_device plug
        start_device plug "http://127.0.0.1:$plain_port/dm" '' "[plugin]
tables = $plug/tables
$1"
        PATH=$old_path
        eventually 20 is_active plug || return 1
        equal "$("$xrem" get plug $vendor/Serial)" M-4711 Serial &&
                equal "$("$xrem" get plug "$vendor?prop=Type")" urn:oma:mo:x-example-meter:1.0 Type
}

describes_a_table()
{
        "$dremd" --describe "$plug/tables/meter.table" >"$plug/meter.ddf" && "$xrem" ddf check "$plug/meter.ddf" &&
                grep -q 'Start counting anew' "$plug/meter.ddf" && code_of 1 "$dremd" --describe "$plug/watched"
}

node_is() # URI, value
{
        equal "$("$xrem" get plug "$1")" "$2" "$1"
}

sets_a_file()
{
        "$xrem" set plug $vendor/Config/Limit 42 && equal "$(cat "$plug/tables/limit")" 42 'the file' || return 1
        code_of 1 "$xrem" set plug $vendor/Config/Limit much || return 1
        code_of 1 "$xrem" set plug $vendor/Serial M-1 || return 1
        echo 77 >"$plug/tables/limit"
        eventually 10 node_is $vendor/Config/Limit 77 || return 1
        rm "$plug/tables/limit"
        eventually 10 code_of 3 "$xrem" get plug $vendor/Config/Limit || return 1
        echo 78 >"$plug/tables/limit"
        eventually 10 node_is $vendor/Config/Limit 78
}

# A job that fails as a whole puts the file back.
takes_a_file_back()
{
        cat >"$home/plug.json" <<END
[{"cmd": "replace", "uri": "$vendor/Config/Limit", "data": "5"},
 {"cmd": "replace", "uri": "$vendor/None", "data": "5"}]
END
        code_of 1 "$xrem" run plug --atomic --file "$home/plug.json" && equal "$(cat "$plug/tables/limit")" 78 'the file'
}

runs_a_command()
{
        local out
        "$xrem" exec plug $vendor/Reset && equal "$(cat "$plug/resets")" begun resets || return 1
        touch "$plug/broken"
        out=$("$xrem" exec plug $vendor/Reset 2>&1) && fail 'it went well' && return 1
        rm "$plug/broken"
        echo "$out" | grep -q 1402 || fail "$out"
}

# It is not run again, and the server hears that.
is_killed_in_a_command()
{
        local job before
        before=$(wc -l <"$plug/resets")
        touch "$plug/slow"
        job=$("$xrem" exec plug $vendor/Reset --no-wait) || return 1
        eventually 10 sh -c "[ \$(wc -l <'$plug/resets') -gt $before ]" || return 1
        stop plug KILL
        rm "$plug/slow"
        PATH=$plug/bin:$old_path run_device plug
        "$xrem" job watch "$job" && fail 'it went well' && return 1
        "$xrem" job show "$job" | grep -q 1404 || fail "$("$xrem" job show "$job")" || return 1
        equal "$(wc -l <"$plug/resets")" $((before + 1)) resets
}

# A busy loop takes the place of the process that sleeps.
fires_on_a_busy_loop()
{
        eventually 10 "$xrem" get plug $vendor/Now/Power || return 1
        cat >"$home/plug.json" <<END
[{"cmd": "add", "uri": "./Trap/Busy", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Busy/TrapConfig/Ref", "data": "$vendor/Now/Power"},
 {"cmd": "add", "uri": "./Trap/Busy/TrapConfig/High", "data": "30"},
 {"cmd": "add", "uri": "./Trap/Busy/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Trap/Busy/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run plug --file "$home/plug.json" >/dev/null || return 1
        equal "$("$xrem" get plug ./Trap/Busy/Status)" 10 Status || return 1
        (while :; do :; done) &
        pid[loop]=$!
        echo "${pid[loop]}" >"$plug/watched"
        eventually 15 counted plug "TrapNotification ./Trap/Busy warning" 1 || return 1
        kill "${pid[loop]}" && wait "${pid[loop]}" 2>/dev/null
        unset 'pid[loop]'
        echo "${pid[busy]}" >"$plug/watched"
        eventually 15 counted plug "TrapInactiveNotification ./Trap/Busy warning" 1
}

has_a_shared_object()
{
        node_is ./Vendor/tank/Level 70 && node_is ./Vendor/tank/Pump/inlet/Speed 1200 &&
                node_is ./Vendor/tank/Pump/outlet/Speed 0 && code_of 3 "$xrem" get plug ./Vendor/tank/Pump/third/Speed &&
                "$xrem" set plug ./Vendor/tank/Most 50 && node_is ./Vendor/tank/Level 50 || return 1
        code_of 1 "$xrem" set plug ./Vendor/tank/Most 101 && node_is ./Vendor/tank/Most 50 || return 1
        "$xrem" exec plug ./Vendor/tank/Drain && node_is ./Vendor/tank/Level 0 &&
                code_of 1 "$xrem" exec plug ./Vendor/tank/Drain
}

refuses_a_bad_table()
{
        printf '[node A]\nformat = int\n' >"$plug/tables/bad.table"
        code_of 1 "$dremd" --config "$home/plug/dremd.conf" 2>"$home/bad.out"
        grep -q "$plug/tables/bad.table:1: .*is missing" "$home/bad.out" || fail "$(cat "$home/bad.out")" || return 1
        rm "$plug/tables/bad.table"
}

compile()
{
        mkdir -p "$plug/lib" && ${CC:-cc} -shared -fPIC -Wall -I"$here/../../include" -o "$plug/lib/tank.so" "$examples/tank.c"
}

if command -v "${CC:-cc}" >/dev/null && compile; then
        objects="objects = tank
folder = $plug/lib"
else
        objects=
fi
promise 'a table file is an object of the device' has_objects "$objects"
promise 'its description is a good one' describes_a_table
promise 'a server sets a file, and sees what others write there' sets_a_file
promise 'a job that is taken back takes the file back' takes_a_file_back
promise 'an Exec runs a command, and tells how it ended' runs_a_command
promise 'killed in a command: it is not run again, and that is told' is_killed_in_a_command
promise 'a trap on a value that a busy loop drives fires once, and clears' fires_on_a_busy_loop
if [ -n "$objects" ]; then
        promise 'a shared object is an object of the device' has_a_shared_object
else
        count=$((count + 1))
        echo "ok $count - a shared object is an object of the device # SKIP no C compiler"
fi
promise 'that device ends cleanly, too' stop plug
promise 'a bad table stops the start, with file and line' refuses_a_bad_table
kill "${pid[busy]}" && wait "${pid[busy]}" 2>/dev/null
unset 'pid[busy]'
