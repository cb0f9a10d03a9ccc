// SPDX-License-Identifier: Apache-2.0
#include "tests/support/test_data.h"

#include <string.h>

// splitmix64, public domain (Sebastiano Vigna).
uint64_t next_random(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

void fill_random(void *data, size_t len, uint64_t seed)
{
    uint8_t *bytes = data;
    uint64_t state = seed;
    for (size_t i = 0; i < len; i += 8) {
        uint64_t word = next_random(&state);
        for (size_t k = 0; k < 8 && i + k < len; k++) {
            bytes[i + k] = (uint8_t)(word >> (8 * k));
        }
    }
}

void fill_text(void *data, size_t len, uint64_t seed)
{
    static const char *const words[] = {"chunk ", "image ",  "slot ",   "trial ",
                                        "boot ",  "update ", "device ", "fleet "};
    uint8_t *bytes = data;
    uint64_t state = seed;
    size_t pos = 0;
    while (pos < len) {
        const char *word = words[next_random(&state) % 8];
        size_t n = strlen(word) < len - pos ? strlen(word) : len - pos;
        memcpy(bytes + pos, word, n);
        pos += n;
    }
}
