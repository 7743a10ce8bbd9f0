/* SPDX-License-Identifier: Apache-2.0 */
/* inventory_test.c - each arrow of the state machine, each silence, selectors and documents. */
#include "odm/inventory.h"

#include "support.h"

#define S 1000
#define NOW (1000000 * (int64_t)S)

/* ---- arrows ------------------------------------------------------------------------------ */

#define A ODM_INV_ATTACHED
#define B ODM_INV_BACK
#define W ODM_INV_WOKE
#define Z ODM_INV_SLEPT
#define G ODM_INV_WENT
#define M ODM_INV_MOVED
#define T ODM_INV_TELL
#define R ODM_INV_REFUSED

static const struct arrow {
        const char *why;
        odm_inv_state from;
        odm_inv_event event;
        odm_inv_state to;
        unsigned news;
} arrows[] = {
        {"a device comes", ODM_INV_PROVISIONED, ODM_INV_SEEN, ODM_INV_ACTIVE, A | W | M},
        {"... back", ODM_INV_DETACHED, ODM_INV_SEEN, ODM_INV_ACTIVE, A | B | W | M},
        {"... again", ODM_INV_ACTIVE, ODM_INV_SEEN, ODM_INV_ACTIVE, 0},
        {"... out of its sleep", ODM_INV_ASLEEP, ODM_INV_SEEN, ODM_INV_ACTIVE, W | M},
        {"... out of silence", ODM_INV_UNREACHABLE, ODM_INV_SEEN, ODM_INV_ACTIVE, W | M | T},
        {"... though it may not", ODM_INV_DEACTIVATED, ODM_INV_SEEN, ODM_INV_DEACTIVATED, R},
        {"it wakes", ODM_INV_ASLEEP, ODM_INV_AWAKE, ODM_INV_ACTIVE, W | M},
        {"it is awake for longer", ODM_INV_ACTIVE, ODM_INV_AWAKE, ODM_INV_ACTIVE, W},
        {"it wakes and was gone", ODM_INV_DETACHED, ODM_INV_AWAKE, ODM_INV_ACTIVE, A | B | W | M},
        {"it wakes and may not", ODM_INV_DEACTIVATED, ODM_INV_AWAKE, ODM_INV_DEACTIVATED, R},
        {"it sleeps", ODM_INV_ACTIVE, ODM_INV_SLEEPS, ODM_INV_ASLEEP, Z | M},
        {"it sleeps on", ODM_INV_ASLEEP, ODM_INV_SLEEPS, ODM_INV_ASLEEP, 0},
        {"it sleeps, after all", ODM_INV_UNREACHABLE, ODM_INV_SLEEPS, ODM_INV_ASLEEP, Z | M | T},
        {"what is gone does not sleep", ODM_INV_DETACHED, ODM_INV_SLEEPS, ODM_INV_DETACHED, 0},
        {"nor what never came", ODM_INV_PROVISIONED, ODM_INV_SLEEPS, ODM_INV_PROVISIONED, 0},
        {"it goes", ODM_INV_ACTIVE, ODM_INV_GONE, ODM_INV_DETACHED, G | M},
        {"it goes out of its sleep", ODM_INV_ASLEEP, ODM_INV_GONE, ODM_INV_DETACHED, G | M},
        {"it goes out of silence", ODM_INV_UNREACHABLE, ODM_INV_GONE, ODM_INV_DETACHED, G | M},
        {"it is gone", ODM_INV_DETACHED, ODM_INV_GONE, ODM_INV_DETACHED, 0},
        {"it may go", ODM_INV_DEACTIVATED, ODM_INV_GONE, ODM_INV_DEACTIVATED, 0},
        {"nobody speaks for it", ODM_INV_ACTIVE, ODM_INV_LOST, ODM_INV_UNREACHABLE, M | T},
        {"... who is gone anyway", ODM_INV_DETACHED, ODM_INV_LOST, ODM_INV_DETACHED, 0},
        {"switched off", ODM_INV_ACTIVE, ODM_INV_OFF, ODM_INV_DEACTIVATED, M | T},
        {"switched off while away", ODM_INV_DETACHED, ODM_INV_OFF, ODM_INV_DEACTIVATED, M | T},
        {"switched off twice", ODM_INV_DEACTIVATED, ODM_INV_OFF, ODM_INV_DEACTIVATED, 0},
        {"switched on", ODM_INV_DEACTIVATED, ODM_INV_ON, ODM_INV_DETACHED, M | T},
        {"switched on twice", ODM_INV_ACTIVE, ODM_INV_ON, ODM_INV_ACTIVE, 0},
        {"nothing happens", ODM_INV_ACTIVE, ODM_INV_TIME, ODM_INV_ACTIVE, 0},
};

static void arrows_are_as_the_table_says(void **state)
{
        const odm_inv_terms terms = {0};

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(arrows); i++) {
                const struct arrow *r = &arrows[i];
                odm_inv v = {.state = r->from,
                             .known = r->from != ODM_INV_PROVISIONED,
                             .seen = NOW - S,
                             .awake_until = ODM_INV_NEVER};
                unsigned news = odm_inv_hear(&v, r->event, 0, &terms, NOW);
                if (v.state != r->to || news != r->news)
                        fail_msg("%s: state %d, news %x", r->why, (int)v.state, news);
        }
}

static void what_was_never_seen_is_so_again(void **state)
{
        const odm_inv_terms terms = {0};
        odm_inv v = {.state = ODM_INV_PROVISIONED, .awake_until = ODM_INV_NEVER};

        (void)state;
        assert_int_equal(odm_inv_hear(&v, ODM_INV_OFF, 0, &terms, NOW), M | T);
        assert_int_equal(odm_inv_hear(&v, ODM_INV_ON, 0, &terms, NOW), M | T);
        assert_int_equal(v.state, ODM_INV_PROVISIONED);
        assert_int_equal(odm_inv_hear(&v, ODM_INV_SEEN, 0, &terms, NOW), A | W | M);
}

/* ---- silence ------------------------------------------------------------------------------ */

static const struct silence {
        const char *why;
        odm_inv_state from;
        int64_t lifetime, interval, awake, awake_for, next_wake; /* seconds; 0: none */
        int64_t grace, kept;
        int64_t due; /* seconds after it was seen; -1: never */
        odm_inv_state to;
        unsigned news;
} silences[] = {
        {"one that never sleeps, without a lifetime", ODM_INV_ACTIVE, 0, 0, 0, 0, 0, 0, 0, -1},
        {"a lifetime", ODM_INV_ACTIVE, 60, 0, 0, 0, 0, 0, 0, 60, ODM_INV_DETACHED, G | M},
        {"a lifetime and grace", ODM_INV_ACTIVE, 60, 0, 0, 0, 0, 30, 0, 60, ODM_INV_UNREACHABLE,
         M | T},
        {"... that are over", ODM_INV_UNREACHABLE, 60, 0, 0, 0, 0, 30, 0, 90, ODM_INV_DETACHED,
         G | M},
        {"awake for a while", ODM_INV_ACTIVE, 0, 0, 0, 10, 0, 0, 0, 10, ODM_INV_ASLEEP, Z | M},
        {"a sleeper of no pattern", ODM_INV_ASLEEP, 0, 0, 0, 0, 0, 0, 0, -1},
        {"a sleeper that is late", ODM_INV_ASLEEP, 0, 600, 5, 0, 600, 0, 0, 660,
         ODM_INV_UNREACHABLE, M | T},
        {"... a little", ODM_INV_ASLEEP, 0, 60, 0, 0, 60, 0, 0, 70, ODM_INV_UNREACHABLE, M | T},
        {"... for long", ODM_INV_UNREACHABLE, 0, 600, 5, 0, 600, 120, 0, 720, ODM_INV_DETACHED,
         G | M},
        {"... and outlives its lifetime", ODM_INV_UNREACHABLE, 900, 600, 5, 0, 600, 0, 0, 900,
         ODM_INV_DETACHED, G | M},
        {"a record for ever", ODM_INV_DETACHED, 60, 0, 0, 0, 0, 0, 0, -1},
        {"a record whose time comes", ODM_INV_DETACHED, 60, 0, 0, 0, 0, 0, 3600, 3600,
         ODM_INV_DETACHED, ODM_INV_OVER},
        {"one that is expected", ODM_INV_PROVISIONED, 0, 0, 0, 0, 0, 0, 3600, -1},
        {"one that is switched off", ODM_INV_DEACTIVATED, 60, 0, 0, 0, 0, 10, 3600, -1},
};

static void silences_end_when_the_table_says(void **state)
{
        (void)state;
        for (size_t i = 0; i < ODM_COUNT(silences); i++) {
                const struct silence *r = &silences[i];
                const odm_inv_terms terms = {.grace = r->grace * S, .kept = r->kept * S};
                odm_inv v = {.state = r->from,
                             .known = true,
                             .seen = NOW,
                             .awake_until = r->awake_for ? NOW + r->awake_for * S : ODM_INV_NEVER,
                             .next_wake = r->next_wake ? NOW + r->next_wake * S : 0,
                             .lifetime = r->lifetime * S,
                             .wake_interval = r->interval * S,
                             .awake = r->awake * S};
                int64_t due = odm_inv_due(&v, &terms);
                unsigned news;
                if (due != (r->due < 0 ? ODM_INV_NEVER : NOW + r->due * S))
                        fail_msg("%s: due after %lld", r->why, (long long)(due - NOW) / S);
                if (r->due < 0)
                        continue;
                news = odm_inv_hear(&v, ODM_INV_TIME, 0, &terms, due - 1);
                if (news)
                        fail_msg("%s: too early, %x", r->why, news);
                news = odm_inv_hear(&v, ODM_INV_TIME, 0, &terms, due) & ~(unsigned)ODM_INV_LATE;
                if (v.state != r->to || news != r->news)
                        fail_msg("%s: state %d, news %x", r->why, (int)v.state, news);
        }
}

static void a_sleeper_is_awaited_by_its_pattern(void **state)
{
        const odm_inv_terms terms = {0};
        odm_inv v = {.state = ODM_INV_PROVISIONED, .wake_interval = 600 * S, .awake = 10 * S};

        (void)state;
        (void)odm_inv_hear(&v, ODM_INV_AWAKE, 10 * S, &terms, NOW);
        assert_int_equal(odm_inv_due(&v, &terms), NOW + 10 * S);
        assert_int_equal(odm_inv_hear(&v, ODM_INV_TIME, 0, &terms, NOW + 10 * S), Z | M);
        assert_true(v.next_wake == NOW + 600 * S);
        (void)odm_inv_hear(&v, ODM_INV_AWAKE, 10 * S, &terms, NOW + 600 * S);
        (void)odm_inv_hear(&v, ODM_INV_SLEEPS, 90 * S, &terms, NOW + 605 * S);
        assert_true(v.next_wake == NOW + 695 * S);
        /* a clock that began after the record was last heard of */
        v = (odm_inv){.state = ODM_INV_ACTIVE,
                      .known = true,
                      .seen = -5000 * (int64_t)S,
                      .awake_until = ODM_INV_NEVER,
                      .lifetime = INT64_MAX / 2};
        assert_true(odm_inv_due(&v, &terms) > 0);
}

/* ---- selectors ------------------------------------------------------------------------------ */

static const struct selector {
        const char *why, *text;
        int rc;
        bool fits;
} selectors[] = {
        {"exactly", "id=urn:imei:17", 0, true},
        {"another", "id=urn:imei:18", 0, false},
        {"a star", "id=urn:*", 0, true},
        {"stars", "id=*i*i*7", 0, true},
        {"stars that do not fit", "id=*i*i*i*7", 0, false},
        {"a star for nothing", "id=urn:imei:17*", 0, true},
        {"question marks", "mod=M?-?", 0, true},
        {"one too many", "mod=M?-??", 0, false},
        {"all of several", "man=Acme;mod=M1*;proto=LWM2M/1.?", 0, true},
        {"but not one", "man=Acme;mod=M2*", 0, false},
        {"letters differ", "man=acme", 0, false},
        {"blanks beside", " man = Acme ; mod = M1* ", 0, true},
        {"a state", "state=2", 0, true},
        {"a key", "key=d????", 0, true},
        {"an empty value", "name=*", 0, true},
        {"... that is none", "name=?*", 0, false},
        {"nothing", "", ODM_EMALFORMED, false},
        {"no key", "=a", ODM_EMALFORMED, false},
        {"a key unknown", "colour=red", ODM_EMALFORMED, false},
        {"no glob", "id=", ODM_EMALFORMED, false},
        {"no equal sign", "id", ODM_EMALFORMED, false},
        {"nothing after a semicolon", "id=*;", ODM_EMALFORMED, false},
        {"nothing between two", "id=*;;man=*", ODM_EMALFORMED, false},
};

static void selectors_are_as_the_table_says(void **state)
{
        const odm_inv_facts facts = {.id = ODM_STR("urn:imei:17"),
                                     .man = ODM_STR("Acme"),
                                     .mod = ODM_STR("M1-b"),
                                     .type = ODM_STR("meter"),
                                     .proto = ODM_STR("LWM2M/1.0"),
                                     .key = ODM_STR("d0001"),
                                     .state = ODM_INV_ASLEEP};
        char longer[ODM_INV_SELECTOR_MAX + 2];

        (void)state;
        for (size_t i = 0; i < ODM_COUNT(selectors); i++) {
                const struct selector *r = &selectors[i];
                odm_str text = exact_copy(r->text);
                if (odm_inv_selector_check(text) != r->rc ||
                    odm_inv_matches(&facts, text) != r->fits)
                        fail_msg("%s", r->why);
                exact_free(text);
        }
        memset(longer, '*', sizeof longer);
        memcpy(longer, "id=", 3);
        assert_int_equal(odm_inv_selector_check((odm_str){longer, sizeof longer}), ODM_ELIMIT);
        assert_int_equal(odm_inv_selector_check((odm_str){longer, ODM_INV_SELECTOR_MAX}), 0);
}

static void ability_decides_last(void **state)
{
        (void)state;
        assert_int_equal(odm_inv_by_capability(ODM_STR("OMA-DM/1.2"), ODM_STR("com.example")),
                         ODM_INV_TRANSPARENT);
        assert_int_equal(odm_inv_by_capability(ODM_STR("OMA-DM/1.3"), ODM_STR(" ")), ODM_INV_PROXY);
        assert_int_equal(odm_inv_by_capability(ODM_STR("LWM2M/1.1"), ODM_STR("x")),
                         ODM_INV_ADAPTATION);
        assert_int_equal(odm_inv_by_capability(ODM_ABSENT, ODM_ABSENT), ODM_INV_ADAPTATION);
}

/* ---- documents -------------------------------------------------------------------------------- */

static void documents_say_what_strangers_call_themselves(void **state)
{
        const odm_inv_attach a = {.id = ODM_STR("<a>&\x01z"),
                                  .protocol = ODM_STR("LWM2M/1.0"),
                                  .mode = ODM_INV_ADAPTATION,
                                  .is_gateway = true,
                                  .at = {1706702400}};
        odm_buf b;

        (void)state;
        odm_buf_init(&b, &heap, 4096);
        assert_int_equal(odm_inv_attach_doc(&a, &b), 0);
        assert_str(odm_buf_view(&b),
                   "<DeviceAttach><DeviceID>&lt;a&gt;&amp;z</DeviceID><Mode>3</Mode><Protocol>"
                   "LWM2M/1.0</Protocol><ComponentType>1</ComponentType><Time>20240131T120000Z"
                   "</Time></DeviceAttach>");
        b.n = 0;
        assert_int_equal(odm_inv_detach_doc(ODM_STR("a"), ODM_INV_EXPIRED, a.at, &b), 0);
        assert_str(odm_buf_view(&b), "<DeviceDetach><DeviceID>a</DeviceID><Reason>2</Reason><Time>"
                                     "20240131T120000Z</Time></DeviceDetach>");
        b.n = 0;
        assert_int_equal(odm_inv_request_doc(ODM_STR("config"), ODM_STR("none"), &b), 0);
        assert_str(odm_buf_view(&b),
                   "<TaskRequest><Kind>config</Kind><Detail>none</Detail></TaskRequest>");
        odm_buf_done(&b);
        odm_buf_init(&b, &heap, 16);
        assert_int_equal(odm_inv_attach_doc(&a, &b), ODM_ELIMIT);
        odm_buf_done(&b);
}

int main(void)
{
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(arrows_are_as_the_table_says),
                cmocka_unit_test(what_was_never_seen_is_so_again),
                cmocka_unit_test(silences_end_when_the_table_says),
                cmocka_unit_test(a_sleeper_is_awaited_by_its_pattern),
                cmocka_unit_test(selectors_are_as_the_table_says),
                cmocka_unit_test(ability_decides_last),
                cmocka_unit_test(documents_say_what_strangers_call_themselves),
        };

        return RUN_TESTS(tests);
}
