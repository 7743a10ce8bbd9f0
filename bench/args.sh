# SPDX-License-Identifier: Apache-2.0
# What the scripts here read their arguments with: wrong ones are one line, and 2.

# What stands at the head of the script.
help() { sed -n '3,${/^#/!q;s/^# \{0,1\}//p}' "$0" && exit 0; }
refuse() { echo "${0##*/}: $*" >&2 && exit 2; }
needs() { [ $# -gt 1 ] || refuse "$1 needs a value"; }              # option [value ...]
is_number() { [[ $2 =~ ^[1-9][0-9]{0,8}$ ]] || refuse "$1: $2 is no number"; } # option, value
