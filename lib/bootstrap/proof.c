/* SPDX-License-Identifier: Apache-2.0 */
/* What proves a bootstrap message: an HMAC-SHA1 of its octets, by a key that the network or the
 * user knows (dm-security-bootstrap-notification.md C2.1 and C3).
 *
 *     key           NETWORK            USER  USER_NETWORK           USER_MAC
 *     CP            semi-octets        pin   semi-octets, then pin  (the PIN holds the proof)
 *     DM            text (or semi-)    pin   pin ":" text           -                          */
#include <nettle/hmac.h>
#include <string.h>

#include "odm/bootstrap.h"

#define NETWORK_MAX 128 /* octets of what the network knows */
#define KEY_MAX (NETWORK_MAX + 1 + ODM_BOOT_PIN_MAX)

struct key {
        size_t n;
        uint8_t p[KEY_MAX];
};

static void hmac(const struct key *k, odm_str doc, uint8_t out[ODM_BOOT_MAC_LEN])
{
        struct hmac_sha1_ctx h;

        hmac_sha1_set_key(&h, k->n, k->p);
        hmac_sha1_update(&h, doc.n, (const uint8_t *)doc.p);
        hmac_sha1_digest(&h, ODM_BOOT_MAC_LEN, out);
        odm_wipe(&h, sizeof h);
}

static void put(struct key *k, odm_str s)
{
        if (s.n)
                memcpy(k->p + k->n, s.p, s.n);
        k->n += s.n;
}

static bool is_digits(odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                if (s.p[i] < '0' || s.p[i] > '9')
                        return false;
        return s.n > 0;
}

/* As a SIM stores an IMSI: 9 in front of an odd number of digits, 1 in front and F behind an
 * even one, and the two halves of each octet swapped.  What has other characters is taken as it
 * is. */
static void put_semi_octets(struct key *k, odm_str s)
{
        bool odd = s.n % 2;
        unsigned low = odd ? 9 : 1;

        if (!is_digits(s)) {
                put(k, s);
                return;
        }
        for (size_t i = 0; i < s.n + !odd; i++) {
                unsigned digit = i < s.n ? (unsigned)(s.p[i] - '0') : 0xf;
                if (i % 2 == 0)
                        k->p[k->n++] = (uint8_t)(digit << 4 | low);
                else
                        low = digit;
        }
}

/* False when a key is missing or too long. */
static bool make_key(odm_boot_profile p, odm_boot_sec s, const odm_boot_keys *keys, bool semi,
                     struct key *k)
{
        bool user = s != ODM_BOOT_NETWORK, network = s != ODM_BOOT_USER;

        k->n = 0;
        if (s == ODM_BOOT_USER_MAC || (user && (!keys->pin.n || keys->pin.n > ODM_BOOT_PIN_MAX)) ||
            (network && (!keys->network.n || keys->network.n > NETWORK_MAX)))
                return false;
        if (user && p == ODM_BOOT_DM)
                put(k, keys->pin);
        if (user && network && p == ODM_BOOT_DM)
                put(k, ODM_STR(":"));
        if (network && semi)
                put_semi_octets(k, keys->network);
        else if (network)
                put(k, keys->network);
        if (user && p == ODM_BOOT_CP)
                put(k, keys->pin);
        return true;
}

int odm_boot_pin(odm_str half, odm_str doc, char out[ODM_BOOT_PIN_TEXT])
{
        uint8_t m[ODM_BOOT_MAC_LEN];
        struct key k = {.n = 0};

        if (!is_digits(half) || half.n > ODM_BOOT_MAC_LEN)
                return ODM_EINVAL;
        put(&k, half);
        hmac(&k, doc, m);
        memcpy(out, half.p, half.n);
        for (size_t i = 0; i < half.n; i++)
                out[half.n + i] = (char)('0' + m[i] % 10);
        out[2 * half.n] = '\0';
        odm_wipe(&k, sizeof k);
        return 0;
}

static bool pin_is_right(const odm_boot *b, odm_str pin)
{
        char right[ODM_BOOT_PIN_TEXT];

        if (pin.n % 2 || odm_boot_pin(odm_str_to(pin, pin.n / 2), b->doc, right) < 0)
                return false;
        return odm_equal_ct(right, pin.p, pin.n);
}

static bool mac_is_right(const odm_boot *b, const odm_boot_keys *keys)
{
        uint8_t right[ODM_BOOT_MAC_LEN];
        struct key k = {.n = 0};
        bool cp = b->profile == ODM_BOOT_CP, good = false;

        if (make_key(b->profile, b->sec, keys, cp, &k)) {
                hmac(&k, b->doc, right);
                good = odm_equal_ct(right, b->mac, sizeof right);
        }
        /* the text of DM does not fix the form of an IMSI: both are taken (C3) */
        if (!cp && make_key(b->profile, b->sec, keys, true, &k)) {
                hmac(&k, b->doc, right);
                good |= odm_equal_ct(right, b->mac, sizeof right);
        }
        odm_wipe(&k, sizeof k);
        odm_wipe(right, sizeof right);
        return good;
}

odm_boot_verdict odm_boot_prove(odm_boot *b, const odm_boot_keys *keys)
{
        bool user = b->sec != ODM_BOOT_NETWORK;

        if (b->tries == 0 || (b->sec == ODM_BOOT_USER_NETWORK && !keys->network.n))
                return ODM_BOOT_DISCARD;
        if (user && keys->pin.n == 0)
                return ODM_BOOT_AGAIN;
        if (b->sec == ODM_BOOT_USER_MAC ? pin_is_right(b, keys->pin) : mac_is_right(b, keys)) {
                b->proven = true;
                return ODM_BOOT_GOOD;
        }
        b->tries = user ? (uint8_t)(b->tries - 1) : 0;
        return b->tries ? ODM_BOOT_AGAIN : ODM_BOOT_DISCARD;
}

int odm_boot_sign(odm_boot_profile p, odm_boot_sec s, const odm_boot_keys *keys, odm_str doc,
                  odm_boot *out)
{
        odm_boot b = {.profile = p, .sec = s, .doc = doc, .tries = ODM_BOOT_TRIES};
        struct key k = {.n = 0};

        if (s == ODM_BOOT_USER_MAC && p == ODM_BOOT_DM)
                return ODM_EINVAL;
        if (s != ODM_BOOT_USER_MAC) {
                if (!make_key(p, s, keys, p == ODM_BOOT_CP, &k))
                        return ODM_EINVAL;
                hmac(&k, doc, b.mac);
                odm_wipe(&k, sizeof k);
        }
        *out = b;
        return 0;
}
