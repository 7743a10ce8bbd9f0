# SPDX-License-Identifier: Apache-2.0
# A hundred thousand simulated devices known to one server, of which sixty are about: lists, a dry run over all, a
# campaign that begins with those, pauses, is cancelled; an order for a setting of theirs.  Sourced by
# tests/acceptance/run, whose world it uses.

sc=$home/scale
step_out

start_many()
{
        mkdir -p "$sc" && { echo 'version: 2.0' && head -c 2000 /dev/zero; } >"$sc/image" || return 1
        cat >"$sc/scenario" <<END
[run]
seed = 3
[group near]
count = 60
prefix = a/
tags = scale
model = S1
fwv = 1.0
call = 1h
start = 1s
install = 100ms
reboot = 100ms
[group far]
count = 99940
prefix = far/
tags = scale
model = S1
fwv = 1.0
call = 24h
start = 24h
END
        start_server many || return 1
        "$bin/sim/xremsim" --scenario "$sc/scenario" --create --server "http://127.0.0.1:$plain_port/dm" \
                --api "$XREM_SERVER" >"$sc/sim.out" 2>"$home/sim.log" &
        pid[sim]=$!
        "$xrem" --quiet package add "$sc/image" --name fw --version 2.0 >/dev/null || return 1
        eventually 120 all_called a/ 60
}

# Every device once, in the order of names, page by page.
lists_them_all()
{
        "$xrem" --json device list --prefix far/ | python3 -c '
import json, sys
names = [d["name"] for d in json.load(sys.stdin)["items"]]
assert len(names) == 99940, len(names)
assert names == sorted(set(names)), "in order, each once"
' && equal "$("$xrem" --json device list --tag scale --prefix a/ --state active | grep -c '"name"')" 60 active
}

tells_of_all()
{
        "$xrem" --json campaign create try --package fw@2.0 --tag scale --dry-run >"$sc/dry" || return 1
        python3 - "$sc/dry" <<'END'
import json, sys
said = json.load(open(sys.argv[1]))
assert sum(1 for d in said["items"]) == 100000, len(said["items"])
END
}

# The sixty come first, and no other is ordered before they have succeeded.
begins_with_a_few()
{
        "$xrem" --quiet campaign create all --package fw@2.0 --tag scale --canary 60 --hold --contact-time 1h --start >/dev/null || return 1
        eventually 60 has_at_least 1 succeeded 60 && eventually 20 has_state 1 paused || fail "$("$xrem" campaign show 1)" || return 1
        equal "$(tally 1 all)" 100000 all && equal "$(tally 1 pending)" 99940 pending && equal "$("$xrem" get a/7 ./DevDetail/FwV)" 2.0 FwV
}

ends_for_all()
{
        "$xrem" campaign cancel 1 >/dev/null && eventually 60 has_at_least 1 cancelled 99940 && has_state 1 cancelled &&
                equal "$(tally 1 succeeded)" 60 succeeded && equal "$(tally 1 pending)" 0 pending
}

gives_orders()
{
        echo '[{"cmd":"replace","uri":"./Vendor/sim/Text","data":"${device}"}]' >"$sc/site"
        "$xrem" --quiet campaign create site --kind commands --commands "$sc/site" --prefix a/ --verify './Vendor/sim/Text=${device}' --start >/dev/null ||
                return 1
        eventually 40 has_at_least 2 succeeded 60 && eventually 10 has_state 2 'done' || fail "$("$xrem" campaign show 2)" || return 1
        equal "$("$xrem" get a/60 ./Vendor/sim/Text)" a/60 site
}

promise 'a hundred thousand simulated devices are known to a server' start_many
promise 'all of them are listed in order, each once' lists_them_all
promise 'a dry run tells of each of them' tells_of_all
promise 'a campaign over all begins with a few' begins_with_a_few
promise 'when it is cancelled each has its verdict' ends_for_all
promise 'a campaign of commands sets what each device is told, and looks' gives_orders
stop sim && stop many
step_back
