# SPDX-License-Identifier: Apache-2.0
# Access points: devices and their server in network namespaces of their own, a cable for each device, and changes of the
# address that cut the server off, or do not.  Sourced by tests/acceptance/run, whose world it uses.

net=$home/net
nap=./NAP/uplink
alarm='x-xrem-fm:1.0:Alarm'
outside=("$nremd" "$dremd" "$xrem" "${XREM_SERVER:-}" "${XREM_TOKEN:-}" "$plain_port" "$tls_port" "$api_port")

within() # server or device, command ...
{
        (become "$@")
}

become() # the same, in a process of its own, whose number the command has then
{
        exec nsenter -t "${pid[$1-net]}" -U -n --preserve-credentials "${@:2}"
}

# Two networks with nothing but cables between them, one user namespace that owns both.
lays_cables()
{
        local i
        mkdir -p "$net"
        unshare -rn unshare -n true || return 1
        unshare -rn sh -c "unshare -n sh -c 'echo \$\$ >\"$net/device\"; exec sleep 600' & echo \$\$ >'$net/server'; exec sleep 600" &
        pid[server-net]=$!
        eventually 5 test -s "$net/device" || return 1
        pid[device-net]=$(cat "$net/device")
        for i in 1 2; do
                eventually 5 within server ip link add vs$i type veth peer name vd$i netns "${pid[device-net]}" || return 1
                within server ip addr add 10.77.$i.1/24 dev vs$i && within server ip link set vs$i up || return 1
        done
        within server ip link set lo up && within device ip link set lo up
}

wrap() # name, network, program
{
        printf '#!/bin/sh\nexec nsenter -t %s -U -n --preserve-credentials "%s" "$@"\n' "${pid[$2-net]}" "$3" >"$net/$1"
        chmod +x "$net/$1"
}

starts_a_server_there()
{
        local dir=$home/netserver
        wrap nremd server "$nremd" && wrap xrem server "$xrem" && wrap dremd device "$dremd"
        nremd=$net/nremd xrem=$net/xrem dremd=$net/dremd
        mkdir -p "$dir"
        printf '[server]\nstate = %s\n[dm]\nlisten = 0.0.0.0:7001\n[api]\nlisten = 127.0.0.1:7002\n[wake]\nfirst = 500ms\n' \
                "$dir" >"$dir/nremd.conf"
        run_server netserver
}

# What a maker would write: it puts the addresses it is told onto the interfaces.
writes_a_program()
{
        cat >"$net/apply" <<'END'
#!/bin/sh
. "$2" || exit 1
i=1
while [ $i -le "$nap_count" ]; do
        eval "iface=\$nap_${i}_interface mode=\$nap_${i}_ipv4 addr=\$nap_${i}_ipv4_addr/\$nap_${i}_ipv4_prefix gateway=\$nap_${i}_ipv4_gateway"
        [ "$mode" = static ] || exit 1
        ip addr flush dev "$iface" && ip link set "$iface" up && ip addr add "$addr" dev "$iface" || exit 1
        [ -z "$gateway" ] || ip route replace default via "$gateway" dev "$iface" || exit 1
        i=$((i + 1))
done
echo "$1 $addr" >>"${0%/*}/applied"
END
        chmod +x "$net/apply"
}

# The rest of [network], and access points, are the caller's.
starts_a_device_there() # name, number of its cable, lines of [network], of access points
{
        local dir=$home/$1
        add_device "$1" && mkdir -p "$dir" || return 1
        cat >"$dir/dremd.conf" <<END
[agent]
state = $dir
[device]
id = urn:test:$1
[account]
server_id = xrem
url = http://10.77.$2.1:7001/dm
user = $1
password = pw-$1
server_password = sv-$1
[transport]
plain_http = yes
connect_time = 1s
[session]
retry_min = 200ms
retry_max = 1s
reply_time = 10s
[wake]
listen = *:700$((2 + $2))
min_interval = 0s
[network]
ethernet = vd$2
tries = 2
settle_time = 100ms
retry_wait = 300ms
trial_time = 60s
$3
[nap uplink]
addr = vd$2
ipv4 = 10.77.$2.2/24
ipv6 = none
${4:-}
END
        run_device "$1"
        eventually 20 is_active "$1"
}

starts_a_device_with_a_program()
{
        writes_a_program && starts_a_device_there net1 1 "backend = exec
command = $net/apply" '[nap fixed]
addr = vd1
ipv4 = 10.77.1.9/24
protected = yes'
}

has_address()
{
        within device ip -o addr show | grep -q "inet $1/"
}

steady() # device: and says nothing more
{
        has_status "$1" network steady && has_status "$1" state idle && has_status "$1" alerts-waiting 0
}

prefers_an_access_point()
{
        "$xrem" set net1 ./DMAcc/main/PrefConRef $nap && eventually 15 steady net1 && eventually 5 has_address 10.77.1.2 &&
                equal "$("$xrem" get net1 $nap/IP/IPv4/IPAddr)" 10.77.1.2 IPAddr
}

changes() # address, gateway: both in one Atomic
{
        cat >"$net/change.json" <<END
[{"cmd": "replace", "uri": "$nap/IP/IPv4/IPAddr", "data": "$1"},
 {"cmd": "$([ "$gateway" ] && echo replace || echo add)", "uri": "$nap/IP/IPv4/Gateway", "data": "$2"}]
END
        gateway=$2
        "$xrem" run net1 --atomic --file "$net/change.json" >/dev/null
}

keeps_a_good_change()
{
        changes 10.77.1.3 10.77.1.1 && eventually 15 has_address 10.77.1.3 && eventually 15 steady net1 || return 1
        equal "$("$xrem" get net1 $nap/IP/IPv4/IPAddr)" 10.77.1.3 IPAddr &&
                equal "$(tail -n 1 "$net/applied")" 'apply 10.77.1.3/24' applied && counted net1 "$alarm" 0
}

comes_back_from_a_bad_one() # how it got there is in the log of the program
{
        local from
        from=$(wc -l <"$net/applied")
        changes 10.99.0.2 10.99.0.1 || return 1
        eventually 20 counted net1 "$alarm $1" 1 || return 1
        equal "$(tail -n +$((from + 1)) "$net/applied" | tr '\n' ' ')" 'apply 10.99.0.2/24 revert 10.77.1.3/24 ' applied || return 1
        eventually 15 steady net1 && has_address 10.77.1.3
}

says_what_is_in_force()
{
        equal "$("$xrem" get net1 $nap/IP/IPv4/IPAddr)" 10.77.1.3 IPAddr &&
                equal "$("$xrem" get net1 $nap/IP/IPv4/Gateway)" 10.77.1.1 Gateway &&
                events net1 | grep -- "$alarm" | grep -q '<Cause>connectivity-fallback</Cause><Object>./NAP/uplink</Object>' &&
                equal "$("$xrem" get net1 ./DiagMon/FM/DiagMonData/1/Severity)" major Severity
}

survives_kills_in_a_trial()
{
        local from
        from=$(wc -l <"$net/applied")
        changes 10.99.0.3 10.99.0.1 || return 1
        eventually 15 grep -q '^try\|^apply\|^settle' "$home/net1/connmo/record" || return 1
        stop net1 KILL && run_device net1
        eventually 20 sh -c "tail -n +$((from + 1)) '$net/applied' | grep -q revert" || return 1
        eventually 15 steady net1 && has_address 10.77.1.3 && equal "$("$xrem" get net1 $nap/IP/IPv4/IPAddr)" 10.77.1.3 IPAddr &&
                ! grep -q 10.99 "$home/net1/connmo/settings"
}

clears_the_alarm()
{
        changes 10.77.1.4 10.77.1.1 && eventually 15 has_address 10.77.1.4 || return 1
        eventually 15 counted net1 '<Severity>cleared</Severity>' 1
}

refuses_what_may_not_be()
{
        code_of 1 "$xrem" set net1 $nap/BearerType WLAN && code_of 1 "$xrem" set net1 $nap/ID other &&
                code_of 1 "$xrem" set net1 $nap/Addr lo && code_of 1 "$xrem" set net1 $nap/IP/IPv4/IPAddr 10.0.0.256 &&
                code_of 1 "$xrem" set net1 ./NAP/fixed/Addr vd1 && code_of 1 "$xrem" delete net1 ./NAP/fixed &&
                "$xrem" add net1 $nap/AuthInfo/AuthSecret hidden && code_of 1 "$xrem" get net1 $nap/AuthInfo/AuthSecret &&
                "$xrem" set net1 $nap/IP/IPv4/AutoConfig False && equal "$("$xrem" get net1 $nap/IP/IPv4/AutoConfig)" false AutoConfig &&
                "$xrem" add net1 ./NAP/half/ID half && "$xrem" delete net1 ./NAP/half
}

# The server sees the proxy's address, and cannot wake the device behind it.
by_itself() # command ...: a job that the device comes for
{
        local job
        job=$("$@" --no-wait) && "$dremd" --config "$home/net1/dremd.conf" --sync >/dev/null &&
                "$xrem" job watch "$job" >/dev/null
}

# A proxy that is not there cuts the server off as well; one that is, is used.
goes_by_a_proxy()
{
        become server python3 "$here/proxy.py" 10.77.1.1 "$net/proxied" >"$net/proxy.port" &
        pid[proxy]=$!
        eventually 5 test -s "$net/proxy.port" || return 1
        cat >"$net/proxy.json" <<END
[{"cmd": "add", "uri": "./Proxy/web/ProxyId", "data": "web"},
 {"cmd": "add", "uri": "./Proxy/web/Addr", "data": "10.77.1.1"},
 {"cmd": "add", "uri": "./Proxy/web/Ports/1/PortNbr", "data": "$(cat "$net/proxy.port")"},
 {"cmd": "add", "uri": "./DMAcc/main/ToConRef/1/ConRef", "data": "./Proxy/web"}]
END
        "$xrem" set net1 './DMAcc/main?prop=ACL' 'Add=xrem&Delete=xrem&Get=xrem&Replace=xrem' &&
                "$xrem" run net1 --atomic --file "$net/proxy.json" >/dev/null && eventually 15 steady net1 || return 1
        grep -q 'POST http://10.77.1.1:7001/dm' "$net/proxied" || return 1
        by_itself "$xrem" set net1 ./Proxy/web/Ports/1/PortNbr 9 && eventually 20 counted net1 "$alarm.*./Proxy/web" 1 || return 1
        eventually 15 steady net1 && by_itself "$xrem" get net1 ./Proxy/web/Ports/1/PortNbr &&
                "$xrem" tree net1 ./Proxy --mirror | grep -q "PortNbr.* $(cat "$net/proxy.port")\$"
}

# What goes over the cable is watched: sessions alone are below the limit, a stream of packets is above it.
watches_the_speed()
{
        cat >"$net/trap.json" <<END
[{"cmd": "add", "uri": "./Trap/DataSpeed/TrapConfig/Direction", "data": "down"},
 {"cmd": "add", "uri": "./Trap/DataSpeed/TrapConfig/Low", "data": "300"},
 {"cmd": "add", "uri": "./Trap/DataSpeed/TrapConfig/High", "data": "600"},
 {"cmd": "add", "uri": "./Trap/DataSpeed/ServerIDs/a/ServerID", "data": "xrem"}]
END
        "$xrem" run net1 --file "$net/trap.json" >/dev/null
}

pours() # until it is ended
{
        become server python3 -c '
import socket, time
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
while True:
    s.sendto(bytes(1200), ("10.77.1.4", 9))
    time.sleep(0.002)' &
        pid[stream]=$!
}

is_slow()
{
        eventually 25 counted net1 "${trap_type}Notification ./Trap/DataSpeed warning" 1 &&
                equal "$("$xrem" get net1 ./Trap/DataSpeed/Status)" 20 Status && pours
}

is_fast()
{
        eventually 25 counted net1 "${trap_type}InactiveNotification ./Trap/DataSpeed warning" 1 &&
                counted net1 "${trap_type}Notification ./Trap/DataSpeed" 1 && kill "${pid[stream]}" && unset 'pid[stream]'
}

# ---- files of systemd-networkd and wpa_supplicant -------------------------------------------------------

# What the programs that read them do, as far as a cable goes.
writes_readers()
{
        mkdir -p "$net/bin" "$net/network" "$net/wpa" && echo 'Mine=1' >"$net/network/10-xrem-mine.network" || return 1
        cat >"$net/bin/networkctl" <<END
#!/bin/sh
echo "\$1" >>'$net/orders'
file='$net/network/10-xrem-uplink.network'
says() { sed -n "s/^\$1=//p" "\$file"; }
[ "\$1 \$(says Name)" = 'reload vd2' ] || exit 1
ip addr flush dev vd2 && ip link set vd2 up && ip addr add "\$(says Address)" dev vd2 || exit 1
[ -z "\$(says Gateway)" ] || ip route replace default via "\$(says Gateway)" dev vd2
END
        printf '#!/bin/sh\necho "$*" >>"%s"\n' "$net/orders" >"$net/bin/systemctl"
        chmod +x "$net/bin/networkctl" "$net/bin/systemctl"
}

starts_a_device_with_files()
{
        local saved=$PATH
        writes_readers || return 1
        PATH=$net/bin:$PATH
        starts_a_device_there net2 2 "backend = networkd
folder = $net/network
wpa_folder = $net/wpa
wlan = wlan0"
        local code=$?
        PATH=$saved
        [ $code -eq 0 ] && eventually 15 has_address 10.77.2.2 || return 1 # its first session may have gone by the other cable
        has_file network/10-xrem-uplink.network 644 '^Address=10.77.2.2/24$' &&
                has_file network/10-xrem-mine.network 644 '^Mine=1$' && equal "$(ls "$net/wpa")" '' 'files of radios'
}

has_file() # path, mode, text
{
        equal "$(stat -c %a "$net/$1")" "$2" "mode of $1" && grep -q -- "$3" "$net/$1" || fail "$(cat "$net/$1")"
}

# One Atomic: the cable's address and the key of a wireless network.
sets_both() # command for what is of the radio, address, gateway, key
{
        cat >"$net/both.json" <<END
[{"cmd": "replace", "uri": "$nap/IP/IPv4/IPAddr", "data": "$2"},
 {"cmd": "$1", "uri": "$nap/IP/IPv4/Gateway", "data": "$3"},
 {"cmd": "$1", "uri": "./NAP/home/BearerParams/WLAN/WPA/Key", "data": "$4"}]
END
        "$xrem" run net2 --atomic --file "$net/both.json" >/dev/null
}

knows_a_radio()
{
        cat >"$net/home.json" <<END
[{"cmd": "add", "uri": "./NAP/home/ID", "data": "home"},
 {"cmd": "add", "uri": "./NAP/home/BearerType", "data": "WLAN"},
 {"cmd": "add", "uri": "./NAP/home/Addr", "data": "cafe"},
 {"cmd": "add", "uri": "./NAP/home/BearerParams/WLAN/SecMode", "data": "WPA2-PSK"}]
END
        "$xrem" run net2 --atomic --file "$net/home.json" >/dev/null && : >"$net/orders" && steady net2
}

makes_files_of_a_session()
{
        knows_a_radio && sets_both add 10.77.2.5 10.77.2.1 'first of keys' && eventually 15 has_address 10.77.2.5 &&
                eventually 15 steady net2 || return 1
        has_file network/10-xrem-uplink.network 644 '^Address=10.77.2.5/24$' &&
                has_file network/10-xrem-uplink.network 644 '^Gateway=10.77.2.1$' &&
                has_file wpa/xrem-wlan0.conf 600 'ssid=63616665' && has_file wpa/xrem-wlan0.conf 600 'psk="first of keys"' &&
                equal "$(tr '\n' ' ' <"$net/orders")" 'reload restart dremd-wpa@wlan0.service ' orders
}

takes_files_back()
{
        cp -r "$net/network" "$net/network.before" && cp -r "$net/wpa" "$net/wpa.before" && : >"$net/orders" || return 1
        sets_both replace 10.99.0.2 10.99.0.1 'second of keys' || return 1
        eventually 20 counted net2 "$alarm ./DiagMon/FM/DiagMonData/1 critical" 1 && eventually 15 steady net2 || return 1
        diff -r "$net/network.before" "$net/network" && diff -r "$net/wpa.before" "$net/wpa" && has_address 10.77.2.5 || return 1
        equal "$(tr '\n' ' ' <"$net/orders")" \
                'reload restart dremd-wpa@wlan0.service reload restart dremd-wpa@wlan0.service ' orders &&
                equal "$("$xrem" get net2 $nap/IP/IPv4/IPAddr)" 10.77.2.5 IPAddr
}

removes_what_is_deleted()
{
        : >"$net/orders" && "$xrem" delete net2 ./NAP/home && eventually 15 test ! -e "$net/wpa/xrem-wlan0.conf" &&
                eventually 15 steady net2 || return 1
        has_file network/10-xrem-mine.network 644 '^Mine=1$' && has_address 10.77.2.5 &&
                grep -q '^stop dremd-wpa@wlan0.service' "$net/orders"
}

if lays_cables >"$home/net.out" 2>&1; then
        server=netserver
        gateway=
        promise 'a server in a network of its own' starts_a_server_there
        promise 'a device whose program sets addresses calls it' starts_a_device_with_a_program
        promise 'a trap is set on the speed of its data' watches_the_speed
        promise 'the access point that its account prefers is used' prefers_an_access_point
        promise 'a change of the address that is good stays' keeps_a_good_change
        promise 'one that cuts the server off rolls itself back' comes_back_from_a_bad_one './DiagMon/FM/DiagMonData/1 critical'
        promise 'the tree then says what is in force, and an alarm why' says_what_is_in_force
        promise 'killed in the middle of a trial it comes back, too' survives_kills_in_a_trial
        promise 'the next good change clears the alarm' clears_the_alarm
        promise 'what may not be changed is refused' refuses_what_may_not_be
        promise 'too little on the cable fires the trap' is_slow
        promise 'sessions go by the proxy of the account, unless it leads nowhere' goes_by_a_proxy
        promise 'a device for systemd-networkd makes a file of its access point' starts_a_device_with_files
        promise 'a session makes files for networkd and wpa_supplicant, which are told' makes_files_of_a_session
        promise 'all files are as before when the server was cut off' takes_files_back
        promise 'the file of what is deleted goes, what others wrote stays' removes_what_is_deleted
        promise 'enough on the cable clears it' is_fast
        promise 'that device ends cleanly' stop net1
        promise 'so does the other one' stop net2
        promise 'and its server' stop netserver
        unset server
        for name in stream proxy device-net server-net; do
                [ -z "${pid[$name]:-}" ] || kill "${pid[$name]}"
                unset "pid[$name]"
        done
else
        count=$((count + 1))
        echo "ok $count - changes of the network # SKIP no network namespaces: $(tail -n 1 "$home/net.out")"
fi
nremd=${outside[0]} dremd=${outside[1]} xrem=${outside[2]} XREM_SERVER=${outside[3]} XREM_TOKEN=${outside[4]}
plain_port=${outside[5]} tls_port=${outside[6]} api_port=${outside[7]}
