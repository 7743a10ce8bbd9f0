# SPDX-License-Identifier: Apache-2.0
# A clock for all programs of a script, which the script sets ahead (tests/support/skew.c): what is started between
# start_clock and end_clock is told its time, and who waits is woken when it has come.  Not for programs with ASan, which has
# to be loaded first.  Sourced by scripts of tests/acceptance/run.

start_clock() # folder
{
        clock_folder=$1 clock_ms=0
        mkdir -p "$1" && "${CC:-cc}" -std=c17 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -shared -fPIC -o "$1/skew.so" \
                "$here/../support/skew.c" || return 1
        write_clock >"$1/clock" || return 1
        export SKEW_FILE=$1/clock
        export LD_PRELOAD=$1/skew.so
}

end_clock()
{
        unset LD_PRELOAD SKEW_FILE
}

# Two numbers of 64 bits as this machine has them: the second is the complement of the first.
write_clock()
{
        local n i text=
        for n in $clock_ms $((~clock_ms)); do
                for i in 0 8 16 24 32 40 48 56; do
                        text+=$(printf '\\x%02x' $(((n >> i) & 255)))
                done
        done
        # shellcheck disable=SC2059
        printf "$text"
}

go_ahead() # seconds
{
        clock_ms=$((clock_ms + $1 * 1000))
        write_clock 1<>"$clock_folder/clock"
}
