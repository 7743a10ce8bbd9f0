# SPDX-License-Identifier: Apache-2.0
# Packages of LwM2M devices: firmware by blocks that they fetch from the gateway, or are sent, in campaigns; software
# through SCOMO.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
lp=$home/lwm2m-packages
mkdir -p "$lp/www"
step_out

package() # version: one of 20 kB
{
        { printf 'version: %s\nmodel: M1\n' "$1" && head -c 20000 /dev/urandom; } >"$lp/www/fw-$1" &&
                "$xrem" --quiet package add "$lp/www/fw-$1" --name lpfw --version "$1"
}

starts_for_packages()
{
        start_server lpserver && start_gateway lpgate || return 1
        python3 "$here/serve.py" "$lp/www" >"$lp/port" &
        pid[lpwww]=$!
        eventually 20 is_active lpgate && eventually 20 test -s "$lp/port" && "$xrem" set lpgate ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        {
                printf '[run]\nseed = 7\n'
                # they say good-bye before they restart, as many do
                behind_lwm2m pull lp/pull/ 1 2 'tags = lp' 'delivery = pull' 'protocols = coap' 'farewell = yes'
                behind_lwm2m app lp/app/ 1 2 'tags = app'
                behind_lwm2m push lp/push/ 1 2 'tags = lp' 'delivery = push' 'farewell = yes'
        } >"$lp/scenario"
        simulate lpsim "$lp/scenario"
        eventually 30 devices_with --tag lp --state active 4
}

goes_to() # version
{
        local n
        "$xrem" --quiet campaign create "to $1" --package "lpfw@$1" --tag lp --retries 0 --start >"$lp/campaign" || return 1
        "$xrem" campaign watch "$(cat "$lp/campaign")" --for 180 || fail "$("$xrem" campaign devices "$(cat "$lp/campaign")")" || return 1
        for n in pull/1 pull/2 push/1 push/2; do
                equal "$(gw_get lp/$n ./DevDetail/FwV)" "$1" "FwV of $n" || return 1
        done
}

given_out() # how many packages the server gave out
{
        equal "$(curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/metrics" | sed -n 's/^nrem_package_downloads_total //p')" "$1" 'packages given out'
}

updates_by_blocks()
{
        local before
        before=$(metric_of xrem_lwm2m_images_total)
        package 2.0 && goes_to 2.0 || return 1
        eventually 10 has_fetched $((before + 2)) || fail 'those that pull did not fetch by CoAP' || return 1
        given_out 1
}

has_fetched() # how many devices by CoAP; it is written down each second
{
        [ "$(metric_of xrem_lwm2m_images_total)" -ge "$1" ]
}

updates_once_more()
{
        package 3.0 && goes_to 3.0 && given_out 2
}

# The image before is there still, and is not fetched again.
goes_back()
{
        goes_to 2.0 && given_out 2
}

sees_software() # address below ./SCM, value
{
        equal "$(gw_get lp/app/1 "./SCM/$1")" "$2" "$1"
}

installs_software()
{
        local at=./SCM/Download/app
        { printf 'version: 1.5\n' && head -c 5000 /dev/urandom; } >"$lp/www/app"
        "$xrem" add lp/app/1 $at --node && "$xrem" add lp/app/1 $at/PkgID net.example.app &&
                "$xrem" add lp/app/1 $at/PkgURL "http://127.0.0.1:$(cat "$lp/port")/app" || return 1
        "$xrem" exec lp/app/1 $at/Operations/DownloadInstall || return 1
        sees_software Inventory/Deployed/0/Version 1.5 && sees_software Inventory/Deployed/0/State 20
}

switches_and_removes_software()
{
        "$xrem" exec lp/app/1 ./SCM/Inventory/Deployed/0/Operations/Deactivate && sees_software Inventory/Deployed/0/State 10 &&
                "$xrem" exec lp/app/1 ./SCM/Inventory/Deployed/0/Operations/Remove || return 1
        code_of 3 "$xrem" get lp/app/1 ./SCM/Inventory/Deployed/0/Version 2>/dev/null
}

refuses_bad_software()
{
        local at=./SCM/Download/none
        "$xrem" add lp/app/2 $at --node && "$xrem" add lp/app/2 $at/PkgURL "http://127.0.0.1:$(cat "$lp/port")/none" || return 1
        "$xrem" exec lp/app/2 $at/Operations/DownloadInstall >"$lp/refusal" 2>&1 && return 1
        grep -q 1402 "$lp/refusal" || fail "$(cat "$lp/refusal")" || return 1
        equal "$(gw_get lp/app/2 $at/Status)" 20 Status
}

moved_by_blocks()
{
        stop lpsim && python3 - "$home/lpsim.out" <<'END'
import json, sys
of = json.load(open(sys.argv[1]))["lwm2m"]
assert of["formats"]["opaque"] >= 8 and of["updated"] >= 12 and of["programs"] == 1 and not of["trouble"], of
END
}

promise 'a gateway, and devices that fetch packages or are sent them' starts_for_packages
promise 'a campaign updates both, from one copy' updates_by_blocks
promise 'and another one' updates_once_more
promise 'the image before was kept: back without another download' goes_back
promise 'software is installed through SCOMO' installs_software
promise 'deactivated, removed' switches_and_removes_software
promise 'a package that is not there fails with its reason' refuses_bad_software
promise 'packages went as octets in blocks' moved_by_blocks
stop lpwww KILL 2>/dev/null
promise 'the gateway of packages ends cleanly' stop lpgate
promise 'and its server' stop lpserver

step_back
