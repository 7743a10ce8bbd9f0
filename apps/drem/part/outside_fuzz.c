/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of modems and of gpsd, and names of counters: whatever they hold, texts end where they end.
 */
#include <assert.h>
#include <string.h>

#include "part/outside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool ends(const char *text, size_t room)
{
        return memchr(text, 0, room) != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
        const machine nowhere = {"/nonexistent"};
        odm_str line = {(const char *)data, size};
        outside_radio_state radio = {.roaming = -1};
        outside_place_state place = {.lat = ""};
        uint64_t n = 0;

        outside_radio_line(&radio, line);
        assert(ends(radio.tech, sizeof radio.tech) && ends(radio.cell, sizeof radio.cell) &&
               ends(radio.area, sizeof radio.area) && ends(radio.rsrp, sizeof radio.rsrp));
        if (outside_place_line(&place, line))
                assert(place.lat[0] && place.lon[0] && ends(place.time, sizeof place.time));
        assert(probe_counter(&nowhere, line, &n) < 0);
        return 0;
}
