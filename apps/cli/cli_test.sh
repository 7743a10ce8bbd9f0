#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Runs the built program: cli_test.sh XREM FAKE SOURCE_DIR.  Prints TAP.
#
# Each line below is a case: a title, the exit code, and what stdout (or, after "err", stderr)
# must be or contain.  FAKE stands in for the server; see cli_fake.c.
set -u
xrem=$1 fake=$2 src=$3
data=$src/apps/cli/testdata
tmp=$(mktemp -d)
export XREM_CONFIG=$tmp/config NO_COLOR=1 LC_ALL=C.UTF-8 ASAN_OPTIONS=detect_leaks=1
unset XREM_SERVER XREM_TOKEN XREM_CA
: >"$XREM_CONFIG"
n=0 failed=0

finish() {
        exec 9>&- # the stand-in ends with its input
        [ -n "${fake_pid:-}" ] && wait "$fake_pid" 2>/dev/null
        rm -rf "$tmp"
}
trap finish EXIT

unhex() { # file: octets of its hexadecimal text
        perl -0pe 's/\s//g; $_ = pack("H*", $_)' "$1"
}

verdict() { # ok? title
        n=$((n + 1))
        if [ "$1" = 0 ]; then
                echo "ok $n - $2"
        else
                failed=$((failed + 1))
                echo "not ok $n - $2"
                sed 's/^/# out: /' "$tmp/out"
                sed 's/^/# err: /' "$tmp/err"
        fi
}

run() { # words: runs xrem, keeps stdout, stderr and code
        "$xrem" "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
        code=$?
}

is() { # title code expected words...
        local title=$1 want=$2 text=$3
        shift 3
        run "$@"
        [ $code = "$want" ] && [ "$(cat "$tmp/out")" = "$text" ]
        verdict $? "$title (code $code)"
}

has() { # title code pattern words...
        local title=$1 want=$2 text=$3
        shift 3
        run "$@"
        [ $code = "$want" ] && grep -qF -e "$text" "$tmp/out"
        verdict $? "$title (code $code)"
}

err() { # title code pattern words...
        local title=$1 want=$2 text=$3
        shift 3
        run "$@"
        [ $code = "$want" ] && grep -qF -e "$text" "$tmp/err"
        verdict $? "$title (code $code)"
}

check() { # title command...
        local title=$1
        shift
        "$@" >"$tmp/out" 2>"$tmp/err" </dev/null
        verdict $? "$title"
}

# ---- the command line itself -------------------------------------------------------------
has "help lists the commands" 0 "device list" --help
lists_all() # each command of the manual
{
        local cmd
        sed -nE 's/^\.SS xrem ([a-z]+( [a-z]+)?).*/\1/p' "$src/docs/man/xrem.1" >"$tmp/cmds" && [ "$(wc -l <"$tmp/cmds")" -gt 40 ] || return 1
        "$xrem" --help >"$tmp/help" || return 1
        while read -r cmd; do
                grep -q "^  $cmd " "$tmp/help" || { echo "no '$cmd'"; return 1; }
        done <"$tmp/cmds"
}
check "all of them" lists_all
has "help of a group" 0 "device wake" help device
has "help of a command" 0 "xrem get NAME URI" help get
has "help after a command" 0 "--no-wait" exec --help
has "the version" 0 "xrem " --version
err "nothing at all" 2 "Usage: xrem"
err "a group alone" 2 "device add" device
err "an unknown command" 2 "did you mean 'get'" gte x y
err "an unknown command of a group" 2 "did you mean 'list'" device lst
err "an unknown option" 2 "did you mean --json" get --jsno x y
err "an option without its value" 2 "needs a value" get x y --server
err "a flag with a value" 2 "takes no value" get x y --json=1
err "too few words" 2 "usage: xrem get NAME URI" get x
err "too many words" 2 "does not take 'c'" device show a c
err "help for nothing" 2 "no help for" help nonsense
err "a bad timeout" 2 "--timeout" --timeout 0 health

"$xrem" --help | sed -n 's/^  \([a-z][a-z ]*[a-z]\)   *[A-Z].*/\1/p' >"$tmp/commands"
for_all() {
        [ "$(wc -l <"$tmp/commands")" -ge 35 ] || return 1
        while read -r cmd; do
                # shellcheck disable=SC2086
                [ "$("$xrem" help $cmd | wc -l)" -gt 5 ] || { echo "no help: $cmd"; return 1; }
                grep -q "^\.SS xrem $cmd" "$src/docs/man/xrem.1" || { echo "not in the manual: $cmd"; return 1; }
                # shellcheck disable=SC2086
                for o in $("$xrem" --complete $cmd --); do
                        grep -q -e "^\.B[RI]\? .*${o//-/\\\\-}\b" "$src/docs/man/xrem.1" || { echo "not in the manual: $cmd $o"; return 1; }
                done
        done <"$tmp/commands"
}
check "every command has help, and its place in the manual" for_all

# ---- completion ----------------------------------------------------------------------------
is "completes commands" 0 "delete
device" --complete de
is "completes commands of a group" 0 "make" --complete notify m
is "completes options" 0 "--no-wait" --complete exec this ./A --no
is "asks for files" 0 "<file>" --complete msg decode ""
is "asks for a file as a value" 0 "<file>" --complete get this ./A --output ""

is "asks for a file behind a letter" 0 "<file>" --complete get this ./A -o ""
is "knows that it was one" 0 "<file>" --complete msg decode -o out ""
is "completes what help explains" 0 "show" --complete help device sh

# shellcheck disable=SC1091
. "$src/tools/xrem.bash-completion"
bash_gives() { # candidate, what readline replaces, words as bash makes them of the line
        local want=$1 replaced=$2
        shift 2
        COMP_LINE=$(printf '%s ' "$xrem" "$@" | sed 's/ \([:@=]\) */\1/g; s/ $//')
        COMP_POINT=${#COMP_LINE} COMP_WORDS=("$xrem" "$@") COMP_CWORD=$# COMPREPLY=()
        _xrem xrem "$replaced" || true # no compopt outside of a completion
        [ "${COMPREPLY[*]}" = "$want" ]
}
check "bash completes" bash_gives make m notify m
check "... files as values" bash_gives /etc /et msg decode --output = /et
check "... behind a URL" bash_gives make m --server http : //127.0.0.1 : 8080 notify m

# ---- configuration ---------------------------------------------------------------------------
printf 'server = http://127.0.0.1:1\nserverr = x\n' >"$XREM_CONFIG"
err "an unknown key in the configuration" 7 "config:2: serverr: unknown key" health
printf 'timeout = never\n' >"$XREM_CONFIG"
err "a bad value in the configuration" 7 "config:1: timeout" health
echo "token-file = $tmp/none" >"$XREM_CONFIG"
err "a token that is not there" 7 "config:1: token-file" health
has "help needs no configuration" 0 "xrem get NAME URI" help get
has "nor does what asks no server" 0 "    <VerProto>DM/1.2</VerProto>" msg decode "$data/setup.hex"
printf '# nobody listens there\nserver = http://127.0.0.1:1\n' >"$XREM_CONFIG"
err "nobody listens" 4 "cannot reach http://127.0.0.1:1" health
: >"$XREM_CONFIG"
err "a scheme nobody knows" 7 "gopher://x" health --server gopher://x

# ---- msg ------------------------------------------------------------------------------------
has "decodes WBXML" 0 "    <VerProto>DM/1.2</VerProto>" msg decode "$data/setup.hex"
has "sums up" 0 "1 Alert 1201 client-initiated session" msg decode --summary "$data/setup.hex"
has "sums up a value" 0 '2 Replace ./DevInfo/DevId (chr) = "IMEI:004999010640000"' msg decode --summary "$data/setup.hex"
has "octets become base64 in XML" 0 "<Data>AAEC/w==</Data>" msg convert "$data/add.hex"
round() {
        unhex "$data/setup.hex" >"$tmp/m.wbxml" &&
                "$xrem" msg convert --to xml -o "$tmp/m.xml" "$tmp/m.wbxml" &&
                "$xrem" msg convert -o "$tmp/again.wbxml" "$tmp/m.xml" &&
                cmp "$tmp/m.wbxml" "$tmp/again.wbxml"
}
check "WBXML to XML and back is the same" round
err "no message" 7 "this is no SyncML message" msg decode "$src/LICENSE"
printf '<SyncML><SyncHdr>\n</SyncBody>' >"$tmp/broken.xml"
err "says where XML is broken" 7 "broken.xml:2:3: mismatched tag" msg decode "$tmp/broken.xml"
err "a file that is not there" 7 "No such file" msg decode "$tmp/none"
err "an empty input" 7 "it is empty" msg decode
err "an unknown codec" 2 "neither xml nor wbxml" msg convert --to json "$data/setup.hex"

# ---- ddf ------------------------------------------------------------------------------------
has "a good description" 0 "0 errors" ddf check "$src"/mo/devinfo.ddf
has "says what is wrong, and where" 7 "./Vendor/Audio/Volume: error: DefaultValue 'loud' is no int" ddf check "$data/bad.ddf"
has "a node without properties" 7 "./A: error: DFProperties are missing" ddf check "$data/bad.ddf"
has "checks as JSON" 7 '"level": "error"' ddf check --json "$data/bad.ddf"
has "draws a description" 0 "── DevId" ddf show "$src"/mo/devinfo.ddf
has "shows a description as JSON" 0 '"uri": "./DevInfo/DevId"' ddf show --json "$src"/mo/devinfo.ddf

# ---- tnds -----------------------------------------------------------------------------------
is "lists a document" 0 "$(printf './Acc1\tnode\turn:oma:mo:oma-dm-dmacc:1.0\n./Acc1/AppID\tchr\ttext/plain\tw7')" tnds to "$data/acc.hex"
has "lists it as JSON" 0 '"data": "w7"' tnds to --json "$data/acc.hex"
has "converts it to XML" 0 "<DDFName>urn:oma:mo:oma-dm-dmacc:1.0</DDFName>" tnds to --xml "$data/acc.hex"
same_doc() {
        unhex "$data/acc.hex" >"$tmp/d.wbxml" &&
                "$xrem" tnds to ${1:+"$1"} "$tmp/d.wbxml" >"$tmp/d.flat" &&
                "$xrem" tnds from --wbxml "$tmp/d.flat" | cmp - "$tmp/d.wbxml"
}
check "a list makes the same document" same_doc ""
check "its JSON makes the same document" same_doc --json
printf './A/B/c\tchr\t\tone\\ttwo\\n\\\\\n./A/B/d\tbin\t\tAAEC/w==\n./A/e\tint\ttext/plain\t-5\n' >"$tmp/list"
tnds_round() {
        "$xrem" tnds from "$1" "$tmp/list" -o "$tmp/doc" && "$xrem" tnds to "$tmp/doc" >"$tmp/back" &&
                grep -q "^./A/B/c	chr	text/plain	one\\\\ttwo\\\\n\\\\\\\\$" "$tmp/back" &&
                grep -q "^./A/B/d	bin	application/octet-stream	AAEC/w==$" "$tmp/back"
}
check "values survive, by way of XML" tnds_round --xml
check "values survive, by way of WBXML" tnds_round --wbxml
printf './A\tchr\t\tx\n./A/b\tchr\t\ty\n' >"$tmp/list"
err "a node below a leaf" 7 "./A/b is below a leaf" tnds from "$tmp/list"
printf './A\tnode\n./A\tnode\n' >"$tmp/list"
err "a node twice" 7 "./A is there twice" tnds from "$tmp/list"
printf './A//b\tchr\t\ty\n' >"$tmp/list"
err "a bad URI" 7 "list:1: this is no URI" tnds from "$tmp/list"
printf './A\twood\t\ty\n' >"$tmp/list"
err "a bad format" 7 "list:1: the second field is no format" tnds from "$tmp/list"
printf './A\tchr\t\t\\x\020\021\n' >"$tmp/list"
err "an escape of no digits" 7 "list:1: " tnds from "$tmp/list"
printf './A\tchr\t\t\\x4A\\x6b\n' >"$tmp/list"
escaped() {
        "$xrem" tnds from "$tmp/list" -o "$tmp/doc" && "$xrem" tnds to "$tmp/doc" >"$tmp/back" &&
                grep -q "^./A	chr	text/plain	Jk$" "$tmp/back"
}
check "escapes of large and small digits" escaped

# ---- notify and auth: the vectors of the specification's facts -----------------------------------
id=(--server-id com.mgmtsrv.manage --session 0x1234 --ui background --initiator user)
nonce=(--password srv-pass --nonce hex:a0a1a2a3a4a5a6a7a8a9aaabacadaeaf)
trigger=02d0000000123412636f6d2e6d676d747372762e6d616e616765
is "package 0, stored nonce" 0 "c3bd3cd50a5d3c74dec33b19f3bb674e$trigger" notify make "${id[@]}" "${nonce[@]}"
is "package 0, default nonce" 0 "364f84071188c374543f01282a33a588$trigger" notify make "${id[@]}" --password srv-pass
is "package 0, default nonce as text" 0 "7fb1e35dbcda6912d1339a7cdd144100$trigger" notify make "${id[@]}" --password srv-pass --nonce text:0x00000000
is "package 0, second vector" 0 "d7c60738e9d215c43c76d0c6f02bec2202e8000000000a0473727631" notify make --server-id srv1 --password pw --nonce text:nonce --session 10 --ui informative
is "package 0 from a secret, in a push" 0 "010603c4af87c3bd3cd50a5d3c74dec33b19f3bb674e$trigger" notify make "${id[@]}" --secret 1eETcbNJxVoxso8DjL4lGA== --nonce oKGio6SlpqeoqaqrrK2urw== --wsp
"$xrem" notify make "${id[@]}" "${nonce[@]}" --wsp -o "$tmp/p0"
has "a good digest" 0 "checked    good" notify decode "$tmp/p0" "${nonce[@]}"
has "its fields" 0 "session    1234 (4660)" notify decode "$tmp/p0"
has "a wrong password" 1 "checked    wrong" notify decode "$tmp/p0" --password other
has "its fields as JSON" 0 '"server": "com.mgmtsrv.manage"' notify decode --json "$tmp/p0"
err "no package 0" 7 "this is no package 0" notify decode "$src/LICENSE"
err "a session out of range" 2 "--session" notify make "${id[@]}" --password x --session 65536
err "no password" 2 "--password or --secret" notify make "${id[@]}"
err "a nonce that is neither" 7 "neither base64 nor hex" notify decode "$tmp/p0" --password x --nonce hex:0

boot=(--server-id com.mgmtsrv.manage --url http://dm.example/s --user dev-0001 --password s3cr3t-pw --server-password srv-pass)
boot+=(--nonce hex:000102030405060708090a0b0c0d0e0f --server-nonce hex:a0a1a2a3a4a5a6a7a8a9aaabacadaeaf)
dm=(--node MgmtSrv --devid IMEI:004999010640000)
proof() { "$xrem" bootstrap make -o "$tmp/boot" "${@:2}" 2>"$tmp/err" && head -n 1 "$tmp/boot" | grep -qaF -e "$1"; }
check "a bootstrap, proved by a PIN" proof "SEC=USERPIN; MAC=09BE915A51AAF607301F252EAA328688A38B9409" "${boot[@]}" "${dm[@]}" --pin 1234
check "by what the network knows" proof "SEC=NETWORKID; MAC=364882E09605336D87B3070DFEEE4494201A8F16" "${boot[@]}" "${dm[@]}" --network-key 234150123456789
check "by both" proof "SEC=USERPIN_NETWORKID; MAC=620878F33B7607CE3F6DE0115A76950057B756DB" "${boot[@]}" "${dm[@]}" --network-key 234150123456789 --pin 1234
own() { rm "$tmp/boot" && proof "SEC=USERPIN_NETWORKID" "${boot[@]}" "${dm[@]}" --network-key 234150123456789 --pin 1234 && [ "$(stat -c %a "$tmp/boot")" = 600 ]; }
check "whose passwords nobody else reads" own
has "it is good" 0 "checked    good" bootstrap show "$tmp/boot" --network-key 234150123456789 --pin 1234
has "a wrong PIN" 1 "checked    wrong" bootstrap show "$tmp/boot" --network-key 234150123456789 --pin 1235
has "what is in it" 0 "./MgmtSrv/AppAddr/1/Addr" bootstrap show "$tmp/boot"
lacks() { ! "$xrem" bootstrap show "$tmp/boot" "${@:2}" | grep -qF -e "$1"; }
check "but no password" lacks s3cr3t-pw
has "unless it is wanted" 0 "s3cr3t-pw" bootstrap show "$tmp/boot" --secrets
has "as JSON" 0 '"sec": "USERPIN_NETWORKID"' bootstrap show "$tmp/boot" --json
cp=(--profile cp --server-id dm.example --url http://dm.example/s --user dev-0001 --password s3cr3t-pw --server-auth none --name 'Example DM')
check "Client Provisioning" proof "SEC=USERPIN; MAC=8EDB4880071C8AA54BBDC4797A991D9A1E0D2036" "${cp[@]}" --pin 1234
"$xrem" bootstrap make "${cp[@]}" --network-key 234150123456789 --push | od -An -tx1 | tr -d ' \n' >"$tmp/push"
check "as a push" grep -q '^01062f1f2db6918092' "$tmp/push"
has "read from hexadecimal" 0 "proved by  NETWPIN" bootstrap show "$tmp/push" --network-key 234150123456789
check "a PIN is made up" proof "SEC=USERPIN;" "${boot[@]}"
pin=$(sed -n 's/^PIN for the user: //p' "$tmp/err")
has "and good" 0 "checked    good" bootstrap show "$tmp/boot" --pin "$pin"
check "a PIN that is the proof" proof "SEC=USERPINMAC" "${cp[@]}" --sec USERPINMAC
pin=$(sed -n 's/^PIN for the user: //p' "$tmp/err")
has "is good too" 0 "checked    good" bootstrap show "$tmp/boot" --pin "$pin"
err "a server without address" 2 "--url are needed" bootstrap make --server-id a
err "USERPINMAC without CP" 2 "--profile cp" bootstrap make "${boot[@]}" --sec USERPINMAC
err "a key that is missing" 2 "--network-key is needed" bootstrap make "${boot[@]}" --sec NETWORKID
err "a profile nobody knows" 2 "neither dm nor cp" bootstrap make "${boot[@]}" --profile x
err "a proof nobody knows" 2 "is none of" bootstrap make "${boot[@]}" --sec x
printf 'Content-Type: application/vnd.syncml.dm+wbxml\n\nx' >"$tmp/unsigned"
err "nothing proves it" 7 "nothing proves this message" bootstrap show "$tmp/unsigned"
err "no bootstrap" 7 "no bootstrap message" bootstrap show "$src/LICENSE"

is "basic" 0 "QnJ1Y2UyOk9oQmVoYXZl" auth compute basic -u Bruce2 -p OhBehave
is "md5, a nonce of text" 0 "Zz6EivR3yeaaENcRN6lpAQ==" auth compute md5 -u Bruce2 -p OhBehave --nonce text:Nonce
is "md5, a nonce of octets" 0 "gr8X0aiuQVvDV7QGvXQl9A==" auth compute md5 -u dev-0001 -p s3cr3t-pw --nonce AAECAwQFBgcICQoLDA0ODw==
is "the secret" 0 "qCuuTa3laq2VWRZa+k/r6g==" auth compute secret -u dev-0001 -p s3cr3t-pw
printf "%s" "<SyncML xmlns='SYNCML:SYNCML1.2'><SyncHdr/><SyncBody><Final/></SyncBody></SyncML>" >"$tmp/body"
printf 's3cr3t-pw\n' >"$tmp/pw"
is "mac, the password from a file" 0 "WAOF5z/xLT/UY7bR7VCMDA==" auth compute mac -u dev-0001 --password-file "$tmp/pw" --nonce hex:000102030405060708090a0b0c0d0e0f --body "$tmp/body"
err "mac without a body" 2 "--body FILE" auth compute mac -u a -p b
err "an unknown kind" 2 "did you mean basic" auth compute bsic -u a -p b

# ---- online, with a stand-in for the server --------------------------------------------------------
mkfifo "$tmp/in" "$tmp/port"
"$fake" <"$tmp/in" >"$tmp/port" 2>"$tmp/trace" &
fake_pid=$!
exec 9>"$tmp/in"
read -r port <"$tmp/port"
printf 'server = http://127.0.0.1:%s\ntoken = good\n' "$port" >"$XREM_CONFIG"
asked() { grep -qF -e "$1" "$tmp/trace"; }

has "health" 0 "store" health
has "lists devices" 0 "this" device list
has "control characters never reach anyone's terminal" 0 'M\x1b[31m' device list
has "lists devices as JSON" 0 '"name": "this"' device list --json
has "makes a device" 0 "made-up" device add acme/1 --auth md5 --tag a --tag b
is "no more than is not shown again" 0 "Password         made-up
Server password  made-too" --quiet device add acme/1
is "nothing of one that was changed" 0 "" --quiet device approve acme/1
check "sends what was said" asked '{"name":"acme/1","auth":"md5","tags":["a","b"]}'
has "shows a device" 0 "held" device show acme/1
has "approves a device" 0 "active" device approve acme/1
check "as a change of state" asked 'PATCH /api/v1/devices/acme%2F1? {"state":"active"}'
is "clears a note" 0 "$("$xrem" device approve acme/1)" device set acme/1 --note ""
check "with null" asked '{"note":null}'
err "changes nothing" 2 "nothing to change" device set acme/1
is "removes a device" 0 "" device remove acme/1
err "wakes a device" 0 "by udp" device wake this
err "no such device" 3 "no such device" device show nobody
err "no more in what a device says of an error" 3 '404 Not found: none \x1b[31m here' get bad ./No
err "a server that ends while a job is waited for" 4 "has no time, or is ending; try again" get away ./A
err "... says how to go on" 4 "the job goes on: xrem job watch j9" get away ./A
err "a token that would be two lines" 7 "blanks or control characters" --token $'good\nX: y' device list
err "a token that is none" 2 "--token: it is empty" --token "" device list
err "a file without a token" 7 "/dev/null: no token in its first line" --token-file /dev/null device list
is "shows events" 0 '2026-01-01T00:00:00Z       7  job.done                this  {"key":"k\u001B[31m"}' event
check "the newest" asked 'GET /api/v1/events?limit=20'
is "as a line of JSON each" 0 '{"id":"7","time":"2026-01-01T00:00:00Z","kind":"job.done","device":"this","data":{"device":"this","key":"k\u001B[31m"}}' event --json --kind job. --after 3 -n 5
check "those asked for" asked 'GET /api/v1/events?kind=job.&after=3&limit=5'
err "tells what is not kept any more" 0 "3 events are not kept any more" event --after 3
follows() {
        timeout --preserve-status -s INT 1 "$xrem" event --follow --after 3 >"$tmp/said"
        [ $? = 0 ] && grep -q 'job.done' "$tmp/said" && asked 'GET /api/v1/events?limit=1000&after=7&wait=25'
}
check "follows them, until Ctrl-C" follows
has "lists campaigns" 0 "spring" campaign list --state running
check "in that state" asked 'GET /api/v1/campaigns?state=running&limit=20'
has "shows a campaign with its tallies" 0 "95 succeeded" campaign show 7
has "lists what became of its devices" 0 "Corrupted package (402)" campaign devices 7 --state failed
is "makes a campaign" 0 7 campaign create spring --url http://dl/x --to 2.0 --model M1 --tag a --tag b --fwv '<2' \
        --canary 5 --wave 10% --soak 2h --window 'sat,sun 22:00-04:00' --retries 1 --hold -q
check "as its options say" asked 'POST /api/v1/campaigns? {"name":"spring","url":"http://dl/x","version":"2.0","target":{"tags":["a","b"],"model":["M1"],"fwv":"<2"},"plan":{"canary":5,"wave":"10%","soak":7200,"hold":true,"windows":[{"days":["sat","sun"],"from":"22:00","until":"04:00"}],"retry":{"count":1}}}'
has "tries one dry" 0 "its model is M2; wanted is M1" campaign create spring --url http://dl/x --to 2.0 --all --dry-run
check "asking for all devices" asked 'POST /api/v1/campaigns/preview?others=1&limit=1000 {"name":"spring","url":"http://dl/x","version":"2.0","target":{},"plan":{}}'
err "a campaign for nobody in particular" 2 "which devices?" campaign create spring --url http://dl/x --to 2.0
err "a window without an end" 2 "such as 22:00-04:00" campaign create spring --all --window 22:00
err "a share that is none" 2 "a share such as 5%" campaign create spring --all --canary some
for act in approve start resume cancel retry; do
        has "campaign $act" 0 "spring" campaign $act 7
done
has "retries one class" 0 "spring" campaign retry 7 --class corrupt
check "asking for it" asked 'POST /api/v1/campaigns/7/retry?class=corrupt'
err "what cannot be done now" 1 "xrem: Only a running campaign is paused." campaign pause 7
has "rolls back" 0 "spring" campaign rollback 7 --url http://dl/old --to 1.0
is "nothing of one that goes on" 0 "" campaign start 7 --quiet
is "the id of that alone" 0 "7" campaign rollback 7 --url http://dl/old --to 1.0 --quiet
check "to that" asked 'POST /api/v1/campaigns/7/rollback?url=http%3A%2F%2Fdl%2Fold&version=1.0'
has "watches one that ends with failures" 1 "5 failed" campaign watch 7
has "and one that ends well" 0 "100 succeeded" campaign watch 8
is "removes a campaign" 0 "" campaign remove 7
has "lists rules" 0 "cool down" rule list
has "shows a rule" 0 '"name": "cool down"' rule show 1
echo '{"name": "r", "on": "alarm.", "do": [{"tag": "hot"}]}' >"$tmp/rule"
is "makes a rule" 0 1 rule add "$tmp/rule"
check "as the file says" asked 'POST /api/v1/rules? {"name":"r","on":"alarm.","do":[{"tag":"hot"}]}'
echo '{"name": ' >"$tmp/rule"
err "a rule that is no JSON" 7 "rule:2:" rule add "$tmp/rule"
is "switches a rule off" 0 "" rule set 1 --enabled no
check "and no more" asked 'PATCH /api/v1/rules/1? {"enabled":false}'
err "changes nothing of a rule" 2 "nothing to change" rule set 1
is "removes a rule" 0 "" rule remove 1
has "lists gateways" 0 "acme/gw/1  active       60" gateway list
has "shows a gateway" 0 "Takes fan-outs" gateway show gw
has "and what it keeps" 0 "meter 1.7" gateway show gw
has "lists what is behind it" 0 "meter/17  asleep  d0017  adaptation  LWM2M/1.1" gateway devices gw
check "without addresses" asked 'GET /api/v1/gateways/gw/devices?limit=1000'
has "with addresses" 0 "10.0.0.7:5683" gateway devices gw --addresses
check "which it asks for" asked 'GET /api/v1/gateways/gw/devices?addresses=1&limit=1000'
is "has an inventory read" 0 "" gateway sync gw
check "by asking" asked 'POST /api/v1/gateways/gw/sync?'
is "replaces a unit" 0 "" gateway replace this urn:imei:2
check "by the new one's DevId" asked 'POST /api/v1/devices/this/replace? {"devid":"urn:imei:2"}'
has "shows the passwords that it has from now on" 0 "Server password  made-too" gateway replace acme/1 urn:imei:2
has "as JSON, too" 0 '"password": "made-up"' gateway replace acme/1 urn:imei:2 --json
err "removes no other device without a word" 1 "xrem: d0012 has that DevId, and would be removed; --yes does it" gateway replace taken urn:imei:2
check "asks for none to be removed" asked 'POST /api/v1/devices/taken/replace? {"devid":"urn:imei:2"}'
err "with --yes it says so" 1 "d0012 has that DevId" gateway replace taken urn:imei:2 --yes
check "to the server" asked 'POST /api/v1/devices/taken/replace? {"devid":"urn:imei:2","remove":true}'
is "moves a device" 0 "" gateway move this --gateway gw --key d0001
check "to that place" asked 'POST /api/v1/devices/this/move? {"gateway":"gw","key":"d0001"}'
is "takes a device from behind a gateway" 0 "" gateway move this --none
check "to nowhere" asked 'POST /api/v1/devices/this/move? {"gateway":null}'
err "moves nowhere without a word" 2 "--gateway and --key, or --none" gateway move this
is "forgets a gateway" 0 "" gateway forget gw
has "lists templates" 0 "report often  watch" template list
has "shows a template" 0 '"name": "report often"' template show 1
echo '{"name": "r", "nodes": [{"uri": "./A", "data": "1"}]}' >"$tmp/template"
is "makes a template" 0 1 template add "$tmp/template" --mode enforce
check "as the file and the option say" asked 'POST /api/v1/templates? {"name":"r","nodes":[{"uri":"./A","data":"1"}],"mode":"enforce"}'
is "lets it only watch" 0 "" template set 1 --mode watch
check "and says so" asked 'PATCH /api/v1/templates/1? {"mode":"watch"}'
err "changes nothing of a template" 2 "nothing to change" template set 1
has "lists its devices" 0 "this    drifted" template devices 1 --state drifted
check "those in that state" asked 'GET /api/v1/templates/1/devices?state=drifted'
has "shows a difference" 0 "Interval  differs  600     60" template diff this
has "and what is as it is to be" 0 "access        conform" template diff this
is "checks all devices" 0 "" template check 1
check "without naming one" asked 'POST /api/v1/templates/1/check? {}'
is "checks one" 0 "" template check 1 this
check "by its name" asked 'POST /api/v1/templates/1/check? {"device":"this"}'
is "removes a template" 0 "" template remove 1
has "lists alarms" 0 "unreachable" alarm list
check "those that are active" asked 'GET /api/v1/alarms?state=active'
has "shows a stranger's text made visible" 0 "silent" alarm list this --all --severity major --unseen
check "of one device, in any state" asked 'GET /api/v1/alarms?severity=major&acknowledged=false&device=this'
has "counts alarms" 0 "12" alarm counts
has "shows an alarm with its history" 0 "commented, major, by ada: on the way" alarm show 17
is "acknowledges" 0 "" alarm ack 17 --comment "on the way"
check "with a word" asked 'PATCH /api/v1/alarms/17? {"acknowledged":true,"comment":"on the way"}'
is "takes it back" 0 "" alarm ack 17 --undo
check "as it was" asked 'PATCH /api/v1/alarms/17? {"acknowledged":false}'
is "comments" 0 "" alarm comment 17 "mended"
is "judges" 0 "" alarm judge 17 minor
check "by one member" asked 'PATCH /api/v1/alarms/17? {"severity":"minor"}'
is "clears" 0 "" alarm clear 17
check "without a word" asked 'POST /api/v1/alarms/17/clear? {}'
is "raises an alarm" 0 18 alarm raise this "door open" --source cabinet --severity minor
check "of that cause" asked 'POST /api/v1/alarms? {"device":"this","cause":"door open","source":"cabinet","severity":"minor"}'
has "shows the rules of alarms" 0 "built in" alarm rules
echo '[{"cause": "x", "ignore": true}]' >"$tmp/rules"
has "replaces them" 0 "Whose" alarm rules --file "$tmp/rules"
check "by those of the file" asked 'PUT /api/v1/alarms/rules? {"rules":[{"cause":"x","ignore":true}]}'
echo '{}' >"$tmp/rules"
err "rules that are no list" 7 "no JSON list" alarm rules --file "$tmp/rules"
has "shows when a device is to call" 0 "3600" device expect this
is "expects it otherwise" 0 "" device expect this --interval 6h --awake always --gateway gw
check "in seconds" asked 'PATCH /api/v1/devices/this/presence? {"interval":21600,"awake":0,"gateway":"gw"}'
is "as the device says" 0 "" device expect this --interval device --gateway ""
check "takes back what was said" asked 'PATCH /api/v1/devices/this/presence? {"interval":null,"gateway":null}'
err "a time that is none" 2 "a time such as" device expect this --interval soon
has "lists metrics" 0 "4711" metric list this
has "and what is no number" 0 "up" metric list this
csv_is() {
        [ "$("$xrem" metric get this load --csv | tr '\r\n' ';|')" = "$1" ]
}
check "shows samples as CSV, no formulas" csv_is "time,device,metric,value,gap_until;|2026-01-01T00:00:00Z,this,'@load,0.1,;|2026-01-01T00:01:00Z,this,'@load,,2026-01-01T00:05:00Z;|2026-01-01T00:05:00Z,this,'@load,7,;|"
check "asks for what was said" asked 'GET /api/v1/metrics?device=this&metric=load&limit=10000'
has "shows a gap to people" 0 "gap until 2026-01-01T00:05:00Z" metric get this load --from -2h
check "with the time it was told" asked '&from=-2h&limit'
has "of many devices" 0 "0.1" metric get 'acme/*' load --step 5m
check "by how their names begin" asked 'metrics?prefix=acme%2F&metric=load&step=5m'
is "puts samples" 0 "" metric put this a=1.5 b=up --at 2026-01-01T00:00:00Z
check "numbers and texts" asked '{"at":"2026-01-01T00:00:00Z","values":{"a":1.5,"b":"up"}}'
err "a sample without a value" 2 "METRIC=VALUE" metric put this a
is "collects" 0 "3" metric collect ./A ./B --every 60 --prefix acme/ --tag x
check "of those devices" asked '{"every":60,"nodes":["./A","./B"],"selector":{"prefix":"acme/","tags":["x"]}}'
err "of none" 2 "which devices" metric collect ./A --every 60
err "not saying how often" 2 "every SECONDS" metric collect ./A --all
has "lists collections" 0 "./A and 1 more" metric collections
is "stops one" 0 "" metric stop 3
is "makes a threshold" 0 "5" threshold add load --high 80.5 --severity major --all
check "as it was said" asked '"metric":"load","severity":"major","selector":{}'
err "no number" 2 "is no number" threshold add load --high much --all
has "lists thresholds" 0 "80.5" threshold list
is "removes one" 0 "" threshold remove 5
has "lists packages" 0 "firmware" package list
has "completes packages" 0 "box@1.0" --complete package show b
has "finds one by name" 0 "5891b5b5" package show box@1.0
has "and whom it fits, in line" 0 'Fits       {"model":["M1"]}' package show 1
has "tells why it does not fit" 0 'it does not fit, its model is M2\x1b[31m' package show 1 --device this
check "asks for the device" asked 'GET /api/v1/packages/1?device=this '
err "no such version" 3 "no package box@9" package show box@9
err "no name of a package" 2 "NAME@VERSION" package show box
printf 'hello\n' >"$tmp/box.img"
printf 'other\n' >"$tmp/other.img"
has "one that is there already is not sent again" 0 "box" package add "$tmp/box.img" --name box --version 1.0
err "another content of the same version" 1 "another content" package add "$tmp/other.img" --name box --version 1.0
has "goes on where the server says" 0 "ready" package add "$tmp/other.img" --name box --version 2.0 --model M1 --fwv '<2' --notes n
check "tells what it is" asked 'POST /api/v1/packages? {"name":"box","version":"2.0","kind":"firmware","fits":{"model":["M1"],"fwv":"<2"},"sha256":"7e4fa2eb8c7ac089739d5defc4489fad68a100d92082ca35c6b40a4524821f87","size":6,"file":"other.img","notes":"n"}'
check "sends what is left" asked 'PUT /api/v1/packages/2/content? her'
is "prints the id alone when quiet" 0 "2" --quiet package add "$tmp/other.img" --name box --version 2.0
is "and nothing of what it changed" 0 "" --quiet package set 1 --fits-all --notes x
err "no version" 2 "needs --name and --version" package add "$tmp/box.img" --name box
err "no file" 7 "No such file" package add "$tmp/none" --name box --version 3
err "two signatures" 2 "not both" package add "$tmp/box.img" --name box --version 3 --sign k --signature s
err "no key" 7 "no private Ed25519 key" package add "$tmp/box.img" --name box --version 3 --sign "$tmp/box.img"
is "fetches" 0 "" package fetch box@1.0 --output "$tmp/fetched" --quiet
check "what the hash says" cmp "$tmp/fetched" "$tmp/box.img"
no_room() { # for all of it, but for a part
        (trap '' XFSZ; ulimit -f 1; "$xrem" package fetch 4 --output "$tmp/big" 2>&1 >/dev/null) | grep -qF "$tmp/big.part: File too large"
}
check "says why it cannot be kept" no_room
err "what is elsewhere" 1 "https://else/box.img" package fetch 3
has "whom it fits" 0 '"id"' package set 1 --fits-all --notes x --json
check "all of them" asked 'PATCH /api/v1/packages/1? {"notes":"x","fits":{}}'
err "changes nothing of a package" 2 "nothing to change" package set 1
err "one that is needed" 1 "in use" package remove 1
has "lists webhooks" 0 "answered 500" webhook list
has "makes a webhook" 0 "made-up" webhook add https://x/in --kind alarm. --kind job.done --prefix acme/
is "whose secret is known: its id alone" 0 "1" --quiet webhook add https://x/in --secret sixteen-octets-it-is
check "sends what was said" asked '{"url":"https://x/in","kinds":["alarm.","job.done"],"prefix":"acme/"}'
is "switches it off" 0 "" webhook set 1 --enabled no
check "and nothing else" asked 'PATCH /api/v1/webhooks/1? {"enabled":false}'
err "neither on nor off" 2 "yes or no" webhook set 1 --enabled maybe
err "changes nothing" 2 "nothing to change" webhook set 1
is "tries it" 0 "" webhook test 1
is "removes it" 0 "" webhook remove 1
err "a wrong token" 6 "Unauthorized" device list --token bad

err "a token that could be read on its way" 4 "travels unencrypted to 0.0.0.0" device list --server http://0.0.0.0:1

is "gets a value" 0 "hello" get this ./A/b
has "gets it as JSON" 0 '"state": "done"' get this ./A/b --json
is "does not wait" 0 "j1" get this ./A/b --no-wait
err "a node that is not there" 3 "./No: 404 Not found" get bad ./No
err "a device that sleeps" 5 "xrem job watch j3" get asleep ./A --timeout 1
ctrl_c() {
        timeout --preserve-status -s INT 1 "$xrem" get asleep ./A 2>"$tmp/said"
        [ $? = 5 ] && grep -q "the job goes on" "$tmp/said"
}
check "Ctrl-C leaves the job as it is, and says so" ctrl_c
is "octets as base64" 0 "AAEC/w==" get bytes ./B
raw() { "$xrem" get bytes ./B --raw | od -An -tx1 | grep -qx ' 00 01 02 ff'; }
check "octets as they are" raw
err "what the server refuses" 7 "commands[0].uri: no URI" get picky ./A
run set this ./A/b 30
check "sets a value" asked '{"commands":[{"cmd":"replace","uri":"./A/b","data":"30"}]}'
run set this ./A/b -5 --format int
check "a negative number is no option" asked '{"cmd":"replace","uri":"./A/b","format":"int","data":"-5"}'
run set this ./A/b AAEC/w== --b64
check "octets travel as base64" asked '"data_base64":"AAEC/w=="'
run add this ./A/n --node
check "adds a node" asked '{"cmd":"add","uri":"./A/n","format":"node"}'
run add this ./A --tnds "$data/acc.hex"
check "adds a subtree" asked '"type":"application/vnd.syncml.dmtnds+xml"'
run copy this ./A/b ./A/c
check "copies" asked '{"cmd":"copy","uri":"./A/c","source":"./A/b"}'
run exec this ./A/x now --correlator c1
check "runs a node" asked '{"cmd":"exec","uri":"./A/x","data":"now","correlator":"c1"}'
run delete this ./A/b ./A/c
check "deletes" asked '[{"cmd":"delete","uri":"./A/b"},{"cmd":"delete","uri":"./A/c"}]'
printf '[{"cmd":"delete","uri":"./Z"}]' >"$tmp/cmds"
run run this --file "$tmp/cmds" --atomic
check "runs a list, all or nothing" asked '{"commands":[{"cmd":"delete","uri":"./Z"}],"atomic":true}'
printf '[{"cmd":' >"$tmp/cmds"
err "a list that is broken" 7 "cmds:1:" run this --file "$tmp/cmds"
err "an unknown format" 2 "did you mean chr" set this ./A x --format char
err "no value" 2 "what value" set this ./A

is "draws a tree" 0 "$(printf './A\n├── b\n│   └── c  int  5\n├── d      chr  x\n└── e      bin  (99 octets)')" tree this ./A
check "of the device" asked "live=1&timeout=60"
has "draws what is remembered" 0 "5 min" tree this ./A --mirror
has "what descriptions say" 0 "chr     GR      x                  Delay" tree this ./A --long
has "a tree as JSON" 0 '"uri": "./A/b/c"' tree this --json
has "lists jobs" 0 "j1" job list
has "shows a job" 0 "hello" job show j1
err "cannot cancel what has ended" 1 "the job has ended" job cancel j1
has "watches a job" 3 "404 Not found" job watch j2
has "lists sessions" 0 "s1" session list this
has "shows the last session" 0 "<MsgID>1</MsgID>" session show this
has "sums a session up" 0 "Alert 1200 server-initiated session" session show this s1 --summary
has "shows its octets" 0 "61 62 63" session show this --raw
has "lists tokens" 0 "viewer" token list
is "makes a token" 0 "xr_secret" token add ci
is "withdraws a token" 0 "" token remove ci
is "completes device names" 0 "this" --complete get t
check "of however many" asked 'GET /api/v1/devices?limit=1000&prefix=t'
check "bash completes what has an @" bash_gives @1.0 @1 package show box @ 1

# ---- the terminal --------------------------------------------------------------------------------
on_terminal() { # title command: as check, where the system has terminals to give
        if script -qec true /dev/null >/dev/null 2>&1; then
                check "$@"
        else
                n=$((n + 1))
                echo "ok $n - $1 # SKIP no pseudo-terminals here (is /dev/pts mounted?)"
        fi
}
narrow() {
        script -qec "stty cols 50; '$xrem' device list" /dev/null | tr -d '\r' >"$tmp/wide"
        [ "$(wc -L <"$tmp/wide")" -le 50 ] && grep -q '…' "$tmp/wide"
}
on_terminal "tables fit the terminal" narrow
progress() {
        script -qec "'$xrem' get asleep ./A --timeout 2; true" /dev/null | grep -q 'notified (job j3), 1 s'
}
on_terminal "progress on terminals" progress
asks() { # answer
        echo "$1" | script -qec "'$xrem' gateway replace taken urn:imei:3; true" /dev/null >"$tmp/asked"
        grep -q 'd0012 has that DevId, and would be removed. Is that meant? \[y/N\]' "$tmp/asked"
}
meant() {
        local yes='POST /api/v1/devices/taken/replace? {"devid":"urn:imei:3","remove":true}'
        asks n && ! asked "$yes" && asks y && asked "$yes"
}
on_terminal "a person is asked whether that is meant" meant
leaves() { # a question is left by Ctrl-C
        rm -f "$tmp/asked" && mkfifo "$tmp/keys" && exec 8<>"$tmp/keys" || return 1
        timeout 20 script -qefc "'$xrem' gateway replace taken urn:imei:4" /dev/null <&8 >"$tmp/asked" 8<&- &
        local pid=$! end=$((SECONDS + 15))
        until grep -qs 'meant?' "$tmp/asked" || [ $SECONDS -ge $end ]; do sleep 0.05; done
        printf '\003' >&8
        wait $pid
        code=$?
        exec 8<&-
        [ $code = 130 ]
}
on_terminal "who leaves the question has answered it" leaves
octets_shown() {
        "$xrem" msg convert --to wbxml "$tmp/c1.xml" -o "$tmp/c1" && script -qec "'$xrem' msg decode '$tmp/c1'" /dev/null >"$tmp/shown" &&
                grep -qF 'hot\xc2\x9b31m' "$tmp/shown" && "$xrem" msg decode "$tmp/c1" | grep -q $'hot\xc2\x9b31m'
}
printf '<SyncML xmlns="SYNCML:SYNCML1.2"><SyncHdr><VerDTD>1.2</VerDTD><VerProto>DM/1.2</VerProto><SessionID>1</SessionID><MsgID>1</MsgID><Target><LocURI>a</LocURI></Target><Source><LocURI>b</LocURI></Source></SyncHdr><SyncBody><Alert><CmdID>1</CmdID><Data>1226</Data><Item><Data>hot\xc2\x9b31m</Data></Item></Alert><Final/></SyncBody></SyncML>' >"$tmp/c1.xml"
on_terminal "a message on a terminal has no control characters" octets_shown
colours() {
        script -qec "env -u NO_COLOR TERM=xterm '$xrem' device list" /dev/null | grep -q $'\033\[1m' &&
                ! script -qec "TERM=xterm '$xrem' device list" /dev/null | grep -q $'\033\['
}
on_terminal "colours on terminals, unless NO_COLOR" colours

echo "1..$n"
[ $failed = 0 ]
