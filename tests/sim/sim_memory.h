// SPDX-License-Identifier: Apache-2.0
// The n-th allocation fails: of all that is linked from objects and archives of this project, and
// of jansson. A program that uses it is linked with -Wl,@tests/sim/wraps_memory.txt.
//
// Covered is every call that hands over memory to be freed: malloc and its kin, strdup, strndup,
// asprintf, open_memstream, realpath and scandir, under the names that fortified objects use too.
// Not covered: what a shared library allocates for itself (libcrypto, libcurl, libubootenv, zlib,
// zstd), and what the C library does inside a call, e.g. when the text behind an open_memstream
// grows.
//
// Invariants
// 1. Not armed, a call goes to the C library and is not counted.
// 2. A call that fails leaves ENOMEM and nothing else behind; the pointer of asprintf, which nobody
//    may look at then, is one that cannot be freed.
#ifndef TESTS_SIM_SIM_MEMORY_H
#define TESTS_SIM_SIM_MEMORY_H

#include "tests/sim/sim.h"

// From now on each allocation asks sim_call(sim, SIM_MEMORY) first. NULL: as sim_memory_disarm().
void sim_memory_arm(struct sim *sim);
// Returns what was armed, or NULL: code that must not fail in between disarms and arms again.
struct sim *sim_memory_disarm(void);

// Neither counted nor failing, armed or not; ends with free(). NULL when memory is really out.
void *sim_memory_real_alloc(size_t len);

// Once, at the start: what is freed stays with the process, so that buffers of some MiB do not come
// from the kernel anew, page by page, in each of many runs. Without effect under a sanitizer.
void sim_memory_keep(void);

#endif
