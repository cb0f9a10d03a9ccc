// SPDX-License-Identifier: Apache-2.0
#include "updater/fingerprints.h"

struct kept {
    uint32_t number; // index of the chunk and 1; 0: none
    struct fingerprint print;
};

struct fingerprints {
    uint32_t room;
    struct kept kept[]; // that of chunk `index` at index % room
};

enum err fingerprints_new(uint32_t count, struct fingerprints **ret, struct error *e)
{
    uint32_t room = count < FINGERPRINTS_KEPT ? count : FINGERPRINTS_KEPT;
    struct fingerprints *f = calloc(1, sizeof *f + room * sizeof f->kept[0]);
    if (f == NULL) {
        return fail_memory(e);
    }
    f->room = room;
    *ret = f;
    return OK;
}

void fingerprints_free(struct fingerprints *f)
{
    free(f);
}

void fingerprints_clear(struct fingerprints *f)
{
    for (uint32_t i = 0; i < f->room; i++) {
        f->kept[i].number = 0;
    }
}

void fingerprints_keep(struct fingerprints *f, uint32_t index, const struct fingerprint *print)
{
    f->kept[index % f->room] = (struct kept){index + 1, *print};
}

bool fingerprints_find(const struct fingerprints *f, uint32_t index, struct fingerprint *ret)
{
    const struct kept *k = &f->kept[index % f->room];
    if (k->number != index + 1) {
        return false;
    }
    *ret = k->print;
    return true;
}
