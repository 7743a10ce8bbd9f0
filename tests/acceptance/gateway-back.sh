# SPDX-License-Identifier: Apache-2.0
# What a gateway had before is what it goes back to, without its backhaul: campaigns and single devices by the images that
# it holds, and an image by the one that it replaced.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gb=$home/gateway-back
kept=./GwMO/ImageInventory/Images/fw
mkdir -p "$gb/www" "$gb/keys"
step_out

starts_with_two_versions()
{
        local v
        openssl genpkey -algorithm ed25519 -out "$gb/maker.key" && openssl pkey -in "$gb/maker.key" -pubout -out "$gb/keys/maker.pub" || return 1
        for v in 1.1 2.0; do
                { printf 'version: %s\nmodel: M1\n' $v && head -c 30000 /dev/urandom; } >"$gb/www/$v" || return 1
                openssl dgst -sha256 -binary "$gb/www/$v" >"$gb/hash" &&
                        openssl pkeyutl -sign -rawin -in "$gb/hash" -inkey "$gb/maker.key" -out "$gb/www/$v.sig" || return 1
        done
        start_server backserver && start_gateway backgate '[images]' "keys = $gb/keys" || return 1
        eventually 20 is_active backgate && "$xrem" set backgate ./GwMO/Config/Alerts/BatchWindow 0 || return 1
        {
                printf '[run]\nseed = 7\n'
                behind_dm dm back/ 1 2 'tags = back'
                behind_lwm2m nodes back/ 11 2 'tags = back'
        } >"$gb/scenario"
        simulate backsim "$gb/scenario"
        eventually 20 devices_with --tag back --state active 4
}

updates_to() # version: all of them, by a campaign
{
        "$xrem" --quiet package add "$gb/www/$1" --name backfw --version "$1" >/dev/null &&
                "$xrem" --quiet campaign create "to $1" --package "backfw@$1" --tag back --retries 0 --start >"$gb/campaign-$1" || return 1
        "$xrem" campaign watch "$(cat "$gb/campaign-$1")" --for 180
}

updates_twice()
{
        updates_to 1.1 && updates_to 2.0 && all_run 2.0 && taken_over_the_backhaul 2
}

all_run() # version
{
        local n
        for n in 1 2 11 12; do
                equal "$(gw_get back/$n ./DevDetail/FwV)" "$1" "FwV of back/$n" || return 1
        done
}

taken_over_the_backhaul() # how many packages
{
        equal "$(curl -sS -H "Authorization: Bearer $XREM_TOKEN" "$XREM_SERVER/metrics" | sed -n 's/^nrem_package_downloads_total //p')" "$1" 'packages given out'
}

# The gateway is killed before; what it holds is read again.
goes_back_by_a_campaign()
{
        local id
        stop backgate KILL
        run_gateway backgate || return 1
        id=$("$xrem" --json campaign rollback "$(cat "$gb/campaign-2.0")" | sed -n 's/^ *"id": "\([^"]*\)".*/\1/p') && [ -n "$id" ] &&
                "$xrem" campaign watch "$id" --for 180 || return 1
        all_run 1.1 && taken_over_the_backhaul 2 && equal "$(metric_of grem_image_bytes_fetched_total)" 0 'octets over the backhaul'
}

takes_one_alone()
{
        "$xrem" --quiet campaign create 'one to 2.0' --package backfw@2.0 --device back/1 --retries 0 --start >"$gb/campaign-one" &&
                "$xrem" campaign watch "$(cat "$gb/campaign-one")" --for 180 || return 1
        runs back/1 2.0 && runs back/2 1.1 && taken_over_the_backhaul 2
}

# Without a campaign, by the address of the package.
orders_one_by_hand()
{
        local path
        path=$("$xrem" --json package show backfw@2.0 | sed -n 's/^ *"path": "\([^"]*\)".*/\1/p') && [ -n "$path" ] || return 1
        printf '[{"cmd": "replace", "uri": "./FUMO/main/DownloadAndUpdate/PkgURL", "data": "%s"}, {"cmd": "exec", "uri": "./FUMO/main/DownloadAndUpdate"}]' \
                "http://127.0.0.1:$plain_port$path" >"$gb/hand.json" && "$xrem" run back/11 --file "$gb/hand.json" || return 1
        eventually 10 runs back/11 2.0 && taken_over_the_backhaul 2
}

runs() # device, version
{
        [ "$(gw_get "$1" ./DevDetail/FwV)" = "$2" ]
}

replaces_an_image() # version
{
        "$xrem" set backgate $kept/URL "http://127.0.0.1:$(cat "$gb/port")/$1" && "$xrem" exec backgate $kept/Operations/Download && offers "$1"
}

offers() # version: under the same address, whichever it is
{
        curl -sSf "$("$xrem" get backgate $kept/LocalURL)" | cmp - "$gb/www/$1"
}

hash_of_file()
{
        sha256sum "$1" | cut -d ' ' -f 1
}

goes_back_by_a_node()
{
        python3 "$here/serve.py" "$gb/www" >"$gb/port" &
        pid[backwww]=$!
        eventually 20 test -s "$gb/port" || return 1
        "$xrem" add backgate $kept --node && "$xrem" add backgate $kept/ImageID fw && "$xrem" add backgate $kept/URL x || return 1
        replaces_an_image 1.1 && code_of 1 "$xrem" exec backgate $kept/Operations/Rollback && replaces_an_image 2.0 || return 1
        "$xrem" exec backgate $kept/Operations/Rollback && offers 1.1 &&
                equal "$("$xrem" get backgate $kept/Previous)" "$(hash_of_file "$gb/www/2.0")" Previous
}

keeps_it_over_a_kill()
{
        stop backgate KILL
        run_gateway backgate || return 1
        offers 1.1 && "$xrem" exec backgate $kept/Operations/Rollback && offers 2.0
}

gives_up_a_damaged_one()
{
        stop backgate KILL
        flip "$home/backgate/images/$(hash_of_file "$gb/www/1.1").img" 15000 && run_gateway backgate || return 1
        offers 2.0 && code_of 3 "$xrem" get backgate $kept/Previous && code_of 1 "$xrem" exec backgate $kept/Operations/Rollback
}

promise 'a gateway, and four devices behind it' starts_with_two_versions
promise 'two campaigns, one after the other' updates_twice
promise 'a rollback of the second one needs no image over the backhaul, also after a kill of the gateway' goes_back_by_a_campaign
promise 'a device by itself takes the other one again' takes_one_alone
promise 'or is ordered so by hand' orders_one_by_hand
promise 'an image is replaced, and Rollback offers the one before' goes_back_by_a_node
promise 'which is so after a kill' keeps_it_over_a_kill
promise 'what was kept and is damaged is not gone back to' gives_up_a_damaged_one
promise 'that gateway ends cleanly' stop backgate
promise 'and its devices' stop backsim
promise 'and its server' stop backserver
kill "${pid[backwww]}" && wait "${pid[backwww]}" 2>/dev/null
unset 'pid[backwww]'

step_back
