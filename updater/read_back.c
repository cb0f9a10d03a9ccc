// SPDX-License-Identifier: Apache-2.0
#include "updater/read_back.h"

#include "updater/plan.h"

#include <inttypes.h>

static enum err fail_bad(const struct scan *scan, const struct chunk_set *differs, struct error *e)
{
    uint32_t index = 0;
    while (!chunk_set_has(differs, index)) {
        index++;
    }
    uint64_t off;
    struct chunk c = chunk_table_get(scan->table, index, &off);
    const struct slot_partition *p = &scan->slot->partitions[slot_find(scan->slot, index)];
    return fail(e, ERR_IO, 0,
                "slot %s, partition %s, offset %" PRIu64 ": %" PRIu32
                " bytes do not read back as they were written, after %d more tries; the medium "
                "may be worn out",
                scan->slot->name, p->info->name, off, c.raw_len, READ_BACK_ROUNDS);
}

enum err read_back(const struct scan *scan, struct fill *fill, struct chunk_set *differs,
                   struct error *e)
{
    for (int round = 0;; round++) {
        enum err err = scan_slot(scan, differs, NULL, e);
        if (err != OK || chunk_set_size(differs) == 0) {
            return err;
        }
        if (round == READ_BACK_ROUNDS) {
            return fail_bad(scan, differs, e);
        }
        progress_begin(scan->progress, "download",
                       plan_fetch_bytes(differs, fill->seeds, fill->deltas, scan->table));
        err = fill_chunks(fill, differs, e);
        progress_end(scan->progress);
        if (err != OK) {
            return err;
        }
    }
}
