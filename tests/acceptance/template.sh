# SPDX-License-Identifier: Apache-2.0
# A setting of a real device that drifts: shown, then put back; and a new device that gets it at once.
# Sourced by tests/acceptance/run, whose world it uses.

te_interval=./Vendor/xrem/Config/Interval

te_has() # device, state
{
        "$xrem" template devices 1 --state "$2" | grep -q "^$1 "
}

te_value() # device, value
{
        equal "$("$xrem" get "$1" "$te_interval" 2>/dev/null)" "$2" "$te_interval"
}

te_events() # kind, how many at least
{
        [ "$("$xrem" --json event --kind "$1" -n 100 | grep -c '"kind"')" -ge "$2" ]
}

template_shows_drift()
{
        cat >"$home/template.json" <<END_OF_TEMPLATE
{"name": "report", "devices": {"prefix": "te-"}, "every": 3600,
 "nodes": [{"uri": "$te_interval", "format": "int", "data": "1800"},
           {"uri": "./Vendor/xrem/Config/Note", "data": "this is \${device}"}]}
END_OF_TEMPLATE
        "$xrem" set te-one "$te_interval" 1800 >/dev/null &&
                "$xrem" set te-one ./Vendor/xrem/Config/Note 'this is te-one' >/dev/null || return 1
        "$xrem" --quiet template add "$home/template.json" || return 1
        eventually 20 te_has te-one conform || { "$xrem" template diff te-one; return 1; }
        # by hand: the server sees it in the answer to that very command
        "$xrem" set te-one "$te_interval" 900 >/dev/null || return 1
        eventually 20 te_has te-one drifted || { "$xrem" template diff te-one; return 1; }
        "$xrem" template diff te-one | grep -Eq "report +drifted +$te_interval +differs +1800 +900" || fail 'no difference' || return 1
        te_value te-one 900
}

template_puts_it_back()
{
        "$xrem" --quiet template set 1 --mode enforce || return 1
        eventually 20 te_has te-one conform && te_value te-one 1800 || { "$xrem" template diff te-one; "$xrem" event -n 20; return 1; }
        "$xrem" set te-one "$te_interval" 60 >/dev/null || return 1
        eventually 20 te_events config.applied 2 && te_value te-one 1800
}

template_for_a_new_device()
{
        add_device te-two && start_device te-two "http://127.0.0.1:$plain_port/dm" || return 1
        eventually 20 te_has te-two conform || { "$xrem" template diff te-two; "$xrem" event -n 20; return 1; }
        te_value te-two 1800 || return 1
        equal "$("$xrem" get te-two ./Vendor/xrem/Config/Note)" 'this is te-two' Note
}

step_out
if start_server server-te && add_device te-one &&
        start_device te-one "http://127.0.0.1:$plain_port/dm" && eventually 20 is_active te-one; then
        promise 'drift of a setting is shown as a difference' template_shows_drift
        promise 'drift is put back where a template enforces' template_puts_it_back
        promise 'a new device gets what a template says at once' template_for_a_new_device
        stop te-one && stop te-two && stop server-te
else
        promise 'a server for templates starts' false
fi
step_back
