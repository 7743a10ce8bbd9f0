/* SPDX-License-Identifier: Apache-2.0 */
/* walk_doc.h - the same as walk.h for a DDF or TNDS document (dm-tree.md 7 and 8); its
 * includer has included walk.h, and defines put_value(s, node) too. */
#ifndef WALK_DOC_H
#define WALK_DOC_H

#include "walk.h"

static void walk_doc_format(struct sink *s, unsigned id, odm_format f)
{
        static const uint8_t formats[] = {
                [ODM_FMT_B64] = E2_b64,   [ODM_FMT_BIN] = E2_bin,     [ODM_FMT_BOOL] = E2_bool,
                [ODM_FMT_CHR] = E2_chr,   [ODM_FMT_INT] = E2_int,     [ODM_FMT_NODE] = E2_node,
                [ODM_FMT_NULL] = E2_null, [ODM_FMT_XML] = E2_xml,     [ODM_FMT_DATE] = E2_date,
                [ODM_FMT_TIME] = E2_time, [ODM_FMT_FLOAT] = E2_float, [ODM_FMT_OTHER] = E_NONE,
        };

        if (formats[f] == E_NONE)
                return;
        put_open(s, id);
        put_empty(s, formats[f]);
        put_close(s, id);
}

static void walk_rt(struct sink *s, const odm_doc_node *n)
{
        put_open(s, E2_RTProperties);
        walk_text(s, E2_ACL, n->acl);
        walk_doc_format(s, E2_Format, n->format);
        walk_text(s, E2_Title, n->title);
        walk_text(s, E2_TStamp, n->tstamp);
        if (n->type.p) {
                put_open(s, E2_Type);
                put_text(s, n->type_is_ddf_name ? E2_DDFName : E2_MIME, n->type);
                put_close(s, E2_Type);
        }
        walk_text(s, E2_VerNo, n->ver_no);
        put_close(s, E2_RTProperties);
}

static void walk_occurs(struct sink *s, const odm_doc_node *n)
{
        static const uint8_t elements[] = {
                [ODM_OCC_ONE] = E2_One,
                [ODM_OCC_ZERO_OR_ONE] = E2_ZeroOrOne,
                [ODM_OCC_ZERO_OR_MORE] = E2_ZeroOrMore,
                [ODM_OCC_ONE_OR_MORE] = E2_OneOrMore,
                [ODM_OCC_ZERO_OR_N] = E2_ZeroOrN,
                [ODM_OCC_ONE_OR_N] = E2_OneOrN,
        };

        if (n->occurs == ODM_OCC_ONE)
                return;
        put_open(s, E2_Occurrence);
        if (n->occurs == ODM_OCC_ZERO_OR_N || n->occurs == ODM_OCC_ONE_OR_N)
                walk_number(s, elements[n->occurs], n->occurs_n);
        else
                put_empty(s, elements[n->occurs]);
        put_close(s, E2_Occurrence);
}

static void walk_access(struct sink *s, unsigned access)
{
        put_open(s, E2_AccessType);
        walk_flag(s, E2_Add, access & ODM_ACC_ADD);
        walk_flag(s, E2_Copy, access & ODM_ACC_COPY);
        walk_flag(s, E2_Delete, access & ODM_ACC_DELETE);
        walk_flag(s, E2_Exec, access & ODM_ACC_EXEC);
        walk_flag(s, E2_Get, access & ODM_ACC_GET);
        walk_flag(s, E2_Replace, access & ODM_ACC_REPLACE);
        put_close(s, E2_AccessType);
}

static void walk_nested_flag(struct sink *s, unsigned outer, unsigned inner, bool set)
{
        if (set) {
                put_open(s, outer);
                put_empty(s, inner);
                put_close(s, outer);
        }
}

static void walk_df(struct sink *s, const odm_doc_node *n)
{
        put_open(s, E2_DFProperties);
        walk_access(s, n->access);
        walk_text(s, E2_DefaultValue, n->default_value);
        walk_text(s, E2_Description, n->description);
        walk_doc_format(s, E2_DFFormat, n->df_format);
        walk_occurs(s, n);
        walk_nested_flag(s, E2_Scope, E2_Permanent, n->permanent);
        walk_text(s, E2_DFTitle, n->df_title);
        if (n->df_types) {
                put_open(s, E2_DFType);
                walk_refs(s, n->df_type_is_ddf_name ? E2_DDFName : E2_MIME, n->df_types);
                put_close(s, E2_DFType);
        }
        walk_nested_flag(s, E2_CaseSense, E2_CIS, n->any_case);
        put_close(s, E2_DFProperties);
}

/* All of a node but its child nodes and its end. */
static void walk_node_start(struct sink *s, const odm_doc_node *n, bool df)
{
        put_open(s, E2_Node);
        walk_text(s, E2_NodeName, n->name);
        walk_text(s, E2_Path, n->path);
        if (n->has_rt)
                walk_rt(s, n);
        if (df && n->has_df)
                walk_df(s, n);
        if (n->value.kind != ODM_DATA_ABSENT)
                put_value(s, n);
}

static void walk_nodes(struct sink *s, const odm_doc_node *n, bool df)
{
        const odm_doc_node *up[ODM_DEPTH_MOST];
        size_t depth = 0;

        while (n && s->rc == 0) {
                walk_node_start(s, n, df);
                if (n->children) {
                        if (depth == ODM_COUNT(up)) {
                                s->rc = ODM_ELIMIT;
                                return;
                        }
                        up[depth++] = n;
                        n = n->children;
                        continue;
                }
                put_close(s, E2_Node);
                while (n->next == NULL && depth > 0) {
                        n = up[--depth];
                        put_close(s, E2_Node);
                }
                n = n->next;
        }
}

static void walk_doc(struct sink *s, const odm_doc *d, bool df)
{
        walk_text(s, E2_VerDTD, d->ver_dtd);
        walk_text(s, E2_Man, d->man);
        walk_text(s, E2_Mod, d->mod);
        walk_nodes(s, d->nodes, df);
}

#endif
