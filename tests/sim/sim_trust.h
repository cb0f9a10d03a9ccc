// SPDX-License-Identifier: Apache-2.0
// Signatures that were checked once are not checked again: a memo in front of record_verify()
// (keys/record.h), which is pure and costs more than all else of opening an image. A program that
// uses it is linked with -Wl,@tests/sim/wraps_trust.txt.
//
// Invariants
// 1. The key is the SHA-256 of everything record_verify() looks at: certificates of the anchors in
//    their order, time floor, message, type and bytes of the record. Each part begins with its
//    length.
// 2. OK with its signer and ERR_TRUST with its sentence are remembered. Any other outcome is one of
//    the moment (memory, OpenSSL) and is asked for again.
// 3. The memo allocates from libcrypto's heap: sim_memory.h neither counts nor fails it.
//
// One thread. What is remembered is kept until sim_trust_clear().
#ifndef TESTS_SIM_SIM_TRUST_H
#define TESTS_SIM_SIM_TRUST_H

#include <stdint.h>

struct sim_trust_counts {
    uint64_t asked;    // calls of record_verify()
    uint64_t verified; // of these, done by the real one
};

// Since the start or the last sim_trust_clear().
struct sim_trust_counts sim_trust_counts(void);

// Forgets everything and frees it.
void sim_trust_clear(void);

#endif
