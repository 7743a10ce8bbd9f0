# SPDX-License-Identifier: Apache-2.0
# What a device keeps is damaged behind its back while it is off: its tree, the image it runs, a component.
# Sourced by tests/acceptance/run, whose world it uses.

whole=$home/whole
note=./Vendor/xrem/Config/Note
latin=$'z\xe4hler' # a name that is no UTF-8

raised() # severity, object, text: as XML has it
{
        alarms whole | grep -q "<Severity>$1</Severity><Cause>integrity</Cause><Object>$2</Object><Text>[^<]*$3"
}

# Two images were installed: 2.0 runs from slot b, 1.0 was before.
makes_slots()
{
        local v
        mkdir -p "$whole/slots" "$whole/apps/meter" || return 1
        for v in a b; do head -c 300000 /dev/urandom >"$whole/slots/$v" || return 1; done
        {
                printf 'state=good\nslot=b\nstarts=0\nversion=2.0\nother-version=1.0\nreason=\n'
                printf 'hash=%s\nother-hash=%s\nswitches=0\n' "$(hash_of_file "$whole/slots/b")" \
                        "$(hash_of_file "$whole/slots/a")"
        } >"$whole/slots/marker"
        cp "$whole/slots/marker" "$whole/marker"
        cp "$whole/slots/a" "$whole/a" && cp "$whole/slots/b" "$whole/b"
        echo 'reads the meter' >"$whole/apps/meter/program"
        (cd "$whole/apps/meter" && sha256sum program) >"$whole/apps/meter.sha256"
        mkdir "$whole/apps/old" && echo counts >"$whole/apps/old/$latin" &&
                (cd "$whole/apps/old" && sha256sum "$latin") >"$whole/apps/old.sha256"
}

hash_of_file()
{
        sha256sum <"$1" | cut -d ' ' -f 1
}

starts_whole()
{
        makes_slots && add_device whole && start_device whole "http://127.0.0.1:$plain_port/dm" '' "[firmware]
installer = slots
slots = $whole/slots
[integrity]
components = $whole/apps" &&
                eventually 20 is_active whole && equal "$("$xrem" get whole ./DevDetail/FwV)" 2.0 FwV &&
                "$xrem" set whole $note kept && eventually 10 has_status whole state idle &&
                equal "$(alarms whole)" '' alarms
}

# Killed, so that nothing is tidied up; then an octet changes, and it starts.
damages() # file, octet
{
        eventually 10 has_status whole state idle || return 1
        from=$(wc -l <"$home/whole.log")
        stop whole KILL
        flip "$1" "$2" && run_device whole
}

more_than() # number, severity
{
        [ "$(alarms whole | grep -c "<Severity>$2")" -gt "$1" ]
}

logged_since() # text: in the log since the damage
{
        tail -n +$((from + 1)) "$home/whole.log" | grep -q -- "$1"
}

heals_its_tree() # octet of the journal, from its end if it is negative
{
        local at=$1 size n majors
        size=$(stat -c %s "$whole/journal")
        [ "$at" -ge 0 ] || at=$((size + at))
        n=$(alarms whole | grep -c '<Severity>cleared') majors=$(alarms whole | grep -c '<Severity>major')
        damages "$whole/journal" "$at" && eventually 15 more_than "$majors" major && raised major "$whole/journal" 'taken from their copy' || return 1
        equal "$("$xrem" get whole $note)" kept Note && cmp "$whole/journal.copy" "$whole/journal" || return 1
        logged_since 'the tree was damaged' || return 1
        stop whole && run_device whole && eventually 15 more_than "$n" cleared
}

runs() # version: and it is the device's last word
{
        eventually 15 has_status whole state idle && equal "$("$xrem" get whole ./DevDetail/FwV)" "$1" FwV
}

restarts() # how often it started again by itself since the damage
{
        tail -n +$((from + 1)) "$home/whole.log" | grep -c 'dremd: ready'
}

leaves_a_damaged_image()
{
        damages "$whole/slots/b" 1234 || return 1
        eventually 15 raised minor ./FUMO/main 'the spare image 2.0 in slot b is damaged' && runs 1.0 || return 1
        raised major ./FUMO/main 'the image 2.0 in slot b is damaged' || return 1
        equal "$("$xrem" get whole ./FUMO/main/State)" 80 State &&
                equal "$("$xrem" get whole ./FUMO/main/Ext/xrem/Reason)" 'the image 2.0 in slot b is damaged' Reason &&
                equal "$(sed -n 's/^slot=//p' "$whole/slots/marker")" a slot && equal "$(restarts)" 2 starts
}

stays_when_both_are_damaged()
{
        damages "$whole/slots/a" 99 || return 1
        eventually 15 raised critical ./FUMO/main 'the image 1.0 in slot a is damaged' && runs 1.0 &&
                equal "$(restarts)" 1 starts
}

clears_when_all_is_whole()
{
        stop whole && cp "$whole/a" "$whole/slots/a" && cp "$whole/b" "$whole/slots/b" && run_device whole &&
                eventually 15 raised cleared ./FUMO/main 'both images are whole'
}

names_a_damaged_component()
{
        damages "$whole/apps/meter/program" 3 || return 1
        eventually 15 raised major "$whole/apps" 'meter: program was changed'
}

names_what_has_no_name()
{
        damages "$whole/apps/old/$latin" 3 || return 1
        eventually 15 raised major "$whole/apps" 'old: z?hler was changed'
}

promise 'a device with two images and a component, all whole' starts_whole
promise 'an octet in the middle of its tree is found, healed and told' heals_its_tree 200
promise 'so is one at the head of the file' heals_its_tree 2
promise 'and one in what was written last' heals_its_tree -3
promise 'a damaged image is left for the other one, with one restart' leaves_a_damaged_image
promise 'with no whole image left it stays, and says so' stays_when_both_are_damaged
promise 'the alarm is cleared when the images are whole' clears_when_all_is_whole
promise 'a damaged component is named' names_a_damaged_component
promise 'so is one with a file whose name is no text' names_what_has_no_name
promise 'the device with damages ends cleanly' stop whole
