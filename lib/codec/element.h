/* SPDX-License-Identifier: Apache-2.0 */
/* element.h - the elements of SyncML, MetInf and DDF, each listed once: code page,
 * WBXML token and name (dm-representation.md 4.4 to 4.6).  Within a page they stand
 * in the order of their names' octets, which odm_element_find() relies on. */
#ifndef ELEMENT_H
#define ELEMENT_H

#include "odm/base.h"

#define PAGE_SYNCML 0
#define PAGE_METINF 1
#define PAGE_DDF 2
#define PAGES 3

/* The token of a code page's element; 64 tokens a page. */
#define TOKEN(id) ((id)&63)
#define PAGE(id) ((id) >> 6)
#define ELEMENTS (PAGES * 64)

#define ELEMENT_LIST(X)             \
        X(0, 0x05, Add)             \
        X(0, 0x06, Alert)           \
        X(0, 0x07, Archive)         \
        X(0, 0x08, Atomic)          \
        X(0, 0x09, Chal)            \
        X(0, 0x0a, Cmd)             \
        X(0, 0x0b, CmdID)           \
        X(0, 0x0c, CmdRef)          \
        X(0, 0x0d, Copy)            \
        X(0, 0x3c, Correlator)      \
        X(0, 0x0e, Cred)            \
        X(0, 0x0f, Data)            \
        X(0, 0x10, Delete)          \
        X(0, 0x11, Exec)            \
        X(0, 0x35, Field)           \
        X(0, 0x36, Filter)          \
        X(0, 0x38, FilterType)      \
        X(0, 0x12, Final)           \
        X(0, 0x13, Get)             \
        X(0, 0x14, Item)            \
        X(0, 0x15, Lang)            \
        X(0, 0x16, LocName)         \
        X(0, 0x17, LocURI)          \
        X(0, 0x18, Map)             \
        X(0, 0x19, MapItem)         \
        X(0, 0x1a, Meta)            \
        X(0, 0x34, MoreData)        \
        X(0, 0x3b, Move)            \
        X(0, 0x1b, MsgID)           \
        X(0, 0x1c, MsgRef)          \
        X(0, 0x1d, NoResp)          \
        X(0, 0x1e, NoResults)       \
        X(0, 0x33, NumberOfChanges) \
        X(0, 0x1f, Put)             \
        X(0, 0x37, Record)          \
        X(0, 0x20, Replace)         \
        X(0, 0x21, RespURI)         \
        X(0, 0x22, Results)         \
        X(0, 0x23, Search)          \
        X(0, 0x24, Sequence)        \
        X(0, 0x25, SessionID)       \
        X(0, 0x26, SftDel)          \
        X(0, 0x27, Source)          \
        X(0, 0x39, SourceParent)    \
        X(0, 0x28, SourceRef)       \
        X(0, 0x29, Status)          \
        X(0, 0x2a, Sync)            \
        X(0, 0x2b, SyncBody)        \
        X(0, 0x2c, SyncHdr)         \
        X(0, 0x2d, SyncML)          \
        X(0, 0x2e, Target)          \
        X(0, 0x3a, TargetParent)    \
        X(0, 0x2f, TargetRef)       \
        X(0, 0x31, VerDTD)          \
        X(0, 0x32, VerProto)        \
        X(1, 0x05, Anchor)          \
        X(1, 0x06, EMI)             \
        X(1, 0x16, FieldLevel)      \
        X(1, 0x07, Format)          \
        X(1, 0x08, FreeID)          \
        X(1, 0x09, FreeMem)         \
        X(1, 0x0a, Last)            \
        X(1, 0x0b, Mark)            \
        X(1, 0x0c, MaxMsgSize)      \
        X(1, 0x15, MaxObjSize)      \
        X(1, 0x0d, Mem)             \
        X(1, 0x0e, MetInf)          \
        X(1, 0x0f, Next)            \
        X(1, 0x10, NextNonce)       \
        X(1, 0x11, SharedMem)       \
        X(1, 0x12, Size)            \
        X(1, 0x13, Type)            \
        X(1, 0x14, Version)         \
        X(2, 0x06, ACL)             \
        X(2, 0x05, AccessType)      \
        X(2, 0x07, Add)             \
        X(2, 0x0d, CIS)             \
        X(2, 0x0f, CS)              \
        X(2, 0x0c, CaseSense)       \
        X(2, 0x0e, Copy)            \
        X(2, 0x11, DDFName)         \
        X(2, 0x15, DFFormat)        \
        X(2, 0x16, DFProperties)    \
        X(2, 0x17, DFTitle)         \
        X(2, 0x18, DFType)          \
        X(2, 0x12, DefaultValue)    \
        X(2, 0x13, Delete)          \
        X(2, 0x14, Description)     \
        X(2, 0x19, Dynamic)         \
        X(2, 0x1a, Exec)            \
        X(2, 0x1c, Format)          \
        X(2, 0x1d, Get)             \
        X(2, 0x21, MIME)            \
        X(2, 0x1f, Man)             \
        X(2, 0x20, MgmtTree)        \
        X(2, 0x22, Mod)             \
        X(2, 0x23, Name)            \
        X(2, 0x24, Node)            \
        X(2, 0x26, NodeName)        \
        X(2, 0x28, Occurrence)      \
        X(2, 0x29, One)             \
        X(2, 0x2a, OneOrMore)       \
        X(2, 0x2b, OneOrN)          \
        X(2, 0x2c, Path)            \
        X(2, 0x2d, Permanent)       \
        X(2, 0x2f, RTProperties)    \
        X(2, 0x2e, Replace)         \
        X(2, 0x30, Scope)           \
        X(2, 0x31, Size)            \
        X(2, 0x34, TStamp)          \
        X(2, 0x33, Title)           \
        X(2, 0x35, Type)            \
        X(2, 0x36, Value)           \
        X(2, 0x37, VerDTD)          \
        X(2, 0x38, VerNo)           \
        X(2, 0x3a, ZeroOrMore)      \
        X(2, 0x3b, ZeroOrN)         \
        X(2, 0x3c, ZeroOrOne)       \
        X(2, 0x08, b64)             \
        X(2, 0x09, bin)             \
        X(2, 0x0a, bool)            \
        X(2, 0x0b, chr)             \
        X(2, 0x10, date)            \
        X(2, 0x1b, float)           \
        X(2, 0x1e, int)             \
        X(2, 0x25, node)            \
        X(2, 0x27, null)            \
        X(2, 0x32, time)            \
        X(2, 0x39, xml)

/* E0_Add, E1_Format, E2_Node ...: page and token in one number; 0 is none of them. */
enum element {
        E_NONE = 0,
#define X(page, token, name) E##page##_##name = (page) << 6 | (token),
        ELEMENT_LIST(X)
#undef X
};

/* The element of that page with that name, or E_NONE. */
unsigned odm_element_find(unsigned page, const char *name, size_t n);
/* Its name, with a terminating zero; NULL for a number that is no element. */
const char *odm_element_name(unsigned id);

#endif
