/* SPDX-License-Identifier: Apache-2.0 */
/* map.h - the rules from inside. */
#ifndef BRIDGE_MAP_H
#define BRIDGE_MAP_H

#include "odm/bridge.h"

#define ROWS_MAX 1024
#define WHEN_MAX 8
#define SEGS_MAX 16

#define BRIDGE_RULES(X)                 \
        X(PLAIN, "")                    \
        X(MO, "mo")                     \
        X(CONST, "const")               \
        X(ID, "id")                     \
        X(OR_EMPTY, "or-empty")         \
        X(OR_KEPT, "or-kept")           \
        X(ENUM, "enum")                 \
        X(TIMES, "times")               \
        X(DECIMAL, "decimal")           \
        X(LIST, "list")                 \
        X(IPV4, "ipv4")                 \
        X(IPV6, "ipv6")                 \
        X(KEPT, "kept")                 \
        X(MADE, "made")                 \
        X(STAGE, "stage")               \
        X(FUMO_STATE, "fumo-state")     \
        X(SCOMO_STATUS, "scomo-status") \
        X(SLEEP, "sleep-interval")      \
        X(AWAKE, "awake")               \
        X(TRAP, "trap")                 \
        X(TRAP_ID, "trap-id")           \
        X(TRAP_STATUS, "trap-status")   \
        X(EXEC, "exec")                 \
        X(JOB, "job")

enum rule {
#define X(name, text) RULE_##name,
        BRIDGE_RULES(X)
#undef X
};

#define BRIDGE_TASKS(X)                                     \
        X(FUMO_DOWNLOAD, "fumo-download")                   \
        X(FUMO_UPDATE, "fumo-update")                       \
        X(FUMO_BOTH, "fumo-both")                           \
        X(SCOMO_DOWNLOAD, "scomo-download")                 \
        X(SCOMO_BOTH, "scomo-both")                         \
        X(SCOMO_BOTH_INACTIVE, "scomo-both-inactive")       \
        X(SCOMO_INSTALL, "scomo-install")                   \
        X(SCOMO_INSTALL_INACTIVE, "scomo-install-inactive") \
        X(SCOMO_REMOVE, "scomo-remove")                     \
        X(SCOMO_ACTIVATE, "scomo-activate")                 \
        X(SCOMO_DEACTIVATE, "scomo-deactivate")             \
        X(RESTART, "restart")                               \
        X(FACTORY_RESET, "factory-reset")                   \
        X(LOCK_FULL, "lock-full")                           \
        X(LOCK_PART, "lock-part")                           \
        X(UNLOCK, "unlock")                                 \
        X(WIPE, "wipe")

enum task {
#define X(name, text) TASK_##name,
        BRIDGE_TASKS(X)
#undef X
                TASK_NONE
};
/* TASK_NONE for a name that is none. */
enum task odm_bridge_task(odm_str name);
const char *odm_bridge_task_name(enum task t);

struct row {
        odm_str node; /* "./SCM/Download/<*>/Name" */
        odm_str seg[SEGS_MAX];
        uint8_t n_seg;
        int8_t star; /* the segment that is an asterisk; -1 */
        odm_format format;
        uint8_t access;
        odm_str source_text;
        bool has_source;
        odm_lw_path source;
        int8_t source_star;  /* which of its numbers is an asterisk: 1 or 3; -1 */
        bool first_instance; /* the instance is "^" */
        enum rule rule;
        odm_str arg;
        enum task task; /* of RULE_JOB */
        uint8_t n_when; /* 0: no condition */
        uint16_t when;  /* resource */
        int64_t when_value[WHEN_MAX];
};

struct odm_map {
        const odm_mem *mem;
        odm_arena text;
        struct row *v;
        size_t n, cap;
};

/* "a=b,c=d": the right side of what has `left`, absent for none; and the other way round. */
odm_str odm_bridge_enum(odm_str arg, odm_str left);
odm_str odm_bridge_enum_back(odm_str arg, odm_str right);

#endif
