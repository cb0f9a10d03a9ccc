// SPDX-License-Identifier: Apache-2.0
// Content spelled out: each letter of a text is a chunk of its own noise, '0' one of zeros. For
// tests of what is where, on a bench (install_bench.h).
#ifndef TESTS_SUPPORT_BENCH_LETTERS_H
#define TESTS_SUPPORT_BENCH_LETTERS_H

#include "tests/support/install_bench.h"

enum { LETTER = 8192, ROOTFS_LETTERS = 16, BOOT_LETTERS = 4 };

struct bench *letters_bench(void);
// The image of release `index`: a raw chunk a letter, by the rule "fixed:8192". `boot` NULL: no
// such partition.
void letters_serve(struct bench *b, uint64_t index, const char *rootfs, const char *boot);
// A slot becomes the text, from the beginning of its partitions; what stood behind it stays.
void letters_put(struct bench *b, int slot, const char *rootfs, const char *boot);
// A slot gets the record of such an image, whatever it holds.
void letters_record(struct bench *b, int slot, const char *rootfs, const char *boot);
// Fails the test unless the slot is that.
void letters_expect(const struct bench *b, int slot, const char *rootfs, const char *boot);

#endif
