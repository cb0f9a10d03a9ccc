// SPDX-License-Identifier: Apache-2.0
// How many bytes may come over the network for one release, and how many did. One budget serves all
// sources of an install, from whatever threads they are read.
//
// Invariants
// 1. Every body byte that came in is counted once, those that are dropped included.
// 2. With the budget used up, no source asks for another byte or takes one: what can come in beyond
//    it is what the sources beside this one had in flight.
// 3. NULL stands for a budget without a limit that nobody reads.
#ifndef UPDATER_BYTE_BUDGET_H
#define UPDATER_BYTE_BUDGET_H

#include "base/error.h"

#include <stdint.h>

struct byte_budget {
    uint64_t limit_bytes;        // 0: none
    _Atomic uint64_t used_bytes; // of all starts of the install
};

void byte_budget_count(struct byte_budget *b, uint64_t bytes);
uint64_t byte_budget_used(const struct byte_budget *b);

// UINT64_MAX without a limit.
uint64_t byte_budget_left(const struct byte_budget *b);

// ERR_NOT_NOW, with what can be done about it, when less than `bytes` are left.
MUST_CHECK enum err byte_budget_check(const struct byte_budget *b, uint64_t bytes, struct error *e);

#endif
