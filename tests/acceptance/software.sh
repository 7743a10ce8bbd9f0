# SPDX-License-Identifier: Apache-2.0
# Software of a device: a package of Debian in a root of its own, an application as folders; signed by OpenSSL,
# served over HTTP, ordered through SCOMO.  Sourced by tests/acceptance/run, whose world it uses.

sw=$home/sw-things
deployed=./SCM/Inventory/Deployed

sign() # file, key
{
        openssl dgst -sha256 -binary "$1" >"$sw/hash" && openssl pkeyutl -sign -rawin -in "$sw/hash" -out "$1.sig" -inkey "$sw/$2.key"
}

make_app() # version, file, key
{
        mkdir -p "$sw/in/bin" || return 1
        printf 'id=net.example.app\nversion=%s\nname=An application\n' "$1" >"$sw/in/component"
        printf '#!/bin/sh\necho %s\n' "$1" >"$sw/in/bin/app" && chmod +x "$sw/in/bin/app" || return 1
        head -c 600000 /dev/urandom >"$sw/in/data" && tar -C "$sw/in" -cf "$sw/www/$2" . && sign "$sw/www/$2" "$3"
}

make_software()
{
        local k
        mkdir -p "$sw/keys" "$sw/www" "$sw/root" "$sw/deb/DEBIAN" "$sw/deb/usr/bin" || return 1
        for k in maker stranger; do
                openssl genpkey -algorithm ed25519 -out "$sw/$k.key" || return 1
        done
        openssl pkey -in "$sw/maker.key" -pubout -out "$sw/keys/maker.pub" || return 1
        make_app 1.0 app-1.tar maker && make_app 2.0 app-2.tar maker && make_app 3.0 app-3.tar stranger &&
                make_app 4.0 app-4.tar maker || return 1
        ! command -v dpkg-deb >/dev/null || { make_deb 2.4 && make_deb 2.5 && make_deb 2.6; }
}

# Its scripts wait where the test wants to find dpkg at work.
make_deb() # version
{
        local script
        printf 'Package: meterd\nVersion: %s-1\nArchitecture: all\nMaintainer: N <n@example.net>\nDescription: reads meters\n' \
                "$1" >"$sw/deb/DEBIAN/control"
        printf '#!/bin/sh\necho %s\n' "$1" >"$sw/deb/usr/bin/meterd" && chmod +x "$sw/deb/usr/bin/meterd" || return 1
        for script in prerm postinst; do
                cat >"$sw/deb/DEBIAN/$script" <<'END'
#!/bin/sh
hold=$DPKG_ROOT/hold-$1
[ ! -e "$hold" ] || cut -d ' ' -f 5 /proc/$$/stat >"$hold"
while [ -e "$hold" ]; do sleep 0.02; done
END
                chmod 755 "$sw/deb/DEBIAN/$script" || return 1
        done
        dpkg-deb --root-owner-group -b "$sw/deb" "$sw/www/meterd-$1.deb" && sign "$sw/www/meterd-$1.deb" maker
}

start_software_device()
{
        local root=
        make_software || return 1
        python3 "$here/serve.py" "$sw/www" >"$sw/port" &
        pid[sww]=$!
        eventually 20 test -s "$sw/port" || return 1
        www=http://127.0.0.1:$(cat "$sw/port")
        [ -z "$no_dpkg" ] && root="dpkg_root = $sw/root
dpkg_options = --force-script-chrootless"
        add_device sw
        start_device sw "http://127.0.0.1:$plain_port/dm" '' "[software]
$root
archive = $sw/apps
keys = $sw/keys
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
installers = $bin/drem/install"
        eventually 20 is_active sw
}

offer() # name, package id, path
{
        "$xrem" add sw "./SCM/Download/$1" --node && "$xrem" add sw "./SCM/Download/$1/PkgID" "$2" &&
                "$xrem" add sw "./SCM/Download/$1/PkgURL" "$www$3"
}

run_op() # address below ./SCM, operation
{
        "$xrem" exec sw "./SCM/$1/Operations/$2" --timeout 60
}

sees() # address below ./SCM, value
{
        equal "$("$xrem" get sw "./SCM/$1")" "$2" "$1"
}

gone() # address below ./SCM
{
        code_of 3 "$xrem" get sw "./SCM/$1"
}

installs_a_deb()
{
        offer meterd net.example.meterd-2.4 /meterd-2.4.deb && run_op Download/meterd DownloadInstall || return 1
        sees Inventory/Deployed/meterd/ID meterd && sees Inventory/Deployed/meterd/Version 2.4-1 &&
                sees Inventory/Deployed/meterd/State 20 && sees Inventory/Deployed/meterd/PkgIDRef net.example.meterd-2.4 &&
                equal "$("$sw/root/usr/bin/meterd")" 2.4 && "$xrem" tree sw $deployed | grep -q '2.4-1'
}

no_task_is_left()
{
        code_of 3 "$xrem" get sw ./Vendor/Task/1/Kind
}

alerts_of_sw()
{
        python3 "$here/events.py" "$home/${server:-server2}" sw | wc -l
}

# Kills dremd while dpkg runs a script of the package, and starts it again; in a power cut dpkg and who called it
# die as well.  The job's end is told in $sw/out; its exit code is ours.
dies_at_work() # script's first word, address below ./SCM, operation, power
{
        local job alerts code=0 hold=$sw/root/hold-$1
        alerts=$(alerts_of_sw)
        touch "$hold" && job=$("$xrem" exec sw "./SCM/$2/Operations/$3" --no-wait) || return 99
        eventually 15 test -s "$hold" && stop sw KILL || return 99
        if [ -n "${4:-}" ]; then
                kill -KILL -- "-$(cat "$hold")" && rm "$hold" && run_device sw
        else # it comes back while dpkg is still at it
                run_device sw && eventually 10 has_child "${pid[sw]}" dremd-dpkg && rm "$hold"
        fi
        "$xrem" job watch "$job" >"$sw/out" 2>&1 || code=$?
        equal "$(alerts_of_sw)" $((alerts + 1)) alerts && no_task_is_left || return 99
        return $code
}

has_meterd() # version, as what package
{
        sees Inventory/Deployed/meterd/Version "$1-1" && sees Inventory/Deployed/meterd/State 20 &&
                sees Inventory/Deployed/meterd/PkgIDRef "net.example.meterd-$1" && equal "$("$sw/root/usr/bin/meterd")" "$1" &&
                equal "$(dpkg-query --admindir="$sw/root/var/lib/dpkg" -W -f '${db:Status-Abbrev}${Version}' meterd)" "ii $1-1" status
}

update_meterd() # version
{
        "$xrem" set sw ./SCM/Download/meterd/PkgID "net.example.meterd-$1" &&
                "$xrem" set sw ./SCM/Download/meterd/PkgURL "$www/meterd-$1.deb"
}

survives_a_kill_while_dpkg_installs()
{
        update_meterd 2.5 || return 1
        dies_at_work configure Download/meterd DownloadInstall || fail "$(cat "$sw/out")" || return 1
        has_meterd 2.5
}

survives_a_power_cut_while_dpkg_installs()
{
        update_meterd 2.6 || return 1
        code_of 1 dies_at_work configure Download/meterd DownloadInstall power || return 1
        grep -q 1405 "$sw/out" || fail "$(cat "$sw/out")" || return 1
        sees Download/meterd/Status 70 && has_meterd 2.5
}

survives_a_kill_while_dpkg_removes()
{
        dies_at_work remove Inventory/Deployed/meterd Remove || fail "$(cat "$sw/out")" || return 1
        gone Inventory/Deployed/meterd/ID && [ ! -e "$sw/root/usr/bin/meterd" ] && update_meterd 2.4 &&
                run_op Download/meterd DownloadInstall && has_meterd 2.4
}

removes_a_deb()
{
        run_op Inventory/Deployed/meterd Remove && gone Inventory/Deployed/meterd/ID && [ ! -e "$sw/root/usr/bin/meterd" ]
}

# Somebody at the device installs, and removes.
sees_other_hands()
{
        dpkg --root="$sw/root" --force-script-chrootless -i "$sw/www/meterd-2.4.deb" >/dev/null 2>&1 || return 1
        gone Inventory/Deployed/meterd/ID || return 1 # not ours
        run_op Download/meterd DownloadInstall && sees Inventory/Deployed/meterd/State 20 || return 1
        dpkg --root="$sw/root" --force-script-chrootless --purge meterd >/dev/null 2>&1 || return 1
        eventually 10 gone Inventory/Deployed/meterd/ID
}

runs_app() # version, or nothing
{
        equal "$("$sw/apps/net.example.app/current/bin/app" 2>/dev/null)" "$1" 'the application'
}

installs_inactive()
{
        offer app1 app-1 /app-1.tar && run_op Download/app1 DownloadInstallInactive || return 1
        sees Inventory/Deployed/net.example.app/State 10 && sees Inventory/Deployed/net.example.app/Version 1.0 && runs_app ''
}

activates()
{
        run_op Inventory/Deployed/net.example.app Activate && sees Inventory/Deployed/net.example.app/State 20 && runs_app 1.0 &&
                run_op Inventory/Deployed/net.example.app Activate
}

updates()
{
        offer app2 app-2 /app-2.tar && run_op Download/app2 DownloadInstall || return 1
        sees Inventory/Deployed/net.example.app/Version 2.0 && runs_app 2.0 && sees Download/app2/Status 10
}

refuses_a_stranger()
{
        local out
        offer app3 app-3 /app-3.tar || return 1
        out=$(run_op Download/app3 DownloadInstall 2>&1) && fail 'it was installed' && return 1
        echo "$out" | grep -q 1407 || fail "$out" || return 1
        sees Download/app3/Status 20 && sees Inventory/Deployed/net.example.app/Version 2.0 && runs_app 2.0 &&
                "$xrem" get sw ./SCM/Download/app3/Ext/xrem/Reason | grep -q 'not by any key'
}

refuses_another_environment()
{
        local out
        "$xrem" add sw ./SCM/Download/app3/EnvType jvm || return 1
        out=$(run_op Download/app3 DownloadInstall 2>&1) && fail 'it was accepted' && return 1
        echo "$out" | grep -q 1413 || fail "$out"
}

delivers_and_installs()
{
        offer app4 app-4 /app-4.tar && run_op Download/app4 Download && sees Inventory/Delivered/app4/State 10 && runs_app 2.0 || return 1
        run_op Inventory/Delivered/app4 Install && sees Inventory/Delivered/app4/State 20 && runs_app 4.0 || return 1
        run_op Inventory/Delivered/app4 Remove && gone Inventory/Delivered/app4/PkgID && runs_app 4.0
}

pushes_in_the_session()
{
        "$xrem" add sw ./SCM/Inventory/Delivered/p --node && "$xrem" add sw ./SCM/Inventory/Delivered/p/PkgID pushed-1 &&
                "$xrem" add sw ./SCM/Inventory/Delivered/p/Ext/xrem/Signature --file "$sw/www/app-1.tar.sig" --format bin &&
                "$xrem" add sw ./SCM/Inventory/Delivered/p/Data --file "$sw/www/app-1.tar" --format bin || return 1
        run_op Inventory/Delivered/p Install && runs_app 1.0 && sees Inventory/Deployed/net.example.app/PkgIDRef pushed-1
}

# dremd dies in the middle of a download, which goes on where it was.
survives_a_kill_in_a_download()
{
        local job
        "$xrem" set sw ./SCM/Download/app2/PkgURL "$www/slow/app-2.tar" && touch "$sw/hold" || return 1
        job=$("$xrem" exec sw ./SCM/Download/app2/Operations/DownloadInstall --no-wait) || return 1
        eventually 10 sh -c "ls -s '$sw/../sw/software/'*.part | grep -qv '^0 '" || return 1
        stop sw KILL
        rm "$sw/hold"
        run_device sw
        "$xrem" job watch "$job" --timeout 60 || return 1
        runs_app 2.0 && grep -q '^app-2.tar [1-9]' "$sw/requests" || fail "no download went on: $(cat "$sw/requests")"
}

# It dies while an installer waits for its turn: undone, and told once.
survives_a_kill_in_an_installation()
{
        local job from out
        from=$(wc -l <"$home/sw.log")
        exec 8>"$sw/apps/.lock" && flock 8 || return 1
        job=$("$xrem" exec sw ./SCM/Download/app4/Operations/DownloadInstall --no-wait) || return 1
        eventually 10 sh -c "tail -n +$((from + 1)) '$home/sw.log' | grep -q 'step begins.*step=install'" &&
                eventually 10 has_child "${pid[sw]}" dremd-archive || return 1
        stop sw KILL
        exec 8>&-
        run_device sw
        out=$("$xrem" job watch "$job" --timeout 60 2>&1) && fail "it went well: $out" && return 1
        echo "$out" | grep -q 1405 || fail "$out" || return 1
        sees Download/app4/Status 70 && sees Inventory/Deployed/net.example.app/Version 2.0 && runs_app 2.0 &&
                no_task_is_left && run_op Download/app4 DownloadInstall && runs_app 4.0
}

damages_app() # version that its files are of, while the device is off
{
        local folder
        for folder in "$sw/apps/net.example.app/$1"*/; do
                stop sw KILL && flip "${folder}data" 1234 && run_device sw
                return
        done
}

warned() # text
{
        alarms sw | grep -q "<Severity>major</Severity><Cause>integrity</Cause><Object>$sw/apps</Object><Text>net.example.app/$1"
}

falls_back_to_the_version_before()
{
        damages_app 4.0 && eventually 15 warned '4.0[_0-9]*: data was changed; fell back to 2.0' || return 1
        eventually 15 sees Inventory/Deployed/net.example.app/Version 2.0 && runs_app 2.0 &&
                sees Inventory/Deployed/net.example.app/State 20
}

stays_when_no_version_is_whole()
{
        damages_app 2.0 && eventually 15 alarms_of_both && sees Inventory/Deployed/net.example.app/Version 2.0 && runs_app 2.0
}

alarms_of_both()
{
        alarms sw | tail -n 1 | grep '4.0[_0-9]*: data was changed; 2.0 is in use' |
                grep -q '2.0[_0-9]*: data was changed; no earlier version is whole, so it stays in use'
}

# The same by a campaign, out of the server's own store.
updates_by_campaign()
{
        local id
        "$xrem" --quiet package add "$sw/www/app-1.tar" --kind software --component net.example.app --name app --version 1.0 >/dev/null || return 1
        id=$("$xrem" --quiet campaign create 'app 1.0' --package app@1.0 --device sw --start) || return 1
        "$xrem" campaign watch "$id" --for 180 || { "$xrem" campaign devices "$id"; return 1; }
        runs_app 1.0 && sees Inventory/Deployed/net.example.app/Version 1.0
}

removes_the_app()
{
        run_op Inventory/Delivered/p Remove || return 1
        run_op Inventory/Deployed/net.example.app Deactivate && sees Inventory/Deployed/net.example.app/State 10 && runs_app '' &&
                run_op Inventory/Deployed/net.example.app Remove && gone Inventory/Deployed/net.example.app/ID &&
                [ ! -e "$sw/apps/net.example.app" ] && eventually 10 keeps_nothing
}

keeps_nothing()
{
        local all=("$home"/sw/software/p*)
        [ ! -e "${all[0]}" ]
}

# The server keeps the request for people to see; it ends no job.
asks_for_software() # who
{
        eventually 10 has_status sw state idle || return 1
        if [ "$1" = User ]; then
                "$dremd" --config "$home/sw/dremd.conf" --request-software | grep -q 'is asked' || return 1
        else
                stop sw && sed -i 's/^\[software\]/&\nask = 100ms/' "$home/sw/dremd.conf" && run_device sw
        fi
        eventually 10 has_status sw software-request 'answered with 202' &&
                grep -q "server was asked.*for=.new software. by=${1,} status=202" "$home/sw.log" || return 1
        python3 "$here/events.py" "$home/${server:-server2}" sw |
                grep -q "^urn:oma:at:scomo:1.0:${1}Request ./SCM informational"
}

no_dpkg=
[ "$(id -u)" -eq 0 ] || no_dpkg='needs root'
command -v dpkg-deb >/dev/null || no_dpkg='needs dpkg'

promise 'a device for software' start_software_device
if [ -n "$no_dpkg" ]; then
        echo "ok $((count += 1)) - a package of Debian is installed, listed, removed # SKIP $no_dpkg"
else
        promise 'a package of Debian is installed and listed' installs_a_deb
        promise 'kill -9 while dpkg installs: it goes on to its end, which is told once' survives_a_kill_while_dpkg_installs
        promise 'a power cut while dpkg installs: the version before, and one result' survives_a_power_cut_while_dpkg_installs
        promise 'kill -9 while dpkg removes: it is removed, which is told once' survives_a_kill_while_dpkg_removes
        promise 'it is removed' removes_a_deb
        promise 'what others do with it is seen' sees_other_hands
fi
promise 'an application is installed inactive' installs_inactive
promise 'it is activated, once more too' activates
promise 'it is updated' updates
promise 'one signed by a stranger is refused' refuses_a_stranger
promise 'one for another environment is refused at once' refuses_another_environment
promise 'a package is fetched, installed and deleted in turn' delivers_and_installs
promise 'a package sent within the session is installed' pushes_in_the_session
promise 'kill -9 in a download: it goes on' survives_a_kill_in_a_download
promise 'kill -9 in an installation: a whole device and one result' survives_a_kill_in_an_installation
promise 'an octet of it changes: at the start the version before is in use, with an alarm' falls_back_to_the_version_before
promise 'with no whole version left it stays, and says so' stays_when_no_version_is_whole
promise 'a campaign brings a version to the device' updates_by_campaign
promise 'the application is deactivated and removed' removes_the_app
promise 'the user asks for new software, and hears that there is none' asks_for_software User
promise 'so does the device by itself' asks_for_software Device
promise 'that device ends cleanly' stop sw
kill "${pid[sww]}" && wait "${pid[sww]}" 2>/dev/null
unset 'pid[sww]'
