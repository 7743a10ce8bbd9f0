/* SPDX-License-Identifier: Apache-2.0 */
/* Accounts as nodes of a TNDS document (dm-stdobj.md 1, dm-tree.md 8), see record.h. */
#include "record.h"

static odm_doc_node *append(odm_arena *a, odm_doc_node *parent, odm_str name)
{
        odm_doc_node *n = parent ? odm_new(a, odm_doc_node) : NULL, **at;

        if (n == NULL)
                return NULL;
        for (at = &parent->children; *at;)
                at = &(*at)->next;
        *at = n;
        n->name = name;
        n->has_rt = true;
        return n;
}

odm_doc_node *odm_boot_node(odm_arena *a, odm_doc_node *parent, odm_str name)
{
        odm_doc_node *n = append(a, parent, name);

        if (n) {
                n->format = ODM_FMT_NODE;
                n->type = ODM_STR("");
                n->type_is_ddf_name = true;
        }
        return n;
}

odm_doc_node *odm_boot_leaf(odm_arena *a, odm_doc_node *parent, const char *name, odm_str text)
{
        odm_doc_node *n = append(a, parent, odm_cstr(name));

        if (n) {
                n->format = ODM_FMT_CHR;
                n->type = ODM_STR("text/plain");
                n->value = (odm_data){ODM_DATA_TEXT, text};
        }
        return n;
}

odm_doc_node *odm_boot_octets(odm_arena *a, odm_doc_node *parent, const char *name, odm_str octets)
{
        odm_doc_node *n = append(a, parent, odm_cstr(name));

        if (n) {
                n->format = ODM_FMT_BIN;
                n->type = ODM_STR("application/octet-stream");
                n->value = (odm_data){ODM_DATA_OPAQUE, octets};
        }
        return n;
}

odm_doc_node *odm_boot_account_top(odm_arena *a, odm_str name)
{
        odm_doc_node *n = odm_new(a, odm_doc_node);

        if (n)
                *n = (odm_doc_node){.name = name,
                                    .has_rt = true,
                                    .format = ODM_FMT_NODE,
                                    .type = ODM_STR(DMACC_ID),
                                    .type_is_ddf_name = true};
        return n;
}

odm_str odm_boot_child(const odm_doc_node *top, const char *name)
{
        for (const odm_doc_node *n = top->children; n; n = n->next)
                if (odm_str_is(n->name, name) && n->children == NULL)
                        return n->value.bytes;
        return ODM_ABSENT;
}

bool odm_boot_is_account(odm_str type)
{
        return odm_str_starts(type, "urn:oma:mo:oma-dm-dmacc:1.") ||
               odm_str_is(type, "org.openmobilealliance/1.0/w7");
}
