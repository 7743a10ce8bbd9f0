# SPDX-License-Identifier: Apache-2.0
# A rule that starts a job on a real device when an alarm is raised, once, and tags it.
# Sourced by tests/acceptance/run, whose world it uses.

has_rule_job() # device, state, how many
{
        equal "$("$xrem" --json job list "$1" | grep -c '"kind": *"rule"')" "$3" jobs || return 1
        equal "$("$xrem" --json job list "$1" --state "$2" | grep -c '"kind": *"rule"')" "$3" "jobs $2"
}

rule_on_an_alarm()
{
        cat >"$home/rule.json" <<'END'
{"name": "ping on heat", "on": "alarm.raised", "where": {"severity": ["critical", "major"]},
 "devices": {"prefix": "ru-"}, "again_after": 0,
 "do": [{"job": {"commands": [{"cmd": "exec", "uri": "./Vendor/xrem/Ping"}]}}, {"tag": "hot"},
        {"notify": "{device} is hot"}]}
END
        "$xrem" --quiet rule add "$home/rule.json" || return 1
        "$xrem" --quiet alarm raise ru-one temperatureUnacceptable --severity minor --source x >/dev/null &&
                "$xrem" --quiet alarm raise ru-one temperatureUnacceptable --severity major --source y >/dev/null || return 1
        eventually 20 has_rule_job ru-one 'done' 1 || { "$xrem" event -n 40; return 1; }
        "$xrem" device show ru-one | grep -q '^Tags *hot' || fail 'no tag' || return 1
        "$xrem" event --kind rule.notified | grep -q 'ru-one is hot' || fail 'no notice'
}

said() # text of a notice
{
        "$xrem" event --kind rule.notified -n 100 | grep -q -- "$1"
}

# Another rule tells that the alarm was held against both.
rule_that_rests()
{
        echo '{"name": "witness", "on": "alarm.raised", "again_after": 0, "do": [{"notify": "saw {source}"}]}' |
                "$xrem" --quiet rule add - >/dev/null && "$xrem" --quiet rule set 1 --enabled no || return 1
        "$xrem" --quiet alarm raise ru-one temperatureUnacceptable --severity major --source z >/dev/null &&
                eventually 20 said 'saw z' || return 1
        "$xrem" --quiet rule set 1 --enabled yes || return 1
        "$xrem" --quiet alarm raise ru-one temperatureUnacceptable --severity major --source v >/dev/null || return 1
        eventually 20 has_rule_job ru-one 'done' 2 && "$xrem" rule list | grep -Eq 'ping on heat.* 2 ' || { "$xrem" rule list; return 1; }
}

has_begun() # campaign
{
        ! "$xrem" campaign show "$1" | grep -q '^State *draft'
}

# A draft that waits for its day.
rule_that_starts_a_campaign()
{
        local id
        echo '[{"cmd":"replace","uri":"./Vendor/xrem/Config/Interval","format":"int","data":"600"}]' >"$home/heat.json"
        id=$("$xrem" --quiet campaign create cool --kind commands --commands "$home/heat.json" --prefix ru- \
                --verify ./Vendor/xrem/Config/Interval=600) || return 1
        echo '{"name": "cool down", "on": "alarm.raised", "where": {"cause": "fire"}, "again_after": 0, "do": [{"campaign": "'"$id"'"}]}' |
                "$xrem" --quiet rule add - >/dev/null || return 1
        "$xrem" campaign show "$id" | grep -q '^State *draft' || return 1
        "$xrem" --quiet alarm raise ru-one fire --severity major --source w >/dev/null || return 1
        eventually 20 has_begun "$id" && "$xrem" campaign watch "$id" --for 180 || return 1
        equal "$("$xrem" get ru-one ./Vendor/xrem/Config/Interval)" 600 interval
}

step_out
if start_server server-ru && add_device ru-one &&
        start_device ru-one "http://127.0.0.1:$plain_port/dm" && eventually 20 is_active ru-one; then
        promise 'a rule starts a job on an alarm, tags the device, and says so' rule_on_an_alarm
        promise 'a rule that is switched off rests' rule_that_rests
        promise 'a rule starts a campaign' rule_that_starts_a_campaign
        stop ru-one && stop server-ru
else
        promise 'a server for rules starts' false
fi
step_back
