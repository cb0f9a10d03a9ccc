// SPDX-License-Identifier: Apache-2.0
// The log of a recorded update, cut up: into writes as small as a cut can tear them, and into
// windows between two flushes. Of a window's writes any may be on the medium after a cut, whatever
// became of the others; what stands before the window's first flush is there.
//
// Torn apart at sectors: writes to the environment, the heads of slots and the data partition. At
// 4096 bytes, as a slot's content is compared: the rest.
#ifndef TESTS_BOARD_CUT_LOG_H
#define TESTS_BOARD_CUT_LOG_H

#include "tests/board/card_check.h"
#include "tests/board/write_log.h"

enum { STEPS_KNOWN = 12 };

struct cut_write {
    uint64_t off;
    const uint8_t *data;
    uint32_t len;
    uint32_t entry; // of the log
    int step;       // the numbered step of docs/crash-safety.md that it is part of
};

struct cut_window {
    size_t first, end; // writes
    int step;          // the last one that has a write in it
};

struct cut_log {
    size_t entries, flushes;
    struct cut_write *writes;
    size_t count, room;
    struct cut_window *windows; // those with writes
    size_t window_count;
    size_t journal_from; // of this window and those behind it no cut takes the journal away
};

// From FOLDER/log.img; the mapping stays for the life of the process.
MUST_CHECK enum err cut_log_load(const char *folder, const struct card *card, struct cut_log *ret,
                                 struct error *e);
void cut_log_clear(struct cut_log *log);

// Goes through the whole recording once: finds the step of each write, tells the checker what each
// store of the environment has left, and leaves the card as it was in the beginning. Checks I7.
MUST_CHECK enum err cut_log_survey(struct cut_log *log, struct card_check *check, struct error *e);

#endif
