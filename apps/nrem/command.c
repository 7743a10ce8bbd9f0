/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#include <stdio.h>
#include <string.h>

#include "jread.h"
#include "odm/msg.h"
#include "rand.h"

#define CORRELATOR_OCTETS 8

enum {
        CMD_GET,
        CMD_ADD,
        CMD_REPLACE,
        CMD_DELETE,
        CMD_COPY,
        CMD_EXEC,
        CMD_ALERT,
        CMD_SEQUENCE,
        CMD_ATOMIC,
        CMD_COUNT
};
static const char *const words[] = {"get",  "add",   "replace",  "delete", "copy",
                                    "exec", "alert", "sequence", "atomic", NULL};

static const char *const formats[] = {"b64",  "bin", "bool", "chr",  "int",   "node",
                                      "null", "xml", "date", "time", "float", NULL};

#define URI_MAX 2048
#define TYPE_MAX 255
#define DATA_MAX (64u << 20) /* the device's own limit comes long before */

/* Where a list of commands stands: what it may hold follows. */
typedef enum place { PLACE_JOB, PLACE_SEQUENCE, PLACE_ATOMIC } place;

typedef struct checker {
        problem *problem;
        size_t count;
} checker;

static void check_list(checker *k, const json_t *list, const char *path, place where);

/* Why a command cannot stand there; NULL when it can. */
static const char *refusal(unsigned cmd, place where)
{
        if (where == PLACE_SEQUENCE && cmd == CMD_SEQUENCE)
                return "Sequence inside Sequence is not part of DM";
        if (where != PLACE_ATOMIC)
                return NULL;
        switch (cmd) {
        case CMD_EXEC: return "Exec cannot be undone, so it cannot be part of an atomic job";
        case CMD_GET: return "Get inside Atomic is refused by devices; read in a job of its own";
        case CMD_ATOMIC: return "Atomic inside Atomic is not part of DM";
        case CMD_SEQUENCE: return "Sequence inside Atomic is not part of DM";
        case CMD_ALERT: return "a user interaction cannot be undone, so it cannot be atomic";
        default: return NULL;
        }
}

static void refuse(checker *k, const char *path, const char *why)
{
        char name[2 * JREAD_PATH];

        (void)snprintf(name, sizeof name, "%s.cmd", path);
        problem_set(k->problem, PROBLEM_NOT_ATOMIC, "%s: %s", name, why);
        problem_at(k->problem, name, "%s", why);
}

static void check_uri(jread *r, const char *name, bool query)
{
        odm_str s = ODM_ABSENT;
        int rc = jread_text(r, name, 1, URI_MAX, &s);

        if (rc == 0)
                (void)jread_missing(r, name);
        if (rc != 1)
                return;
        if (s.p[0] != '.' || (s.n > 1 && s.p[1] != '/' && s.p[1] != '?'))
                (void)jread_wrong(r, name, "has to begin with ./ or be .");
        else if (!query && odm_str_has(s, '?'))
                (void)jread_wrong(r, name, "a question mark is for get and replace only");
}

/* The value of a digit of base64, or -1. */
static int digit(char c)
{
        if (c >= 'A' && c <= 'Z')
                return c - 'A';
        if (c >= 'a' && c <= 'z')
                return c - 'a' + 26;
        if (c >= '0' && c <= '9')
                return c - '0' + 52;
        return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Padded, in one line, and with nothing in the bits that are cut off (RFC 4648 3.5). */
static bool is_base64(odm_str s)
{
        size_t n = s.n, pad = 0;

        if (n % 4 != 0)
                return false;
        while (pad < 2 && n > 0 && s.p[n - 1] == '=')
                n--, pad++;
        for (size_t i = 0; i < n; i++)
                if (digit(s.p[i]) < 0)
                        return false;
        return pad == 0 || (digit(s.p[n - 1]) & (pad == 1 ? 3 : 15)) == 0;
}

/* Reads data or data_base64. */
static void check_data(jread *r, bool allowed)
{
        odm_str s;
        int text = jread_text(r, "data", 0, DATA_MAX, &s);
        int b64 = jread_text(r, "data_base64", 0, DATA_MAX, &s);

        if (text == 1 && b64 == 1)
                (void)jread_wrong(r, "data_base64", "data is given too: one of them");
        if (!allowed && (text == 1 || b64 == 1))
                (void)jread_wrong(r, text == 1 ? "data" : "data_base64", "this format has no data");
        if (b64 != 1)
                return;
        if (!is_base64(s))
                (void)jread_wrong(r, "data_base64", "is not base64");
}

static void check_value(jread *r)
{
        unsigned format = 3;
        odm_str type;

        (void)jread_word(r, "format", formats, &format);
        (void)jread_text(r, "type", 1, TYPE_MAX, &type);
        check_data(r, strcmp(formats[format], "null") != 0);
}

static void check_alert(jread *r)
{
        int64_t code = 0;
        odm_str options;
        const json_t *items = NULL, *v;
        size_t i;

        if (jread_int(r, "code", ODM_ALERT_DISPLAY, ODM_ALERT_CHOICES, &code) == 0)
                (void)jread_missing(r, "code");
        (void)jread_text(r, "options", 1, 255, &options);
        if (jread_list(r, "items", 1, 64, &items) == 0)
                (void)jread_missing(r, "items");
        json_array_foreach(items, i, v)
        {
                if (!json_is_string(v))
                        (void)jread_wrong(r, "items", "has to hold text only");
        }
        if (items && code >= ODM_ALERT_CHOICE && json_array_size(items) < 2)
                (void)jread_wrong(r, "items", "has to hold the text and at least one choice");
}

static void check_members(checker *k, jread *r, place where)
{
        const json_t *list = NULL;
        char path[2 * JREAD_PATH];

        if (jread_list(r, "commands", 1, COMMANDS_MAX, &list) == 0)
                (void)jread_missing(r, "commands");
        if (!list)
                return;
        (void)snprintf(path, sizeof path, "%s.commands", r->path);
        check_list(k, list, path, where);
}

/* What the job does where the device has not what a command needs. */
static void check_flags(jread *r, unsigned cmd, place where)
{
        bool flag;

        if (where != PLACE_ATOMIC)
                (void)jread_bool(r, "optional", &flag);
        if (cmd == CMD_GET)
                (void)jread_bool(r, "fallback", &flag);
        if (cmd == CMD_ATOMIC)
                (void)jread_bool(r, "split", &flag);
}

static void check_one(checker *k, const json_t *v, const char *path, place where)
{
        jread r;
        unsigned cmd = CMD_COUNT;
        const char *no;
        odm_str s;

        jread_init(&r, v, path, k->problem);
        if (!json_is_object(v))
                return;
        if (jread_word(&r, "cmd", words, &cmd) == 0)
                (void)jread_missing(&r, "cmd");
        if (cmd == CMD_COUNT)
                return; /* without it, what else there is cannot be judged */
        no = refusal(cmd, where);
        if (no) {
                refuse(k, path, no);
                return;
        }
        switch (cmd) {
        case CMD_ALERT: check_alert(&r); break;
        case CMD_SEQUENCE: check_members(k, &r, PLACE_SEQUENCE); break;
        case CMD_ATOMIC: check_members(k, &r, PLACE_ATOMIC); break;
        default: check_uri(&r, "uri", cmd == CMD_GET || cmd == CMD_REPLACE);
        }
        if (cmd == CMD_ADD || cmd == CMD_REPLACE || cmd == CMD_EXEC)
                check_value(&r);
        check_flags(&r, cmd, where);
        if (cmd == CMD_COPY)
                check_uri(&r, "source", false);
        if (cmd == CMD_EXEC)
                (void)jread_text(&r, "correlator", 1, 64, &s);
        jread_end(&r);
}

/* Nests twice at most: a Sequence holds no Sequence, an Atomic neither. */
static void check_list(checker *k, const json_t *list, const char *path, place where)
{
        const json_t *v;
        size_t i;

        json_array_foreach(list, i, v)
        {
                char name[JREAD_PATH];
                if (++k->count > COMMANDS_MAX) {
                        problem_set(k->problem, PROBLEM_TOO_LARGE,
                                    "a job has at most %d commands, members included",
                                    COMMANDS_MAX);
                        return;
                }
                (void)snprintf(name, sizeof name, "%.*s[%zu]", JREAD_PATH - 24, path, i);
                check_one(k, v, name, where);
        }
}

bool command_check(const json_t *list, bool atomic, problem *p)
{
        checker k = {.problem = p};

        check_list(&k, list, "commands", atomic ? PLACE_ATOMIC : PLACE_JOB);
        return !problem_is(p);
}

const char *command_kind(const json_t *list)
{
        const char *cmd = json_string_value(json_object_get(json_array_get(list, 0), "cmd"));

        return json_array_size(list) == 1 && cmd ? cmd : "commands";
}

int command_value_put(json_t *o, odm_str format, odm_str value, odm_arena *a)
{
        bool octets = odm_str_is(format, "b64") || odm_str_is(format, "bin");

        if (!value.p)
                return 0;
        if (!octets && odm_utf8_ok(value))
                return json_object_set_new(o, "data", json_stringn_nocheck(value.p, value.n)) < 0
                               ? ODM_ENOMEM
                               : 0;
        odm_str b64 = odm_b64_encode(a, value);
        if (!b64.p)
                return odm_arena_err(a);
        return json_object_set_new(o, "data_base64", json_stringn_nocheck(b64.p, b64.n)) < 0
                       ? ODM_ENOMEM
                       : 0;
}

odm_str command_alert_type(odm_str text)
{
        if (!odm_str_starts(text, COMMAND_BY_ALERT))
                return ODM_ABSENT;
        return odm_str_from(text, sizeof COMMAND_BY_ALERT - 1);
}

int command_correlate(json_t *list, odm_arena *a, odm_str *first)
{
        json_t *o;
        size_t i;

        json_array_foreach(list, i, o)
        {
                json_t *inner = json_object_get(o, "commands"), *have;
                const char *cmd = json_string_value(json_object_get(o, "cmd"));

                if (inner && command_correlate(inner, a, first) < 0) /* no deeper than two more */
                        return ODM_ENOMEM;
                if (!cmd || strcmp(cmd, "exec") != 0)
                        continue;
                have = json_object_get(o, "correlator");
                if (have && !first->p)
                        *first = odm_cstr(json_string_value(have));
                if (!have) {
                        char text[2 * CORRELATOR_OCTETS + 1];
                        rand_hex(text, CORRELATOR_OCTETS);
                        odm_str s = first->p ? *first : odm_arena_copy(a, odm_cstr(text));
                        if (!s.p ||
                            json_object_set_new(o, "correlator", json_stringn(s.p, s.n)) < 0)
                                return ODM_ENOMEM;
                        *first = s;
                }
        }
        return 0;
}
