// SPDX-License-Identifier: Apache-2.0
// A state store in memory: counts, traces, fails to order.
#ifndef TESTS_SUPPORT_STATE_MEM_H
#define TESTS_SUPPORT_STATE_MEM_H

#include "tests/support/seam_sim.h"
#include "updater/state_dir.h"

enum { STATE_MEM_RECORDS_MAX = 8 };

struct state_mem {
    struct state_store base;
    struct seam_sim *seam;
    unsigned replaced;
    bool read_only;
    size_t room;    // a record larger than this does not fit any more; 0: any does
    bool cut_after; // the power goes away after a record was replaced, not before
    struct {
        char name[32];
        uint8_t *data;
        size_t len;
    } records[STATE_MEM_RECORDS_MAX];
};

void state_mem_init(struct state_mem *s, struct seam_sim *seam);
void state_mem_free(struct state_mem *s);
bool state_mem_has(const struct state_mem *s, const char *name);
// As if it had never been stored.
void state_mem_forget(struct state_mem *s, const char *name);
// Flips a bit in the middle.
void state_mem_spoil(struct state_mem *s, const char *name);

#endif
