# SPDX-License-Identifier: Apache-2.0
# Diagnostics: what this machine has and does arrives as sampled reports; checks, the way to a host, a restart.
# Sourced by tests/acceptance/run, whose world it uses.

dg=./DiagMon
made=$home/made-machine

# Where the machine has no sensor one is made up; all else is its own.
make_machine()
{
        mkdir -p "$made/sys/class/hwmon/hwmon0" "$made/sys/class/power_supply" && ln -s /proc "$made/proc" &&
                mkdir -p "$made/sys/fs/pstore" && echo 'Oops: it broke' >"$made/sys/fs/pstore/dmesg-ramoops-0" &&
                ln -s /sys/class/net "$made/sys/class/net" && ln -s /sys/block "$made/sys/block" &&
                echo 42500 >"$made/sys/class/hwmon/hwmon0/temp1_input" && echo acme >"$made/sys/class/hwmon/hwmon0/name"
}

start_diag_device()
{
        local root=
        compgen -G '/sys/class/hwmon/hwmon*/temp*_input' >/dev/null || { make_machine && root="root = $made"; } || return 1
        add_device diag
        start_device diag "http://127.0.0.1:$plain_port/dm" '[diag]' 'latitude = 46.947222' 'longitude = 7.444444' "$root" \
                '[check good]' 'command = echo fine' '[check disk]' 'command = echo it is old; exit 1' \
                '[firmware]' "fetch = $bin/drem/fetch/dremd-fetch"
        eventually 20 is_active diag
}

reports() # correlator, text: "metric time value" of each value whose name has it
{
        python3 - "$home/${server:-server2}/nrem.db" "$1" "$2" <<'END'
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=10)
for (text,) in db.execute("SELECT data FROM event WHERE kind = 'metric.samples' ORDER BY seq"):
    e = json.loads(text)
    if e["by"] != "report" or e.get("correlator") != sys.argv[2]:
        continue
    for sample in e["samples"]:
        for name, value in sample["values"].items():
            if sys.argv[3] in name:
                print(name, sample["at"], value)
END
}

ends() # correlator: the OperationComplete alerts there were
{
        python3 - "$home/${server:-server2}/nrem.db" "$1" <<'END'
import json, sqlite3, sys
db = sqlite3.connect("file:" + sys.argv[1] + "?mode=ro", uri=True, timeout=10)
print(*[e["data"] for e in (json.loads(t) for (t,) in db.execute("SELECT data FROM event WHERE kind = 'alert'"))
        if e.get("type", "").endswith("diagmon:1.0:OperationComplete") and e.get("correlator") == sys.argv[2]])
END
}

correlator_of() # job
{
        "$xrem" --json job show "$1" | python3 -c '
import json, sys
print([c["correlator"] for c in json.load(sys.stdin)["commands"] if c.get("correlator")][0])'
}

shows_this_machine()
{
        local kib
        kib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
        equal "$("$xrem" get diag $dg/Memory/DiagMonData/RAMTotal)" $((kib * 1024 / 1000)) RAMTotal &&
                equal "$("$xrem" get diag $dg/Location/DiagMonData/Lat)" 46.947222 Lat &&
                equal "$("$xrem" get diag $dg/Link/DiagMonData/lo/Name)" lo Name
}

offers_nothing_else()
{
        compgen -G '/sys/class/power_supply/*' >/dev/null || code_of 3 "$xrem" get diag $dg/Battery/Status || return 1
        code_of 3 "$xrem" get diag $dg/Phonebook/Status
}

run_of() # function, interval, period, duration: its job
{
        "$xrem" set diag "$dg/$1/DiagMonConfig/ConfigParms/SampIntrvl" "$2" >/dev/null &&
                "$xrem" set diag "$dg/$1/DiagMonConfig/ReportCondition/Period" "$3" >/dev/null &&
                "$xrem" set diag "$dg/$1/DiagMonConfig/DefDuration" "$4" >/dev/null &&
                "$xrem" exec diag "$dg/$1/Operations/Start" --no-wait
}

one_end() # job, result: it is done, and its end was told once
{
        local c
        "$xrem" job watch "$1" >/dev/null || return 1
        c=$(correlator_of "$1") && equal "$(ends "$c")" "$2" 'ends told'
}

# Three of them at once.
collects_samples()
{
        local memory sensor programs
        memory=$(run_of Memory 1 2 4) && sensor=$(run_of Sensor 1 2 4) && programs=$(run_of AppExe 0 0 1) || return 1
        one_end "$memory" 1200 && one_end "$sensor" 1200 && one_end "$programs" 1200 || return 1
        memory=$(correlator_of "$memory") sensor=$(correlator_of "$sensor") programs=$(correlator_of "$programs")
        reports "$memory" .RAMAvail >"$home/ram" && reports "$sensor" .Value >"$home/temp" &&
                reports "$programs" .Name >"$home/names"
}

memory_is_this_machines()
{
        local kib n=0 times=0 source time value last=
        kib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
        while read -r source time value; do
                [ "$source" = memory.RAMAvail ] && [ "$value" -gt 0 ] && [ "$value" -le $((kib * 1024 / 1000)) ] ||
                        fail "$source $value" || return 1
                [[ $time =~ ^20[0-9-]{8}T[0-9:]{8}Z$ && ! $time < $last ]] || fail "time '$time' after '$last'" || return 1
                [ "$time" = "$last" ] || times=$((times + 1)) # one that was late may have its second with the next
                last=$time n=$((n + 1))
        done <"$home/ram"
        [ $times -ge 3 ] && [ $n -le 6 ] || fail "$n samples, $times times in 4 s"
}

temperature_is_this_machines()
{
        local source time value n=0
        while read -r source time value; do
                [ ! -d "$made" ] || [ "$value" = 42.5 ] || fail "$value" || return 1
                n=$((n + 1))
        done <"$home/temp"
        [ "$n" -ge 3 ] || fail "$n samples"
}

processes_are_this_machines()
{
        grep -q " dremd$" "$home/names" && grep -q " nremd$" "$home/names" || fail "$(head "$home/names")" || return 1
        grep -q "appexeinfo.${pid[diag]}.Name .* dremd$" "$home/names" || fail 'not its own number'
}

stops_when_told()
{
        local job
        job=$(run_of Memory 1 0 0) || return 1
        eventually 10 sh -c "'$xrem' get diag $dg/Memory/Status | grep -qx 20" &&
                code_of 1 "$xrem" exec diag $dg/Memory/Operations/Start &&
                "$xrem" exec diag $dg/Memory/Operations/Stop && one_end "$job" 1200 &&
                equal "$("$xrem" get diag $dg/Memory/Status)" 30 Status
}

goes_on_after_a_kill()
{
        local job
        job=$(run_of Memory 1 0 6) || return 1
        eventually 10 sh -c "'$xrem' get diag $dg/Memory/Status | grep -qx 20" || return 1
        stop diag KILL
        run_device diag
        one_end "$job" 1200 && equal "$("$xrem" get diag $dg/Memory/Status)" 40 Status
}

measures_the_way()
{
        "$xrem" set diag $dg/QoS/DiagMonConfig/ConfigParms/Host 127.0.0.1 && "$xrem" set diag $dg/QoS/DiagMonConfig/ConfigParms/Count 3 &&
                "$xrem" exec diag $dg/QoS/Operations/Start &&
                equal "$("$xrem" get diag $dg/QoS/DiagMonData/Loss)" 0.00 Loss
}

tests_itself()
{
        "$xrem" exec diag $dg/SelfTest/Operations/Start &&
                equal "$("$xrem" get diag $dg/SelfTest/DiagMonData/good/Result)" 0 good &&
                equal "$("$xrem" get diag $dg/SelfTest/DiagMonData/disk/Result)" 1 disk &&
                equal "$("$xrem" get diag $dg/SelfTest/DiagMonData/disk/Text)" 'it is old' Text
}

counts_over_periods()
{
        "$xrem" set diag $dg/PM/DiagMonConfig/ConfigParms/Counters 'cpu.user net.lo.rx_bytes' &&
                "$xrem" set diag $dg/PM/DiagMonConfig/ConfigParms/Granularity 1 &&
                "$xrem" set diag $dg/PM/DiagMonConfig/DefDuration 2 && "$xrem" exec diag $dg/PM/Operations/Start &&
                "$xrem" tree diag $dg/PM/DiagMonData | grep -q 'net.lo.rx_bytes' || return 1
        "$xrem" set diag $dg/PM/DiagMonConfig/ConfigParms/Counters 'net.nowhere.rx_bytes' &&
                code_of 1 "$xrem" exec diag $dg/PM/Operations/Start
}

sends_data_elsewhere()
{
        python3 "$here/take.py" "$home/taken" >"$home/take.port" &
        pid[take]=$!
        eventually 10 test -s "$home/take.port" || return 1
        "$xrem" set diag $dg/Link/DiagMonConfig/DiagDataURL "http://127.0.0.1:$(cat "$home/take.port")/data" &&
                "$xrem" exec diag $dg/Link/Operations/Start || return 1
        wait "${pid[take]}"
        unset 'pid[take]'
        grep -q '^application/vnd.syncml.dmtnds+xml$' "$home/taken" && grep -q 'RxBytes' "$home/taken" &&
                "$xrem" set diag $dg/Link/DiagMonConfig/DiagDataURL ''
}

records_a_panic()
{
        equal "$("$xrem" get diag $dg/PanicLog/DiagMonData/1/Log)" 'Oops: it broke' Log
}

starts_again()
{
        local job
        job=$("$xrem" exec diag $dg/Restart/Operations/Start --no-wait) && one_end "$job" 1200 &&
                equal "$("$xrem" get diag $dg/Restart/DiagMonData/RestartCount)" 1 RestartCount &&
                equal "$("$xrem" get diag $dg/Restart/DiagMonData/LastReason)" ordered LastReason
}

promise 'a device offers what its machine has' start_diag_device
promise 'and tells of this machine' shows_this_machine
promise 'what it has not has no node' offers_nothing_else
promise 'memory, temperature and processes arrive as sampled reports, and each run ends once' collects_samples
promise 'memory is that of this machine, with the time of each sample' memory_is_this_machines
promise 'so is the temperature' temperature_is_this_machines
promise 'so are the processes' processes_are_this_machines
promise 'a run without end is stopped' stops_when_told
promise 'kill -9 in the middle of a run ends in one result' goes_on_after_a_kill
if "$xrem" get diag $dg/QoS/Status >/dev/null 2>&1; then
        promise 'the way to a host is measured' measures_the_way
else
        promise 'the way to a host is measured # SKIP no right to send ICMP' true
fi
promise 'the checks of the device are run' tests_itself
promise 'counters over periods' counts_over_periods
promise 'data are sent to a server of their own' sends_data_elsewhere
if [ -d "$made" ]; then
        promise 'what the kernel left behind is recorded' records_a_panic
else
        promise 'what the kernel left behind is recorded # SKIP this machine is not made up' true
fi
promise 'a restart that was ordered is told after it' starts_again
promise 'that device ends cleanly' stop diag
