// SPDX-License-Identifier: Apache-2.0
// What the simulated parts of one device share: a count of every call that reaches the outside, the
// call that is made to fail, and the moments at which the power could go away.
//
// A cut is not played out as an error: whoever drives the simulation copies the media at such a
// moment (they hold what is durable and what is pending apart) and goes on from that copy later,
// with each pending piece old, new or garbage.
#ifndef TESTS_SIM_SIM_H
#define TESTS_SIM_SIM_H

#include "tests/support/test_data.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sim_seam {
    SIM_DISK,   // block devices of the slots
    SIM_ENV,    // the boot environment
    SIM_STATE,  // the state directory
    SIM_SOURCE, // where the image comes from
    SIM_MEMORY, // allocations
    SIM_SEAMS,
};

struct sim {
    int step;                  // of the order of operations, 1 to 12; 13: an offer; 0: none of them
    uint64_t calls[SIM_SEAMS]; // since sim_reset()
    // The call with this number (from 1) of this seam fails; 0: none.
    enum sim_seam fail_seam;
    uint64_t fail_at;
    int fail_sys;    // with this errno
    bool fail_short; // a write fails having done a part of its work
    bool failed;     // it was reached, in step `failed_step`
    int failed_step;
    bool misstored; // it was a write that said OK and stored a wrong byte
    bool idle;      // it was reached, and there was nothing that could go wrong
    // Of disks that lie, see sim_disk.h: syncs so far, and where the cut falls among them.
    uint32_t epoch, cut_epoch;
    // A moment at which the power could go away; `changed`: what is pending has just changed.
    // NULL: nobody wants to know.
    void (*on_moment)(struct sim *s, bool changed);
    void *context; // of on_moment
};

// At the beginning of every call. Returns 0, or the errno with which the call has to fail.
int sim_call(struct sim *s, enum sim_seam seam);
// The call that was to fail in this way had nothing to do it with.
void sim_idle(struct sim *s);
// After a call has changed what is durable or pending.
void sim_changed(struct sim *s);
// Counts from zero, no failure ordered; all else stays.
void sim_reset(struct sim *s);

// --- what may become of pending pieces at a cut -------------------------------------------------
// A part with pending pieces (a disk, the state directory) lists how many fates each has: 0 is
// always "old", the highest but one "new" (all that was asked for happened), the highest "garbage",
// those between are earlier versions. A piece that cannot be torn has no garbage; then the highest
// is "new". A cut gives one fate per piece.
enum { SIM_PIECES_MAX = 512 };

struct sim_piece {
    uint8_t fates;  // 2..255
    uint8_t newest; // the fate in which all that was asked for happened
};

// Deterministic bytes; equal seeds give equal bytes.
void sim_garbage(void *buf, size_t len, uint64_t seed);

#endif
