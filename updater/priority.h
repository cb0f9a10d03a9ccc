// SPDX-License-Identifier: Apache-2.0
// How far an install stands back behind what else runs on the device: for the CPU and for the disk.
//
// Invariants
// 1. What is not configured is left as whoever started the program has it.
// 2. It is a courtesy: what cannot be set is a warning, and the install goes on.
#ifndef UPDATER_PRIORITY_H
#define UPDATER_PRIORITY_H

#include "base/log.h"

#include <stdbool.h>

enum io_class { IO_CLASS_UNCHANGED = 0, IO_CLASS_BEST_EFFORT = 2, IO_CLASS_IDLE = 3 };

enum { IO_LEVEL_DEFAULT = 4, IO_LEVEL_MAX = 7 };

struct io_priority {
    enum io_class class;
    unsigned level; // of best-effort: 0 is served first, IO_LEVEL_MAX last
};

// Of the calling thread, and of the threads and programs that it starts from now on. `nice` 0:
// unchanged.
void priority_set(unsigned nice, struct io_priority io, struct log *log);

#endif
