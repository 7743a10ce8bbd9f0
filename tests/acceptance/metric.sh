# SPDX-License-Identifier: Apache-2.0
# Performance data: memory and temperature of this machine sampled by dremd, asked for by the server, shown
# as CSV with a gap where dremd was away; thresholds.  Sourced by tests/acceptance/run, whose world it uses.

mt=$home/metric-things
memory=memory.RAMTotal
zone=$mt/machine/sys/class/thermal/thermal_zone0

# Where the machine has no thermal zone one is made up; all else is its own.
make_zone()
{
        mkdir -p "$zone" && ln -s /proc "$mt/machine/proc" && echo board >"$zone/type" && echo 38500 >"$zone/temp"
}

start_metric_world()
{
        local root=
        mkdir -p "$mt"
        [ -e /sys/class/thermal/thermal_zone0/temp ] || { make_zone && root="root = $mt/machine"; } || return 1
        start_server server-metric && add_device gauge && add_device other || return 1
        start_device gauge "http://127.0.0.1:$plain_port/dm" '' '[diag]' "$root" && eventually 20 is_active gauge
}

samples_of() # metric: how many there are
{
        "$xrem" metric get gauge "$1" --from -10m --step raw --csv 2>/dev/null | tr -d '\r' | awk -F, 'NR > 1 && $4 != "" {n++} END {print n + 0}'
}

has_samples() # metric, how many
{
        [ "$(samples_of "$1")" -ge "$2" ]
}

is_this_machine() # metric: each value is the memory of this machine, kByte of 1000 octets
{
        local kib
        kib=$(sed -n 's/^MemTotal: *\([0-9]*\).*/\1/p' /proc/meminfo)
        "$xrem" metric get gauge "$1" --from -10m --step raw --csv | tr -d '\r' >"$mt/csv" || return 1
        awk -F, -v want=$((kib * 1024 / 1000)) 'NR > 1 && $4 != "" && $4 != want {exit 1}' "$mt/csv" || { cat "$mt/csv"; return 1; }
}

reports_samples()
{
        run=$("$xrem" metric collect --function ./DiagMon/Memory --every 1 --device gauge --name 'memory of this machine') &&
                eventually 20 has_samples $memory 3 && is_this_machine $memory &&
                "$xrem" metric list gauge | grep -q '^memory.RAMAvail '
}

answers_questions()
{
        ask=$("$xrem" metric collect ram=./DiagMon/Memory/DiagMonData/RAMTotal --every 1 --prefix gau) &&
                eventually 20 has_samples ram 2 && is_this_machine ram &&
                "$xrem" metric collections | grep -q 'ram\|RAMTotal' || return 1
        heat=$("$xrem" metric collect temperature=./DiagMon/Sensor/DiagMonData/zone0/Value --every 1 --device gauge) &&
                eventually 20 has_samples temperature 2
}

# dremd is away for longer than a sample and a half of both.
marks_the_gap()
{
        local before away
        before=$(samples_of ram)
        stop gauge && away=$SECONDS && eventually 20 overdue || return 1
        [ ! -d "$zone" ] || echo 41250 >"$zone/temp"
        run_device gauge || return 1
        eventually 20 has_samples ram $((before + 2)) && eventually 20 has_gap ram && eventually 20 has_gap $memory || { tail -n 8 "$mt/csv"; return 1; }
        "$xrem" metric get gauge ram --from -10m --step raw | grep -q 'gap until' &&
                "$xrem" --json metric get gauge ram --from -10m --step raw | grep -q '"gap": true'
}

# Before the gap it was another one than after it.
shows_the_temperature()
{
        eventually 20 has_gap temperature || { tail -n 8 "$mt/csv"; return 1; }
        awk -F, -v made="$([ -d "$zone" ] && echo 1)" 'NR > 1 && $5 != "" {gap = 1}
                NR > 1 && $4 != "" {if (made ? $4 != (gap ? 41.25 : 38.5) : $4 < -40 || $4 > 130) bad = 1}
                END {exit bad || !gap}' "$mt/csv" || { cat "$mt/csv"; return 1; }
}

overdue() # both of them, and long enough: what is reported in one message is late before it is missed
{
        [ $((SECONDS - away)) -ge 6 ] || return 1
        "$xrem" metric list gauge >"$mt/list" && grep -q '^ram .* yes' "$mt/list" && grep -q "^$memory .* yes" "$mt/list"
}

# A line with a time until which nothing came, and samples before and behind it.
has_gap() # metric
{
        "$xrem" metric get gauge "$1" --from -10m --step raw --csv | tr -d '\r' >"$mt/csv"
        awk -F, 'NR > 1 && $5 != "" {gap = before} NR > 1 && $4 != "" {before = 1; if (gap) {got = 1}} END {exit !got}' "$mt/csv"
}

rolls_up()
{
        local raw
        raw=$(samples_of ram)
        "$xrem" metric get gauge ram --from -1h --step 5m --csv | tr -d '\r' >"$mt/five" || return 1
        awk -F, -v most="$raw" 'NR > 1 && $4 != "" {n += $4; if ($5 != $6 || $7 != $5) bad = 1} END {exit bad || n < most}' "$mt/five" ||
                { cat "$mt/five"; return 1; }
}

goes_on_after_a_kill()
{
        local before
        before=$(samples_of ram)
        kill -KILL "${pid[server-metric]}" && wait "${pid[server-metric]}" 2>/dev/null
        run_server server-metric && eventually 20 has_samples ram $((before + 2)) || return 1
        "$xrem" metric get gauge ram --from -10m --step raw --csv | cut -d, -f1 | sort | uniq -d >"$mt/twice"
        [ ! -s "$mt/twice" ] || fail "twice: $(cat "$mt/twice")"
}

takes_what_others_measured()
{
        "$xrem" threshold add load --high 80 --hysteresis 5 --device other --severity major >"$mt/threshold" &&
                "$xrem" metric put other load=60 state=up --at "$(date -u -d '-5 minutes' +%FT%TZ)" &&
                "$xrem" metric put other load=60 --at "$(date -u -d '-4 minutes' +%FT%TZ)" &&
                "$xrem" metric put other load=81 --at "$(date -u -d '-3 minutes' +%FT%TZ)" &&
                "$xrem" metric put other load=81 --at "$(date -u -d '-3 minutes' +%FT%TZ)" &&
                "$xrem" metric put other load=70.5 --at "$(date -u -d '-2 minutes' +%FT%TZ)" &&
                eventually 20 crossed 2 && equal "$("$xrem" metric get other load --from -1h --step raw --csv | tr -d '\r' | awk -F, '$4 != "" {printf "%s ", $4}')" \
                'value 60 60 81 70.5 ' values && "$xrem" metric list other | grep -q '^state .* up ' &&
                "$xrem" threshold remove "$(cat "$mt/threshold")"
}

crossed() # how often
{
        equal "$("$xrem" --json event -n 200 | grep -c 'metric.crossed')" "$1" crossings
}

stops()
{
        "$xrem" metric stop "$run" && "$xrem" metric stop "$ask" && "$xrem" metric stop "$heat" &&
                eventually 20 sh -c "! '$xrem' metric collections 2>/dev/null | grep -q ." &&
                eventually 20 sh -c "'$xrem' get gauge ./DiagMon/Memory/Status | grep -qx 30"
}

step_out
promise 'a device that measures' start_metric_world
promise 'memory of this machine arrives as sampled reports' reports_samples
promise 'and when it is asked for every second' answers_questions
promise 'while dremd is away there is a gap, and nothing made up' marks_the_gap
promise 'the temperature of this machine as CSV, its gap marked' shows_the_temperature
promise 'a roll-up says the same' rolls_up
promise 'kill -9 of the server loses and doubles nothing' goes_on_after_a_kill
promise 'what others measured is taken once, and crosses thresholds' takes_what_others_measured
promise 'collections stop, on the device too' stops
promise 'that device ends cleanly' stop gauge
promise 'and that server' stop server-metric
step_back
