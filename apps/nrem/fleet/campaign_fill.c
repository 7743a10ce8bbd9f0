/* SPDX-License-Identifier: Apache-2.0 */
/* Variables in the texts of commands. */
#include <stdio.h>
#include <string.h>

#include "campaign.h"
#include "heap.h"

#define TEXT_MAX ((size_t)1 << 20)
#define DEPTH 4 /* a job's list, and the lists of Atomic and Sequence in it */

/* X of the tag `name`:X. */
static odm_str tag_value(odm_str tags, odm_str name)
{
        while (tags.n > 0) {
                size_t n = 0;

                while (n < tags.n && tags.p[n] != ' ')
                        n++;
                if (n > name.n && tags.p[name.n] == ':' &&
                    odm_str_eq(odm_str_to(tags, name.n), name))
                        return odm_str_from(odm_str_to(tags, n), name.n + 1);
                tags = odm_str_from(tags, n + 1);
        }
        return ODM_ABSENT;
}

static int value_of(const campaign_vars *v, odm_str name, odm_str *out)
{
        const struct {
                const char *name;
                odm_str value;
        } all[] = {
                {"device", v->name},       {"devid", v->devid},     {"maker", v->maker},
                {"model", v->model},       {"hwv", v->hwv},         {"fwv", v->fwv},
                {"swv", v->swv},           {"version", v->version}, {"url", v->url},
                {"sha256", v->sha256},     {"size", v->size},       {"package", v->package},
                {"campaign", v->campaign},
        };

        if (odm_str_starts(name, "tag.") && name.n > 4) {
                *out = tag_value(v->tags, odm_str_from(name, 4));
                return out->p ? 0 : ODM_ENOENT;
        }
        for (size_t i = 0; i < ODM_COUNT(all); i++)
                if (odm_str_is(name, all[i].name)) {
                        *out = all[i].value;
                        return out->p ? 0 : ODM_ENOENT;
                }
        return ODM_EMALFORMED;
}

/* The variable that `s` begins with: "${name}". */
static int fill_one(odm_str *s, const campaign_vars *v, odm_buf *b, char which[CAMPAIGN_VAR])
{
        odm_str name, value;
        size_t n = 2;
        int rc;

        while (n < s->n && s->p[n] != '}')
                n++;
        name = odm_str_from(odm_str_to(*s, n), 2);
        (void)snprintf(which, CAMPAIGN_VAR, "%.*s", (int)odm_str_to(name, CAMPAIGN_VAR - 1).n,
                       name.p);
        rc = n < s->n ? value_of(v, name, &value) : ODM_EMALFORMED;
        if (rc < 0)
                return rc;
        *s = odm_str_from(*s, n + 1);
        return odm_buf_str(b, value);
}

static int fill_text(odm_str s, const campaign_vars *v, odm_buf *b, char which[CAMPAIGN_VAR])
{
        int rc = 0;

        while (rc == 0 && s.n > 0) {
                if (s.n > 1 && s.p[0] == '$' && s.p[1] == '{') {
                        rc = fill_one(&s, v, b, which);
                        continue;
                }
                rc = odm_buf_byte(b, (uint8_t)s.p[0]);
                s = odm_str_from(s, s.n > 1 && s.p[0] == '$' && s.p[1] == '$' ? 2 : 1);
        }
        return rc;
}

static int fill_object(json_t *o, const campaign_vars *v, char which[CAMPAIGN_VAR])
{
        const char *key;
        json_t *x;
        int rc = 0;

        json_object_foreach(o, key, x)
        {
                odm_str s = {json_string_value(x), json_string_length(x)};
                odm_buf b;

                if (!s.p || !odm_str_has(s, '$'))
                        continue;
                odm_buf_init(&b, &heap_mem, TEXT_MAX);
                rc = fill_text(s, v, &b, which);
                if (rc == 0 && json_string_setn(x, b.p ? b.p : "", b.n) < 0)
                        rc = ODM_ENOMEM;
                odm_buf_done(&b);
                if (rc < 0)
                        return rc;
        }
        return rc;
}

int campaign_fill(json_t *commands, const campaign_vars *v, char which[CAMPAIGN_VAR])
{
        struct {
                json_t *list;
                size_t at;
        } stack[DEPTH] = {{commands, 0}};
        unsigned depth = 1;

        while (depth > 0) {
                json_t *o = json_array_get(stack[depth - 1].list, stack[depth - 1].at++);
                json_t *inner;
                int rc;

                if (!o) {
                        depth--;
                        continue;
                }
                rc = fill_object(o, v, which);
                if (rc < 0)
                        return rc;
                inner = json_object_get(o, "commands");
                if (!inner)
                        continue;
                if (depth == DEPTH)
                        return ODM_EMALFORMED;
                stack[depth].list = inner;
                stack[depth++].at = 0;
        }
        return 0;
}
