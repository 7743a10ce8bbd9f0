# SPDX-License-Identifier: Apache-2.0
# Schedules: put on a device in one document, they run while the server is away, and tell when it is back.
# Sourced by tests/acceptance/run, whose world it uses.

note=./Vendor/xrem/Config/Note
nightly=./Schedule/nightly

schedule_server=${server:-server2} # whose ports the devices know

# A Replace of a leaf, a Get of it, and an Exec, once; nothing but TAB may stand between the fields.
write_schedule() # base time
{
        local t=$'\t'
        cat <<END
./nightly${t}node${t}urn:oma:mo:oma-dm-scheduling:1.0${t}
./nightly/ID${t}chr${t}text/plain${t}nightly
./nightly/Gating${t}int${t}text/plain${t}51
./nightly/Condition${t}node${t}${t}
./nightly/Condition/1${t}node${t}${t}
./nightly/Condition/1/Timer${t}node${t}${t}
./nightly/Condition/1/Timer/Base${t}chr${t}text/plain${t}$1
./nightly/Condition/1/Timer/Window${t}int${t}text/plain${t}600
./nightly/Task${t}node${t}${t}
./nightly/Task/1${t}node${t}${t}
./nightly/Task/1/Cmd${t}xml${t}text/plain${t}<Replace><Item><Target><LocURI>$note</LocURI></Target><Data>by itself</Data></Item></Replace>
./nightly/Task/2${t}node${t}${t}
./nightly/Task/2/Cmd${t}xml${t}text/plain${t}<Get><Item><Target><LocURI>$note</LocURI></Target></Item></Get>
./nightly/Task/3${t}node${t}${t}
./nightly/Task/3/Cmd${t}xml${t}text/plain${t}<Exec><Item><Target><LocURI>./Vendor/xrem/Ping</LocURI></Target></Item></Exec>
END
}

told() # the alerts of the device, a line each
{
        python3 "$here/events.py" "$home/$schedule_server" timed
}

is_told() # text
{
        told | grep -q -- "$1"
}

# All of it in one document through the Inbox, which puts it where its identifier belongs.
installs_it()
{
        add_device timed && start_device timed "http://127.0.0.1:$plain_port/dm" && eventually 20 is_active timed || return 1
        write_schedule 20300101T000000Z >"$home/nightly.txt"
        "$xrem" tnds from "$home/nightly.txt" -o "$home/nightly.xml" &&
                "$xrem" add timed ./Inbox --tnds "$home/nightly.xml" &&
                equal "$("$xrem" get timed $nightly/State)" 10 State &&
                equal "$("$xrem" get timed $nightly/Server)" xrem Server
}

# The server is gone when the time comes, and learns of it when it is back.
runs_without_the_server()
{
        local due gone back
        due=$(date -u -d '3 seconds' +%Y%m%dT%H%M%SZ)
        "$xrem" set timed $nightly/Condition/1/Timer/Base "$due" && "$xrem" exec timed $nightly/Operations/Activate || return 1
        stop "$schedule_server" || return 1
        gone=$(date -u +%Y%m%dT%H%M%SZ)
        has_status timed schedules-active 1 || return 1
        eventually 10 has_status timed schedule-results-waiting 2 || return 1
        back=$(date -u +%Y%m%dT%H%M%SZ)
        run_server "$schedule_server" && eventually 20 is_told '40</State>' || return 1
        schedule_ran=$(told | sed -n 's/.*TaskResult.*<Time>\(.*\)<.Time>.*/\1/p')
        told | sed 's/^/told: /'
        [[ ! $schedule_ran < $due && ! $schedule_ran < $gone && ! $back < $schedule_ran ]] ||
                fail "due $due, server gone $gone, ran '$schedule_ran', back $back" || return 1
        is_told "x-dm-scheduling:1.0:TaskResult $nightly informational <ResultCode>1200</ResultCode><ID>nightly</ID>" &&
                is_told '<Cmd seq="3"><Name>Exec</Name><Status>200</Status></Cmd>' &&
                is_told "x-dm-scheduling:1.0:StateChange $nightly informational .*<State>40</State>"
}

keeps_a_log()
{
        local first
        equal "$("$xrem" get timed $note)" 'by itself' Note && equal "$("$xrem" get timed $nightly/State)" 40 State &&
                equal "$("$xrem" get timed $nightly/LastRun)" "$schedule_ran" LastRun || return 1
        first=$("$xrem" get timed $nightly/Log | head -n 1)
        "$xrem" get timed "$nightly/Log?list=TNDS" | grep -q '<Value>by itself</Value>' || fail 'no value in the Log' || return 1
        "$xrem" delete timed "$nightly/Log/${first%%/*}"
}

runs_now()
{
        local job
        "$xrem" set timed $note before && job=$("$xrem" exec timed $nightly/Operations/RunNow --no-wait) &&
                "$xrem" job watch "$job" || return 1
        "$xrem" job show "$job" | grep -q '1200 All commands succeeded' || fail "$("$xrem" job show "$job")" || return 1
        equal "$("$xrem" get timed $note)" 'by itself' Note
}

refuses_nonsense()
{
        local out
        "$xrem" set timed $nightly/Condition/1/Timer/Base tomorrow || return 1
        out=$("$xrem" exec timed $nightly/Operations/Activate 2>&1) && fail 'it was taken' && return 1
        echo "$out" | grep -q 1404 || fail "$out" || return 1
        equal "$("$xrem" get timed $nightly/State)" 70 State &&
                equal "$("$xrem" get timed $nightly/Ext/xrem/Reason)" 'Timer/Base is no time' Reason
}

# A trap that nobody else has hooked on is watched for the schedule's sake.
starts_by_a_trap()
{
        cat >"$home/trapped.json" <<END
[{"cmd": "add", "uri": "./Trap/Slow", "format": "node"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/Ref", "data": "./Vendor/xrem/Config/Interval"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/High", "data": "5000"},
 {"cmd": "add", "uri": "./Trap/Slow/TrapConfig/SampIntrvl", "data": "1"},
 {"cmd": "add", "uri": "./Schedule/trapped/ID", "data": "trapped"},
 {"cmd": "add", "uri": "./Schedule/trapped/Condition/1/Trap/TrapID", "data": "urn:oma:mo:x-xrem-trap-threshold:1.0/Slow"},
 {"cmd": "add", "uri": "./Schedule/trapped/Task/1/Cmd", "format": "xml",
  "data": "<Replace><Item><Target><LocURI>$note</LocURI></Target><Data>it fired</Data></Item></Replace>"},
 {"cmd": "exec", "uri": "./Schedule/trapped/Operations/Activate"}]
END
        "$xrem" run timed --file "$home/trapped.json" && has_status timed traps-watched 1 &&
                "$xrem" set timed ./Vendor/xrem/Config/Interval 6000 &&
                eventually 15 is_told '<ID>trapped</ID>' && equal "$("$xrem" get timed $note)" 'it fired' Note &&
                "$xrem" exec timed ./Schedule/trapped/Operations/Deactivate && has_status timed traps-watched 0
}

promise 'a schedule comes in one document, and belongs to its server' installs_it
promise 'it runs while the server is away, and tells when it is back' runs_without_the_server
promise 'what it found stays to be read' keeps_a_log
promise 'run now, and the job ends with its result' runs_now
promise 'a trap starts one' starts_by_a_trap
promise 'a schedule that makes no sense is refused, and says why' refuses_nonsense
promise 'that device ends cleanly' stop timed
