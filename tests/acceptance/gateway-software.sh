# SPDX-License-Identifier: Apache-2.0
# A campaign of software over devices behind a gateway, LwM2M and OMA DM: one image over the backhaul, one fan-out;
# who fails says why, and is ordered again.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gsw=$home/gateway-software
mkdir -p "$gsw"
step_out

starts_with_software()
{
        start_server gswserver && start_gateway gswgate && eventually 20 is_active gswgate &&
                "$xrem" set gswgate ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        {
                printf '[run]\nseed = 7\n'
                behind_dm dm soft/ 1 4 'tags = soft' 'software = yes'
                behind_lwm2m nodes soft/ 11 4 'tags = soft'
                printf '[fault one]\nkind = bad-download\ngroup = dm\ndevices = 2\n'
                printf '[fault other]\nkind = bad-download\ngroup = nodes\ndevices = 13\n'
        } >"$gsw/scenario"
        simulate gswsim "$gsw/scenario"
        eventually 30 devices_with --tag soft --state active 8
}

counter() # name: of the server
{
        curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/metrics" | sed -n "s/^$1 //p"
}

failed_of() # campaign: devices that failed, with class and reason
{
        "$xrem" --json campaign devices "$1" --state failed |
                python3 -c 'import json,sys; [print(i["device"], i["class"], i["reason"]) for i in json.load(sys.stdin)["items"]]' | sort
}

orders_software()
{
        { printf 'version: 1.5\ncomponent: net.example.reader\n' && head -c 20000 /dev/urandom; } >"$gsw/reader" &&
                "$xrem" --quiet package add "$gsw/reader" --name reader --version 1.5 --kind software --component net.example.reader &&
                "$xrem" --quiet campaign create 'reader 1.5' --package reader@1.5 --tag soft --retries 0 --start >"$gsw/campaign" || return 1
        code_of 1 "$xrem" campaign watch "$(cat "$gsw/campaign")" --for 180 || return 1
        equal "$("$xrem" --json campaign devices "$(cat "$gsw/campaign")" --state succeeded | grep -c '"device"')" 6 'devices that have it'
}

takes_it_once()
{
        fetched_once && equal "$(counter nrem_gateway_fanouts_total)" 1 'fan-outs' && eventually 10 counted_all ||
                fail "$(curl -sS "http://127.0.0.1:$gw_metrics/metrics" | grep '^grem_image')"
}

counted_all()
{
        local size
        size=$(stat -c %s "$gsw/reader")
        [ "$(metric_of grem_image_bytes_fetched_total)" = "$size" ] && [ "$(metric_of grem_image_bytes_served_total)" = $((8 * size)) ]
}

fetched_once() # from the server
{
        equal "$(counter nrem_package_downloads_total)" 1 'contents that the server gave out'
}

says_why_it_failed()
{
        equal "$(failed_of "$(cat "$gsw/campaign")")" "soft/13 network Download failed (1402)
soft/2 network Download failed (1402)" 'devices that failed'
}

orders_it_again()
{
        "$xrem" campaign retry "$(cat "$gsw/campaign")" >/dev/null && "$xrem" campaign watch "$(cat "$gsw/campaign")" --for 180 || return 1
        has_software soft/2 && has_software soft/13 && has_software soft/1 && has_software soft/14 && fetched_once
}

has_software() # device
{
        "$xrem" tree "$1" ./SCM/Inventory/Deployed >"$gsw/tree" && grep -q 'Version.* 1.5$' "$gsw/tree" || fail "$1: $(cat "$gsw/tree")"
}

promise 'a gateway, and devices that take software' starts_with_software
promise 'a campaign of software goes to all of them' orders_software
promise 'as one image and one fan-out' takes_it_once
promise 'who failed says why, in words' says_why_it_failed
promise 'and has it after a retry' orders_it_again
promise 'the gateway of software ends cleanly' stop gswgate
promise 'and its devices' stop gswsim
promise 'and its server' stop gswserver

step_back
