# SPDX-License-Identifier: Apache-2.0
# Firmware as bundles of RAUC and images of SWUpdate, made by their tools and installed by them: slots and devices
# are files, RAUC's boot loader is a script, and a restart is its service started as if from the slot that is next.
# Sourced by tests/acceptance/firmware.sh, whose keys, server and functions it uses.

bd=$home/bundles
adapters=$(cd "$here/../../apps/drem/adapters" && pwd)

# The image itself says what it is, so that what runs can be asked.
make_image() # text
{
        { echo "image $1" && head -c 400000 "$fw/body"; } >"$bd/in/rootfs.img"
}

publish() # file, name: with its signature for dremd
{
        mv "$1" "$fw/www/$2" && openssl dgst -sha256 -binary "$fw/www/$2" >"$bd/hash" &&
                openssl pkeyutl -sign -rawin -in "$bd/hash" -out "$fw/www/$2.sig" -inkey "$fw/maker.key"
}

make_authorities()
{
        local who
        mkdir -p "$bd/in" || return 1
        for who in maker stranger; do
                openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$bd/$who.key" -out "$bd/$who.pem" \
                        -days 30 -subj "/CN=$who" || return 1
        done
}

start_bundle_device() # name, more of [firmware]
{
        box=$1
        add_device "$box"
        start_device "$box" "http://127.0.0.1:$plain_port/dm" '' "[firmware]
installer = $box
adapters = $adapters
keys = $fw/keys
command = $bd/check-$box
restart = touch $bd/restart
retry_wait = 100ms
fetch = $bin/drem/fetch/dremd-fetch
${2:-}"
        eventually 20 is_active "$box"
}

# The machine starts again whenever the device asks for it; how often that is tells the end of the job.
goes_through() # version, path, how many restarts: the exit code of the order
{
        local job i
        job=$(order "$1" "$2" --no-wait) || return 99
        for ((i = 0; i < $3; i++)); do
                eventually 20 test -e "$bd/restart" || return 99
                rm "$bd/restart" && stop "$box" && "boot_$box" && run_device "$box" || return 99
        done
        "$xrem" job watch "$job" --timeout 60
}

ends_well() # version, path
{
        goes_through "$1" "$2" 1 && leaf $fumo/State 100 && leaf $fumo/Ext/xrem/Reason '' && [ ! -e "$bd/restart" ]
}

ends_badly() # path, restarts, code, state, text of the reason
{
        local reason
        ! goes_through x "$1" "$2" >"$bd/out" 2>&1 || fail 'it was installed' || return 1
        grep -q "$3" "$bd/out" || fail "$(cat "$bd/out")" || return 1
        reason=$("$xrem" get "$box" $fumo/Ext/xrem/Reason)
        echo "$reason" | grep -qi -- "$5" || fail "reason: $reason" || return 1
        leaf $fumo/State "$4" && [ ! -e "$bd/restart" ] && [ ! -e "$home/$box/firmware/package" ]
}

# ---- RAUC ---------------------------------------------------------------------------------------

make_bundle() # name, text of its image, whose signature
{
        make_image "$2"
        rauc --cert "$bd/$3.pem" --key "$bd/$3.key" bundle "$bd/in" "$bd/made.raucb" && publish "$bd/made.raucb" "$1"
}

make_bundles()
{
        printf '[update]\ncompatible=test\nversion=2.0\n[bundle]\nformat=plain\n[image.rootfs]\nfilename=rootfs.img\n' \
                >"$bd/in/manifest.raucm"
        make_bundle two.raucb 'two' maker && make_bundle unfit.raucb 'unfit' maker &&
                make_bundle stranger.raucb 'of a stranger' stranger && make_bundle flipped.raucb 'flipped' maker || return 1
        rm "$bd/in/manifest.raucm"
        flip "$fw/www/flipped.raucb" 100000
}

make_machine() # slots, boot loader, RAUC's configuration, a bus of its own
{
        truncate -s 1M "$bd/rootfs.0" "$bd/rootfs.1" && echo A >"$bd/primary" && mkdir "$bd/mount" "$bd/data" || return 1
        cat >"$bd/loader" <<END
#!/bin/sh
case \$1 in
get-primary) cat '$bd/primary' ;;
set-primary) echo "\$2" >'$bd/primary' && rm -f "$bd/state.\$2" ;;
get-state) cat "$bd/state.\$2" 2>/dev/null || echo good ;;
set-state) echo "\$3" >"$bd/state.\$2" ;;
esac
END
        cat >"$bd/system.conf" <<END
[system]
compatible=test
bootloader=custom
mountprefix=$bd/mount
data-directory=$bd/data
[handlers]
bootloader-custom-backend=$bd/loader
[keyring]
path=$bd/maker.pem
[slot.rootfs.0]
device=$bd/rootfs.0
type=raw
bootname=A
[slot.rootfs.1]
device=$bd/rootfs.1
type=raw
bootname=B
END
        cat >"$bd/check-rauc" <<END
#!/bin/sh
head -n 1 "$bd/\$1" | grep -q unfit || exit 0
echo "no sensor in \$1"
exit 1
END
        chmod +x "$bd/loader" "$bd/check-rauc"
        dbus-daemon --session --nofork --nopidfile --address="unix:path=$bd/bus" >"$bd/bus.log" 2>&1 &
        pid[bus]=$!
        export DBUS_SESSION_BUS_ADDRESS=unix:path=$bd/bus DBUS_STARTER_BUS_TYPE=session
        eventually 5 test -S "$bd/bus"
}

# A boot loader leaves a slot that was marked bad.
boot_rauc()
{
        local slot
        slot=$(cat "$bd/primary")
        [ -z "${pid[service]:-}" ] || { kill "${pid[service]}" && wait "${pid[service]}"; }
        [ "$(cat "$bd/state.$slot" 2>/dev/null)" != bad ] || slot=$(echo "$slot" | tr AB BA)
        rauc --conf="$bd/system.conf" service --override-boot-slot="$slot" >>"$bd/service.log" 2>&1 &
        pid[service]=$!
        eventually 10 rauc status
}

starts_with_rauc()
{
        make_bundles && make_machine && boot_rauc && start_bundle_device rauc
}

booted() # slot
{
        equal "$(rauc status --output-format=shell | sed -n "s/^RAUC_SYSTEM_BOOTED_BOOTNAME='\(.*\)'/\1/p")" "$1" 'booted slot'
}

installs_a_bundle()
{
        ends_well 2.0 /two.raucb && booted B && equal "$(head -n 1 "$bd/rootfs.1")" 'image two' &&
                equal "$(cat "$bd/state.B")" good 'state of B'
}

leaves_an_unfit_slot()
{
        ends_badly /unfit.raucb 2 410 80 'slot rootfs.0 did not pass its check: no sensor in rootfs.0' && booted B &&
                equal "$(head -n 1 "$bd/rootfs.0")" 'image unfit' && equal "$(cat "$bd/state.A")" bad 'state of A'
}

refuses_a_bundle() # path, code, state, reason
{
        local before
        before=$(sha256sum "$bd/rootfs.0" "$bd/rootfs.1" "$bd/primary")
        ends_badly "$1" 0 "$2" "$3" "$4" && equal "$(sha256sum "$bd/rootfs.0" "$bd/rootfs.1" "$bd/primary")" "$before" slots
}

rauc_misses()
{
        for word in rauc mksquashfs dbus-daemon; do
                command -v $word >/dev/null || { echo "no $word" && return; }
        done
        [ "$(id -u)" -eq 0 ] || { echo 'mounting bundles takes root' && return; }
        losetup -f >/dev/null 2>&1 || echo 'no loop devices'
}

# ---- SWUpdate -----------------------------------------------------------------------------------

make_swu() # name, text of its image, whose signature
{
        make_image "$2"
        cat >"$bd/in/sw-description" <<END
software = {
    version = "2.0";
    hardware-compatibility: ["1.0"];
    stable = {
        copy2: { images: ( { filename = "rootfs.img"; device = "$bd/device"; type = "raw";
                             sha256 = "$(sha256sum <"$bd/in/rootfs.img" | cut -d ' ' -f 1)"; } ); };
    };
}
END
        (cd "$bd/in" && openssl cms -sign -in sw-description -out sw-description.sig -signer "$bd/$3.pem" -inkey "$bd/$3.key" \
                -outform DER -nosmimecap -binary && printf 'sw-description\nsw-description.sig\nrootfs.img\n' |
                cpio -o -H crc 2>/dev/null >"$bd/made.swu") && publish "$bd/made.swu" "$1"
}

boot_swupdate()
{
        :
}

starts_with_swupdate()
{
        make_swu two.swu two maker && make_swu unfit.swu unfit maker && make_swu stranger.swu 'of a stranger' stranger &&
                make_swu flipped.swu flipped maker && flip "$fw/www/flipped.swu" 100000 && truncate -s 1M "$bd/device" || return 1
        cat >"$bd/check-swupdate" <<END
#!/bin/sh
head -n 1 "$bd/device" | grep -q unfit || exit 0
echo "\$1 does not run"
exit 1
END
        chmod +x "$bd/check-swupdate" && start_bundle_device swupdate "arguments = -H test:1.0 -k $bd/maker.pem -e stable,copy2"
}

writes() # text
{
        equal "$(head -n 1 "$bd/device")" "image $1" device
}

installs_an_image()
{
        ends_well 2.0 /two.swu && writes two
}

refuses_an_image() # path, code, state, reason
{
        ends_badly "$1" 0 "$2" "$3" "$4" && writes two
}

swupdate_misses()
{
        for word in swupdate cpio; do
                command -v $word >/dev/null || { echo "no $word" && return; }
        done
        [ "$(id -u)" -eq 0 ] || echo 'swupdate wants to be root'
}

promise 'makers of bundles have certificates' make_authorities
why=$(rauc_misses)
if [ -z "$why" ]; then
        promise 'a device whose installer is RAUC' starts_with_rauc
        promise 'a bundle goes into the other slot, which is started and marked good' installs_a_bundle
        promise 'one whose slot fails its check is left for the slot before, and why is told' leaves_an_unfit_slot
        promise 'a bundle that a stranger signed is refused by RAUC, and why is told' \
                refuses_a_bundle /stranger.raucb 410 80 'signature verification failed'
        promise 'one that was changed never comes to RAUC' refuses_a_bundle /flipped.raucb 404 20 'the signature is not by any key'
        promise 'that device ends cleanly' stop rauc
        for name in service bus; do
                kill "${pid[$name]}" && wait "${pid[$name]}" 2>/dev/null
                unset "pid[$name]"
        done
        unset DBUS_SESSION_BUS_ADDRESS DBUS_STARTER_BUS_TYPE
else
        promise "bundles of RAUC # SKIP $why" true
fi
why=$(swupdate_misses)
if [ -z "$why" ]; then
        promise 'a device whose installer is SWUpdate' starts_with_swupdate
        promise 'an image of SWUpdate is written, and its check passes after the restart' installs_an_image
        promise 'one that a stranger signed is refused by SWUpdate, and why is told' \
                refuses_an_image /stranger.swu 410 80 'signature'
        promise 'one that was changed never comes to SWUpdate' refuses_an_image /flipped.swu 404 20 'the signature is not by any key'
        promise 'one that fails its check is told of' ends_badly /unfit.swu 1 410 80 'does not run'
        promise 'that device ends cleanly' stop swupdate
else
        promise "images of SWUpdate # SKIP $why" true
fi
box=fw
