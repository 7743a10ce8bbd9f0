/* SPDX-License-Identifier: Apache-2.0 */
/* Files, standard input and output, and the spellings of octets. */
#include "io.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "term.h"

int xrem_read_file(xrem *c, const char *path, odm_str *out)
{
        bool is_stdin = path == NULL || strcmp(path, "-") == 0;
        const char *name = is_stdin ? "standard input" : path;
        FILE *f = is_stdin ? stdin : fopen(path, "rb");
        odm_buf b;
        char block[16384];
        size_t n;
        int rc = XREM_OK;

        if (f == NULL)
                return xrem_fail(XREM_BAD_INPUT, "%s: %s", name, strerror(errno));
        odm_buf_init(&b, &heap_mem, XREM_FILE_MAX);
        while (rc == XREM_OK && (n = fread(block, 1, sizeof block, f)) > 0) {
                int err = odm_buf_put(&b, block, n);

                if (err == ODM_ENOMEM)
                        xrem_out_of_memory();
                if (err < 0)
                        rc = xrem_fail(XREM_BAD_INPUT, "%s: larger than %u MiB", name,
                                       XREM_FILE_MAX >> 20);
        }
        if (rc == XREM_OK && ferror(f))
                rc = xrem_fail(XREM_BAD_INPUT, "%s: %s", name, strerror(errno));
        if (rc == XREM_OK)
                *out = xrem_copy(c, odm_buf_view(&b));
        odm_buf_done(&b);
        if (!is_stdin)
                fclose(f);
        return rc;
}

int xrem_write_file(xrem *c, const char *path, odm_str octets, bool binary)
{
        bool is_stdout = path == NULL || strcmp(path, "-") == 0;
        const char *name = is_stdout ? "standard output" : path;
        int rc = XREM_OK;

        if (is_stdout && binary && c->out_tty)
                return xrem_fail(XREM_USAGE,
                                 "will not write octets to the terminal; use --output FILE");
        if (is_stdout && c->out_tty)
                octets = xrem_visible(c, octets, true);
        FILE *f = is_stdout ? stdout : fopen(path, "wb");
        if (f == NULL)
                return xrem_fail(XREM_BROKEN, "%s: %s", name, strerror(errno));
        if (fwrite(octets.p ? octets.p : "", 1, octets.n, f) != octets.n || fflush(f) != 0)
                rc = xrem_fail(XREM_BROKEN, "%s: %s", name, strerror(errno));
        if (!is_stdout && fclose(f) != 0 && rc == XREM_OK)
                rc = xrem_fail(XREM_BROKEN, "%s: %s", name, strerror(errno));
        return rc;
}

static int hex_digit(char ch)
{
        if (ch >= '0' && ch <= '9')
                return ch - '0';
        if (ch >= 'a' && ch <= 'f')
                return ch - 'a' + 10;
        return ch >= 'A' && ch <= 'F' ? ch - 'A' + 10 : -1;
}

static bool is_blank(char ch)
{
        return ch == ' ' || ch == '\t' || ch == '\n' || ch == '\r' || ch == ':';
}

bool xrem_is_hex(odm_str s)
{
        size_t digits = 0;

        for (size_t i = 0; i < s.n; i++)
                if (hex_digit(s.p[i]) >= 0)
                        digits++;
                else if (!is_blank(s.p[i]))
                        return false;
        return digits > 0 && digits % 2 == 0;
}

odm_str xrem_from_hex(xrem *c, odm_str hex)
{
        char *p = xrem_get(c, hex.n / 2 + 1);
        size_t n = 0;
        int high = -1;

        for (size_t i = 0; i < hex.n; i++) {
                int d = hex_digit(hex.p[i]);

                if (d < 0)
                        continue;
                if (high < 0) {
                        high = d;
                } else {
                        p[n++] = (char)(high << 4 | d);
                        high = -1;
                }
        }
        return (odm_str){p, n};
}

odm_str xrem_hex(xrem *c, odm_str octets)
{
        static const char digits[] = "0123456789abcdef";
        char *p = xrem_get(c, octets.n * 2 + 1);

        for (size_t i = 0; i < octets.n; i++) {
                p[2 * i] = digits[(uint8_t)octets.p[i] >> 4];
                p[2 * i + 1] = digits[(uint8_t)octets.p[i] & 15];
        }
        return (odm_str){p, octets.n * 2};
}

odm_str xrem_b64(xrem *c, odm_str octets)
{
        odm_str s = odm_b64_encode(&c->arena, octets);

        if (s.p == NULL)
                xrem_out_of_memory();
        return s;
}

static int from_b64(xrem *c, odm_str text, odm_str *out)
{
        int rc = odm_b64_decode(&c->arena, text, out);

        if (rc == ODM_ENOMEM || rc == ODM_ELIMIT)
                xrem_out_of_memory();
        return rc;
}

int xrem_octets(xrem *c, const char *text, odm_str *out)
{
        odm_str s = odm_cstr(text);

        if (odm_str_starts(s, "text:")) {
                *out = odm_str_from(s, 5);
                return 0;
        }
        if (odm_str_starts(s, "hex:")) {
                s = odm_str_from(s, 4);
                if (s.n > 0 && !xrem_is_hex(s))
                        return ODM_EMALFORMED;
                *out = xrem_from_hex(c, s);
                return 0;
        }
        return from_b64(c, odm_str_starts(s, "b64:") ? odm_str_from(s, 4) : s, out);
}

odm_str xrem_unwrap_text(xrem *c, odm_str in, bool (*is_binary)(odm_str in))
{
        odm_str trimmed = odm_str_trim(in), out;

        if (is_binary(in))
                return in;
        if (xrem_is_hex(trimmed))
                return xrem_from_hex(c, trimmed);
        if (trimmed.n > 0 && from_b64(c, trimmed, &out) == 0)
                return out;
        return in;
}
