/* SPDX-License-Identifier: Apache-2.0 */
#include "alarm.h"

#include <assert.h>

const char *const alarm_severities[] = {"cleared", "indeterminate", "warning", "minor",
                                        "major",   "critical",      NULL};

const char *const alarm_types[] = {"communicationsAlarm",  "qualityOfServiceAlarm",
                                   "processingErrorAlarm", "equipmentAlarm",
                                   "environmentalAlarm",   NULL};

/* X.733 8.1.2.1, spelt as in X.721. */
static const char *const probable[] = {
        "adapterError",
        "applicationSubsystemFailure",
        "bandwidthReduced",
        "callEstablishmentError",
        "communicationsProtocolError",
        "communicationsSubsystemFailure",
        "configurationOrCustomizationError",
        "congestion",
        "corruptData",
        "cpuCyclesLimitExceeded",
        "dataSetOrModemError",
        "degradedSignal",
        "dTE-DCEInterfaceError",
        "enclosureDoorOpen",
        "equipmentMalfunction",
        "excessiveVibration",
        "fileError",
        "fireDetected",
        "floodDetected",
        "framingError",
        "heatingOrVentilationOrCoolingSystemProblem",
        "humidityUnacceptable",
        "inputOutputDeviceError",
        "inputDeviceError",
        "lANError",
        "leakDetected",
        "localNodeTransmissionError",
        "lossOfFrame",
        "lossOfSignal",
        "materialSupplyExhausted",
        "multiplexerProblem",
        "outOfMemory",
        "ouputDeviceError", /* so it stands in X.721 */
        "performanceDegraded",
        "powerProblem",
        "pressureUnacceptable",
        "processorProblem",
        "pumpFailure",
        "queueSizeExceeded",
        "receiveFailure",
        "receiverFailure",
        "remoteNodeTransmissionError",
        "resourceAtOrNearingCapacity",
        "responseTimeExcessive",
        "retransmissionRateExcessive",
        "softwareError",
        "softwareProgramAbnormallyTerminated",
        "softwareProgramError",
        "storageCapacityProblem",
        "temperatureUnacceptable",
        "thresholdCrossed",
        "timingProblem",
        "toxicLeakDetected",
        "transmitFailure",
        "transmitterFailure",
        "underlyingResourceUnavailable",
        "versionMismatch",
};

bool alarm_severity_parse(odm_str s, alarm_severity *out)
{
        for (unsigned i = 0; i < ALARM_SEVERITIES; i++)
                if (odm_str_ieq(s, alarm_severities[i])) {
                        *out = (alarm_severity)i;
                        return true;
                }
        return false;
}

bool alarm_type_parse(odm_str s, alarm_type *out)
{
        for (unsigned i = 0; i < ALARM_TYPES; i++)
                if (odm_str_is(s, alarm_types[i])) {
                        *out = (alarm_type)i;
                        return true;
                }
        return false;
}

bool alarm_probable_known(odm_str s)
{
        for (size_t i = 0; i < ODM_COUNT(probable); i++)
                if (odm_str_is(s, probable[i]))
                        return true;
        return false;
}

const char *alarm_step_word(alarm_step s)
{
        switch (s) {
        case ALARM_NOTHING: return NULL;
        case ALARM_RAISED: return "raised";
        case ALARM_REPEATED: return "repeated";
        case ALARM_CHANGED: return "changed";
        case ALARM_CLEARED: return "cleared";
        case ALARM_ACKNOWLEDGED: return "acknowledged";
        case ALARM_COMMENTED: return "commented";
        }
        return NULL;
}

/* ---- what is heard ---------------------------------------------------------------------- */

static alarm_step begin(alarm_state *s, const alarm_news *n)
{
        *s = (alarm_state){.known = true,
                           .active = true,
                           .hidden = n->covered,
                           .severity = n->severity,
                           .count = 1,
                           .text = n->text.p ? n->text : ODM_STR("")};
        return ALARM_RAISED;
}

/* It stands already.  One that is hidden stays so until its gateway is back. */
static alarm_step again(alarm_state *s, const alarm_news *n)
{
        bool text = n->text.n && !odm_str_eq(n->text, s->text),
             severity = n->severity != s->severity;

        if (s->count < UINT32_MAX)
                s->count++;
        if (text)
                s->text = n->text;
        s->severity = n->severity;
        return text || severity ? ALARM_CHANGED : ALARM_REPEATED;
}

static alarm_step end(alarm_state *s, const alarm_news *n)
{
        if (!s->active)
                return ALARM_NOTHING;
        s->active = s->hidden = false;
        if (n->text.n)
                s->text = n->text;
        return ALARM_CLEARED;
}

alarm_step alarm_hear(alarm_state *s, const alarm_news *n)
{
        if (n->clear)
                return end(s, n);
        assert(n->severity > ALARM_NONE && n->severity <= ALARM_CRITICAL);
        return s->active ? again(s, n) : begin(s, n);
}

/* ---- what people do ----------------------------------------------------------------------- */

alarm_step alarm_acknowledge(alarm_state *s, bool acked)
{
        if (!s->known || s->acked == acked)
                return ALARM_NOTHING;
        s->acked = acked;
        return ALARM_ACKNOWLEDGED;
}

alarm_step alarm_judge(alarm_state *s, alarm_severity severity)
{
        if (!s->active || s->severity == severity || severity == ALARM_NONE)
                return ALARM_NOTHING;
        s->severity = severity;
        return ALARM_CHANGED;
}

/* ---- gateways ------------------------------------------------------------------------------- */

alarm_step alarm_cover(alarm_state *s, bool covered)
{
        if (!s->active || s->hidden == covered)
                return ALARM_NOTHING;
        s->hidden = covered;
        return covered ? ALARM_CHANGED : ALARM_RAISED;
}

bool alarm_follows(odm_str cause, bool gateway_lost)
{
        return gateway_lost && odm_str_is(cause, ALARM_UNREACHABLE);
}
