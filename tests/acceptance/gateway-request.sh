# SPDX-License-Identifier: Apache-2.0
# A gateway asks its server for what it lacks, and a rule at the server gives it a job: a configuration, an image for devices
# that run the wrong firmware, another certificate.  Sourced by tests/acceptance/run, whose world it uses.

. "$here/gateway-world.sh"
gq=$home/request
mkdir -p "$gq/www"
step_out

gq_rule() # name, kind, commands of the job
{
        printf '{"name": "%s", "on": "gateway.request", "where": {"kind": "%s"}, "devices": {"prefix": "needy"}, "again_after": 3600,
                "do": [{"job": {"commands": %s}}, {"notify": "{device}: {detail}"}]}' "$1" "$2" "$3" | "$xrem" --quiet rule add -
}

gq_image=./GwMO/ImageInventory/Images/fw

gq_leaf() # address, value
{
        printf '{"cmd": "add", "uri": "%s", "data": "%s"}' "$1" "$2"
}

has_rules()
{
        start_server gqserver || return 1
        { printf 'version: 2.0\nmodel: M1\n' && head -c 20000 /dev/urandom; } >"$gq/www/image"
        python3 "$here/serve.py" "$gq/www" >"$gq/port" &
        pid[gqwww]=$!
        eventually 20 test -s "$gq/port" || return 1
        gq_rule 'no configuration' config '[{"cmd": "replace", "uri": "./GwMO/Config/Alerts/BatchWindow", "format": "int", "data": "0"}]' &&
                gq_rule 'no image' update "[{\"cmd\": \"add\", \"uri\": \"$gq_image\", \"format\": \"node\"},
                        $(gq_leaf $gq_image/ImageID m1-2.0), $(gq_leaf $gq_image/Version 2.0), $(gq_leaf $gq_image/HashAlg sha-256),
                        $(gq_leaf $gq_image/Match mod=M1), $(gq_leaf $gq_image/Hash "$(sha256sum "$gq/www/image" | cut -d' ' -f1)"),
                        $(gq_leaf $gq_image/URL "http://127.0.0.1:$(cat "$gq/port")/image"),
                        {\"cmd\": \"exec\", \"uri\": \"$gq_image/Operations/Download\"}]" &&
                gq_rule 'old certificate' certificate '[{"cmd": "exec", "uri": "./Vendor/xrem/Ping"}]'
}

gq_jobs() # state, how many
{
        [ "$("$xrem" --json job list needy --state "$1" -n 1000 | grep -c '"kind": *"rule"')" = "$2" ]
}

gq_said() # text
{
        "$xrem" event --kind rule.notified -n 100 | grep -q -- "$1"
}

# The certificate is good for long yet, but not for ten years.
asks_when_it_starts()
{
        start_gateway needy '[gateway]' 'certificate_warning = 3650d' '[transport]' \
                "ca_file = $home/tls/ca.pem" "cert_file = $home/tls/server.pem" "key_file = $home/tls/server.key" || return 1
        eventually 30 gq_jobs 'done' 2 || fail "$("$xrem" job list needy; "$xrem" rule list)" || return 1
        gq_said 'needy: this gateway has no configuration' && gq_said 'needy: transport.cert_file is good until 2' &&
                equal "$("$xrem" get needy ./GwMO/Config/Alerts/BatchWindow)" 0 BatchWindow
}

# Two devices, one question.
asks_for_an_image()
{
        local rule=./GwMO/Config/Ext/Validation/m1 n
        { printf '[run]\nseed = 2\n' && behind_lwm2m meters gq/ 1 2 'tags = gq'; } >"$gq/scenario"
        simulate gqsim "$gq/scenario"
        eventually 20 devices_with --tag gq --state active 2 || return 1
        "$xrem" add needy $rule --node && "$xrem" add needy $rule/FwV 2.0 && "$xrem" add needy $rule/Match 'mod=M1' || return 1
        eventually 30 gq_jobs 'done' 3 || fail "$("$xrem" job list needy; "$xrem" rule list)" || return 1
        gq_said 'needy: there is no image of firmware 2.0 for mod=M1' &&
                equal "$(server=gqserver events needy | grep -c '<Kind>update</Kind>')" 1 'requests for an image'
        for n in 1 2; do
                eventually 30 gq_runs $n || fail "$("$xrem" device list)" || return 1
        done
}

gq_runs() # number of a device: it has the new firmware
{
        [ "$("$xrem" get gq/$1 ./DevDetail/FwV --timeout 10)" = 2.0 ]
}

promise 'a server with rules for what gateways ask' has_rules
promise 'a gateway asks for a configuration and a certificate, and has its jobs' asks_when_it_starts
promise 'it asks for an image that its devices should run, and heals them with it' asks_for_an_image
promise 'those devices end cleanly' stop gqsim
promise 'and their gateway' stop needy
promise 'and the server' stop gqserver
{ stop gqwww KILL; } 2>/dev/null
step_back
