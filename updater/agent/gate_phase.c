// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/gate_phase.h"

#include <stdio.h>
#include <string.h>

static const char *const names[GATE_PHASES] = {
    [GATE_DOWNLOAD] = "download",
    [GATE_INSTALL] = "install",
    [GATE_REBOOT] = "reboot",
};

const char *gate_phase_name(enum gate_phase phase)
{
    return names[phase];
}

// 0: no phase is called so.
static unsigned bit_of(const char *name, size_t len)
{
    for (unsigned i = 0; i < GATE_PHASES; i++) {
        if (strlen(names[i]) == len && memcmp(names[i], name, len) == 0) {
            return 1U << i;
        }
    }
    return 0;
}

bool gate_phases_parse(const char *text, unsigned *ret)
{
    unsigned phases = 0;
    if (strcmp(text, "all") == 0) {
        *ret = GATE_ALL_PHASES;
        return true;
    }
    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, ", ");
        unsigned bit = bit_of(text, len);
        if (bit == 0 || (phases & bit) != 0) {
            return false;
        }
        phases |= bit;
        text += len + strspn(text + len, " ");
        if (*text == '\0') {
            *ret = phases;
            return true;
        }
        if (*text++ != ',') {
            return false;
        }
    }
}

const char *gate_phases_text(unsigned phases, char *buf, size_t size)
{
    size_t used = 0;
    buf[0] = '\0';
    if (phases == GATE_ALL_PHASES) {
        snprintf(buf, size, "all");
        return buf;
    }
    for (unsigned i = 0; i < GATE_PHASES; i++) {
        if ((phases & 1U << i) != 0 && used < size) {
            used +=
                (size_t)snprintf(buf + used, size - used, "%s%s", used > 0 ? ", " : "", names[i]);
        }
    }
    return buf;
}
