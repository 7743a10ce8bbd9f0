/* SPDX-License-Identifier: Apache-2.0 */
/* Access control lists as text (dm-tree.md 4).  They are kept as the server wrote them, and read
 * anew at each check: they are short, and a server reads back what it wrote. */
#include "acl.h"

static const struct {
        const char *name;
        unsigned access;
} commands[] = {
        {"Add", ODM_ACC_ADD}, {"Delete", ODM_ACC_DELETE},   {"Exec", ODM_ACC_EXEC},
        {"Get", ODM_ACC_GET}, {"Replace", ODM_ACC_REPLACE},
};

/* Takes the piece before `sep` off *rest; false when nothing is left. */
static bool take(odm_str *rest, char sep, odm_str *piece)
{
        size_t n = 0;

        if (rest->p == NULL)
                return false;
        while (n < rest->n && rest->p[n] != sep)
                n++;
        *piece = odm_str_to(*rest, n);
        *rest = n < rest->n ? odm_str_from(*rest, n + 1) : ODM_ABSENT;
        return true;
}

static unsigned command_access(odm_str name)
{
        for (size_t i = 0; i < ODM_COUNT(commands); i++)
                if (odm_str_is(name, commands[i].name))
                        return commands[i].access;
        return 0;
}

bool odm_acl_is_server(odm_str id)
{
        if (id.n == 0 || !odm_utf8_ok(id))
                return false;
        for (size_t i = 0; i < id.n; i++) {
                unsigned char c = (unsigned char)id.p[i];
                if (c <= ' ' || c == 0x7f || c == '=' || c == '&' || c == '*' || c == '+')
                        return false;
        }
        return true;
}

int odm_acl_check(odm_str acl)
{
        odm_str entry, id;
        unsigned seen = 0;

        if (acl.n == 0)
                return 0;
        while (take(&acl, '&', &entry)) {
                odm_str ids = entry, name = ODM_ABSENT;
                (void)take(&ids, '=', &name);
                unsigned access = command_access(name);
                if (access == 0 || (seen & access) || ids.p == NULL)
                        return ODM_EMALFORMED;
                seen |= access;
                while (take(&ids, '+', &id))
                        if (!odm_str_is(id, "*") && !odm_acl_is_server(id))
                                return ODM_EMALFORMED;
        }
        return 0;
}

bool odm_acl_allows(odm_str acl, unsigned access, odm_str server)
{
        odm_str entry, id;

        if (acl.n == 0)
                return false;
        while (take(&acl, '&', &entry)) {
                odm_str name = ODM_ABSENT;
                odm_str ids = entry;
                (void)take(&ids, '=', &name);
                if (command_access(name) != access)
                        continue;
                while (take(&ids, '+', &id))
                        if (odm_str_is(id, "*") || (server.n && odm_str_eq(id, server)))
                                return true;
        }
        return false;
}

/* Appends to a block that has room: every piece of the result comes out of the old text. */
static void put(char *to, size_t *n, odm_str s)
{
        for (size_t i = 0; i < s.n; i++)
                to[(*n)++] = s.p[i];
}

odm_str odm_acl_remove(odm_arena *a, odm_str acl, odm_str server, bool keep_commands)
{
        odm_str entry, id;
        size_t n = 0;
        char *to = odm_arena_get(a, acl.n + 1);

        if (to == NULL)
                return ODM_ABSENT;
        if (acl.n == 0)
                return (odm_str){to, 0};
        while (take(&acl, '&', &entry)) {
                odm_str ids = entry, name = ODM_ABSENT;
                size_t mark = n;
                bool any = false;
                (void)take(&ids, '=', &name);
                if (n)
                        to[n++] = '&';
                put(to, &n, name);
                while (take(&ids, '+', &id)) {
                        if (odm_str_eq(id, server))
                                continue;
                        to[n++] = any ? '+' : '=';
                        put(to, &n, id);
                        any = true;
                }
                if (!any && keep_commands)
                        put(to, &n, ODM_STR("=*"));
                else if (!any)
                        n = mark;
        }
        return (odm_str){to, n};
}

odm_str odm_acl_without(odm_arena *a, odm_str acl, odm_str server)
{
        return odm_acl_remove(a, acl, server, false);
}
