#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The installers of software against real archives, good and evil, and real packages of Debian in a root of their
# own.  Prints TAP.  install_test.sh DREMD-ARCHIVE DREMD-DPKG
set -u
archive=$1
dpkg=$2
work=$(mktemp -d /tmp/install_test.XXXXXX)
trap 'rm -rf "$work"' EXIT
n=0
apps=$work/apps

ok() # title, command ...
{
        local title=$1
        shift
        n=$((n + 1))
        if "$@" >"$work/said" 2>&1; then
                echo "ok $n - $title"
        else
                echo "not ok $n - $title"
                sed 's/^/# /' "$work/said"
                failed=1
        fi
}

a() # words of an order
{
        "$archive" --root "$apps" --max-size 100000 "$@"
}

is() # got, wanted
{
        [ "$1" = "$2" ] || { echo "got '$1', not '$2'"; return 1; }
}

ends() # exit code, pattern of the reason, command ...
{
        local code=$1 pattern=$2 said got
        shift 2
        said=$("$@" 2>&1)
        got=$?
        [ "$got" = "$code" ] && grep -q "$pattern" <<<"$said" || { echo "$got: $said"; return 1; }
}

make_app() # version
{
        rm -rf "$work/in" && mkdir -p "$work/in/bin" || return 1
        printf 'id=net.example.app\nversion=%s\nname=An application\ndescription=of %s\n' "$1" "$1" >"$work/in/component"
        printf '#!/bin/sh\necho %s\n' "$1" >"$work/in/bin/app"
        chmod 4755 "$work/in/bin/app"
        ln -s bin/app "$work/in/run" && ln "$work/in/bin/app" "$work/in/again"
        tar -C "$work/in" -czf "$work/app-$1.tgz" .
}

# Each makes FOLDER/evil.tar of one kind.
make_evil()
{
        python3 - "$1" "$work/evil.tar" <<'END'
import io, sys, tarfile
kind, to = sys.argv[1:]
t = tarfile.open(to, "w")
def add(name, type=tarfile.REGTYPE, link="", data=b"x"):
    i = tarfile.TarInfo(name)
    i.type, i.linkname, i.size = type, link, len(data) if type == tarfile.REGTYPE else 0
    t.addfile(i, io.BytesIO(data))
add("good")
if kind == "up": add("a/../../outside")
if kind == "absolute": add("/tmp/outside")
if kind == "link": add("l", tarfile.SYMTYPE, "../../etc")
if kind == "absolute-link": add("l", tarfile.SYMTYPE, "/etc")
if kind == "later-up": add("s", tarfile.DIRTYPE); add("p/q/d", tarfile.SYMTYPE, "../../s"); add("l", tarfile.SYMTYPE, "p/q/d/../..")
if kind == "through": add("l", tarfile.SYMTYPE, "."); add("l/../../outside")
if kind == "hard": add("h", tarfile.LNKTYPE, "../../../etc/passwd")
if kind == "device": add("d", tarfile.CHRTYPE)
if kind == "fifo": add("f", tarfile.FIFOTYPE)
if kind == "large": add("big", data=b"z" * 200000)
if kind == "name": add("component", data=b"id=../x\n")
t.close()
END
}

refused() # kind, code, reason
{
        make_evil "$1" && ends "$2" "$3" a install "$work/evil.tar" p active evil '' || return 1
        is "$(a list)" '' && is "$(ls "$apps")" '' && [ ! -e "$work/outside" ] && [ ! -e /tmp/outside ]
}

installs()
{
        make_app 1.0 && make_app 2.0 || return 1
        is "$(a install "$work/app-1.0.tgz" 'pkg 1' inactive Name '')" \
                "$(printf 'component\tnet.example.app\t1.0\tinactive\tAn application\tof 1.0')" || return 1
        [ ! -e "$apps/net.example.app/current" ] && [ -x "$apps/net.example.app/1.0/run" ] &&
                [ ! -u "$apps/net.example.app/1.0/bin/app" ]
}

switches()
{
        is "$(a activate net.example.app)" '' && is "$("$apps/net.example.app/current/run")" 1.0 &&
                is "$(a list | cut -f 4)" active || return 1
        a install "$work/app-2.0.tgz" 'pkg 2' active Name '' && is "$("$apps/net.example.app/current/run")" 2.0 &&
                a deactivate net.example.app && [ ! -e "$apps/net.example.app/current" ] &&
                is "$(a list | cut -f 3,4)" "$(printf '2.0\tinactive')"
}

takes_words()
{
        rm "$work/in/component" && tar -C "$work/in" -cf "$work/bare.tar" . || return 1
        is "$(a install "$work/bare.tar" 'pkg 3' active other 'version=7 x=y')" \
                "$(printf 'component\tother\t7\tactive\tother\t')" && a remove other
}

# One manifest a version, and not one more; a stranger reads them.
writes_hashes()
{
        local one all=("$apps/net.example.app"/*.sha256)
        is ${#all[@]} 2 || return 1
        for one in "${all[@]}"; do
                is "$(wc -l <"$one")" 3 && (cd "${one%.sha256}" && sha256sum -c --quiet "$one") || return 1
        done
}

again()
{
        local i=0 all
        while [ $((i += 1)) -le 3 ]; do
                a install "$work/app-2.0.tgz" 'pkg 2' active Name '' >/dev/null || return 1
        done
        all=("$apps/net.example.app"/2*/)
        is ${#all[@]} 2 && writes_hashes && is "$("$apps/net.example.app/current/run")" 2.0
}

# The power goes: in the unpacking, and between what is known and the link.
looks_after_cuts()
{
        mkdir -p "$apps/.new/bin" && ends 3 undone a check 'pkg 9' && [ ! -e "$apps/.new" ] || return 1
        rm "$apps/net.example.app/current" && is "$(a list | cut -f 4)" inactive || return 1
        a check 'pkg 2' | grep -q active && is "$("$apps/net.example.app/current/run")" 2.0
}

# What is ordered anew under the name it has is not there because the version before is.
same_name_is_cut()
{
        local app=$apps/net.example.app i
        fresh_versions 1.0 && a install "$work/app-1.0.tgz" meter active Name '' >/dev/null && make_app 2.0 || return 1
        mkfifo "$work/slow" && { "$archive" --root "$apps" install "$work/slow" meter active Name '' & } || return 1
        exec 7>"$work/slow" && i=$! && head -c 100 "$work/app-2.0.tgz" >&7 && while [ ! -d "$apps/.new" ]; do sleep 0.01; done
        kill -9 $i && wait $i
        exec 7>&-
        ends 3 undone a check meter && is "$(a list | cut -f 3,4)" "$(printf '1.0\tactive')" && is "$("$app/current/run")" 1.0 &&
                a install "$work/app-2.0.tgz" meter active Name '' >/dev/null && is "$(a check meter | cut -f 3)" 2.0
}

# What stands in the way of the link is found before anything is said to be there.
no_link_no_version()
{
        local app=$apps/net.example.app
        fresh_versions 1.0 && make_app 2.0 && mkdir -p "$app/.current/full" || return 1
        ends 1 . a install "$work/app-2.0.tgz" 'pkg 2.0' active Name '' && rm -r "$app/.current" && healed '' 1.0 active &&
                is "$("$app/current/run")" 1.0 && [ ! -e "$app/2.0" ] && ends 3 undone a check 'pkg 2.0'
}

# Nor is there one whose link cannot be turned.
no_turn_no_version()
{
        local app=$apps/net.example.app
        fresh_versions 1.0 && make_app 2.0 && rm "$app/current" && mkdir -p "$app/current/full" || return 1
        ends 1 . a install "$work/app-2.0.tgz" 'pkg 2.0' active Name '' && rm -r "$app/current" && healed '' 1.0 active &&
                is "$("$app/current/run")" 1.0 && [ ! -e "$app/2.0" ] && ends 3 undone a check 'pkg 2.0' || return 1
        rm -r "$app" && mkdir -p "$app/current/full" && ends 1 . a install "$work/app-2.0.tgz" 'pkg 2.0' active Name '' &&
                is "$(a list)" '' && ends 3 undone a check 'pkg 2.0' && [ ! -e "$app/2.0" ] && rm -r "$app"
}

# What could not be switched is not, nor later; what was switched off stays so when its link comes back with a power cut.
switched_or_not()
{
        local app=$apps/net.example.app
        fresh_versions 1.0 && a deactivate net.example.app && mkdir -p "$app/.current/full" || return 1
        ends 1 . a activate net.example.app && rm -r "$app/.current" && healed '' 1.0 inactive &&
                mkdir -p "$app/current/full" && ends 1 . a activate net.example.app && rm -r "$app/current" &&
                healed '' 1.0 inactive && ln -s 1.0 "$app/current" && healed '' 1.0 inactive && [ ! -e "$app/current" ]
}

# What stays when its package is ordered anew in vain is what it was.
same_name_fails()
{
        local app=$apps/net.example.app
        fresh_versions 1.0 && head -c 300 "$work/app-1.0.tgz" >"$work/cut.tgz" || return 1
        ends 50 damaged a install "$work/cut.tgz" 'pkg 1.0' active Name '' && healed '' 1.0 active &&
                grep -q '^package=pkg 1.0$' "$app/component" && ends 3 undone a check 'pkg 1.0' &&
                a install "$work/app-1.0.tgz" 'pkg 1.0' active Name '' >/dev/null && a check 'pkg 1.0' >/dev/null
}

damage() # version, file
{
        printf x >>"$apps/net.example.app/$1/$2"
}

# As one version comes after the other.
fresh_versions()
{
        local v
        rm -rf "$apps/net.example.app"
        for v in "$@"; do
                make_app "$v" && a install "$work/app-$v.tgz" "pkg $v" active Name '' >/dev/null || return 1
        done
}

healed() # what it says, version in use, its state
{
        is "$(a heal)" "$1" && is "$(a list | cut -f 3,4)" "$(printf '%s\t%s' "$2" "$3")"
}

goes_back()
{
        local says='damaged\tnet.example.app/2.0: component was changed; %s'
        fresh_versions 1.0 2.0 && healed '' 2.0 active && damage 2.0 component || return 1
        healed "$(printf "$says" 'fell back to 1.0')" 1.0 active && is "$("$apps/net.example.app/current/run")" 1.0 &&
                grep -q '^package=pkg 1.0$' "$apps/net.example.app/component" || return 1
        healed "$(printf "$says" '1.0 is in use')" 1.0 active || return 1
        rm "$apps/net.example.app/current" && ln -s 2.0 "$apps/net.example.app/current" && # the power went before the link
                healed "$(printf "$says" '1.0 is in use')" 1.0 active && is "$("$apps/net.example.app/current/run")" 1.0 || return 1
        make_app 2.0 && a install "$work/app-2.0.tgz" 'pkg 2.0' active Name '' >/dev/null && healed '' 2.0 active &&
                [ ! -e "$apps/net.example.app/2.0" ] && damage 2.0_2 component &&
                healed "$(printf 'damaged\tnet.example.app/2.0_2: component was changed; fell back to 1.0')" 1.0 active
}

# A manifest that is damaged is no proof of anything; nor is what a cut installation left.
stays()
{
        local app=$apps/net.example.app
        fresh_versions 1.0 2.0 && damage 2.0 component && : >"$app/1.0.sha256" && cp -a "$app/1.0" "$app/3.0" &&
                (cd "$app/3.0" && sha256sum component >../3.0.sha256) || return 1
        is "$(a heal | sort)" "$(printf 'damaged\tnet.example.app/%s\n' '1.0: its manifest is empty; 2.0 is in use' \
                '2.0: component was changed; no earlier version is whole, so it stays in use')" &&
                is "$(a list | cut -f 3,4)" "$(printf '2.0\tactive')"
}

# Whoever activates it gets what was installed last: nothing moves.
leaves_the_inactive()
{
        fresh_versions 1.0 2.0 && damage 2.0 component && a deactivate net.example.app &&
                healed "$(printf 'damaged\tnet.example.app/2.0: component was changed; it is not in use')" 2.0 inactive &&
                [ ! -e "$apps/net.example.app/current" ] && fresh_versions 1.0 2.0 && damage 1.0 component &&
                healed "$(printf 'damaged\tnet.example.app/1.0: component was changed; 2.0 is in use')" 2.0 active
}

takes_away()
{
        a remove net.example.app && is "$(a list)" '' && is "$(ls -A "$apps")" .lock && a remove net.example.app
}

damaged()
{
        head -c 300 "$work/app-1.0.tgz" >"$work/cut.tgz"
        ends 50 damaged a install "$work/cut.tgz" p active n '' && ends 50 damaged a install "$archive" p active n '' &&
                is "$(a list)" ''
}

ok 'an application is installed inactive, without odd rights' installs
ok 'it is switched on, to the next version, and off' switches
ok 'what an archive does not say of itself is said with the order' takes_words
ok 'the same version again stands beside the one in use' again
ok 'after a power cut it is there whole or not at all' looks_after_cuts
ok 'one cut that has the name of the one before is not that' same_name_is_cut
ok 'without its link a version is not there' no_link_no_version
ok 'nor is it without the turn of its link' no_turn_no_version
ok 'what cannot be switched stays as it is' switched_or_not
ok 'one ordered anew in vain stays what it was' same_name_fails
ok 'a damaged version is left for the one before, once' goes_back
ok 'with no whole one it stays' stays
ok 'one that is not in use stays as it is' leaves_the_inactive
ok 'it is removed, and again' takes_away
ok 'damaged archives are refused' damaged
ok 'an entry that goes up is refused' refused up 50 'out of its folder: a/../../outside'
ok 'an absolute one too' refused absolute 50 'out of its folder'
ok 'a link out of the folder' refused link 50 'link leads out'
ok 'an absolute link' refused absolute-link 50 'link leads out'
ok 'a link that goes up through another' refused later-up 50 'link leads out'
ok 'an entry through a link' refused through 50 'leads out'
ok 'a hard link out of the folder' refused hard 50 'link leads out'
ok 'a device' refused device 50 'no file, folder or link'
ok 'a pipe' refused fifo 50 'no file, folder or link'
ok 'one that is too large' refused large 20 'larger than there may be'
ok 'one with a name that is a path' refused name 50 'no name'

# ---- packages of Debian -----------------------------------------------------------------------

d()
{
        "$dpkg" --folder "$work/memory" --root "$work/root" "$@"
}

make_deb() # version, architecture, fields
{
        rm -rf "$work/deb" && mkdir -p "$work/deb/DEBIAN" "$work/deb/opt/meterd" || return 1
        printf 'Package: meterd\nVersion: %s\nArchitecture: %s\nMaintainer: N <n@example.net>\nDescription: reads meters\n%s' \
                "$1" "$2" "${3-}" >"$work/deb/DEBIAN/control"
        echo "$1" >"$work/deb/opt/meterd/version"
        dpkg-deb --root-owner-group -b "$work/deb" "$work/meterd-$1.deb" >/dev/null
}

line() # version, state
{
        printf 'component\tmeterd\t%s\t%s\tmeterd\treads meters' "$1" "$2"
}

deb_installs()
{
        make_deb 1.0 all && is "$(d list)" '' && is "$(d install "$work/meterd-1.0.deb" 'id 1' active '' '')" "$(line 1.0 active)" &&
                is "$(cat "$work/root/opt/meterd/version")" 1.0 && is "$(d list)" "$(line 1.0 active)"
}

deb_inactive()
{
        make_deb 2.0 all && is "$(d install "$work/meterd-2.0.deb" 'id 2' inactive '' '')" "$(line 2.0 inactive)" &&
                is "$(d activate meterd)" '' && is "$(d list)" "$(line 2.0 active)" && d activate meterd &&
                ends 40 'cannot be made inactive' d deactivate meterd
}

# What fails is undone: the version before is there again.
deb_fails()
{
        make_deb 3.0 all 'Depends: nothing-like-that
' && ends 1 . d install "$work/meterd-3.0.deb" 'id 3' active '' '' && is "$(d list)" "$(line 2.0 active)" &&
                is "$(cat "$work/root/opt/meterd/version")" 2.0 || return 1
        d remove meterd && ends 1 . d install "$work/meterd-3.0.deb" 'id 3' active '' '' && is "$(d list)" '' &&
                [ ! -e "$work/root/opt/meterd" ]
}

deb_other()
{
        make_deb 4.0 sparc && ends 30 'for sparc' d install "$work/meterd-4.0.deb" i active '' '' &&
                make_deb 5.0 all 'Installed-Size: 999999999999
' && ends 20 full d install "$work/meterd-5.0.deb" i active '' '' &&
                ends 50 'no package' d install "$archive" i active '' ''
}

# The power goes while dpkg works: in the middle, and when all is done but told.
deb_cut()
{
        d install "$work/meterd-1.0.deb" 'id 1' active '' '' >/dev/null || return 1
        ln "$work/meterd-2.0.deb" "$work/memory/new.deb" && echo 'meterd 2.0 active there id 2' >"$work/memory/order"
        dpkg --root="$work/root" --unpack "$work/meterd-2.0.deb" >/dev/null 2>&1 || return 1
        ends 3 undone d check 'id 2' && is "$(d list)" "$(line 1.0 active)" || return 1
        ln "$work/meterd-2.0.deb" "$work/memory/new.deb" && echo 'meterd 2.0 active there id 2' >"$work/memory/order"
        dpkg --root="$work/root" -i "$work/meterd-2.0.deb" >/dev/null 2>&1 || return 1
        is "$(d check 'id 2')" "$(line 2.0 active)" && is "$(d check 'id 2')" "$(line 2.0 active)" &&
                ends 3 undone d check 'id 7' && [ ! -e "$work/memory/order" ] || return 1
        ln "$work/meterd-1.0.deb" "$work/memory/new.deb" && echo 'meterd 1.0 active there id 2' >"$work/memory/order" &&
                ends 3 undone d check 'id 2' && is "$(d list)" "$(line 2.0 active)" # another one of the same name
}

deb_other_hands()
{
        dpkg --root="$work/root" --purge meterd >/dev/null 2>&1 && is "$(d list)" '' && d remove meterd || return 1
        dpkg --root="$work/root" -i "$work/meterd-1.0.deb" >/dev/null 2>&1 && is "$(d list)" '' &&
                is "$(d --list all list)" "$(line 1.0 active)" && is "$(d --list all --filter 'x*' list)" ''
}

if ! dpkg-deb --version >/dev/null 2>&1 || [ "$(id -u)" -ne 0 ]; then
        echo "ok $((n += 1)) - # SKIP packages of Debian need dpkg and root"
else
        ok 'a package is installed' deb_installs
        ok 'one is unpacked first, and activated' deb_inactive
        ok 'one that fails is undone' deb_fails
        ok 'one for another machine, too large, or none at all is refused' deb_other
        ok 'a power cut is undone, or the work is done' deb_cut
        ok 'what other hands do is seen' deb_other_hands
fi
echo "1..$n"
exit "${failed:-0}"
