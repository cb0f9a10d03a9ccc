// SPDX-License-Identifier: Apache-2.0
#include "tests/board/write_log.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t magic = 0x6a736677736872;
enum { VERSION = 1, SECTOR_MIN = 512, SECTOR_MAX = 65536 };
enum { FLAG_FLUSH = 1 };

static uint64_t le64(const uint8_t *p)
{
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--) {
        value = value << 8 | p[i];
    }
    return value;
}

void write_log_clear(struct write_log *log)
{
    free(log->entries);
    *log = (struct write_log){0};
}

// The entry at `*at`, which moves behind it.
static enum err parse_entry(const uint8_t *bytes, size_t len, uint64_t medium_bytes,
                            uint64_t sector_bytes, size_t *at, struct log_entry *ret,
                            struct error *e)
{
    if (len - *at < sector_bytes) {
        return fail(e, ERR_FORMAT, 0, "the log ends within it");
    }
    const uint8_t *header = bytes + *at;
    uint64_t sector = le64(header), sectors = le64(header + 8), flags = le64(header + 16);
    uint64_t left = len - *at - sector_bytes;
    if ((flags & ~(uint64_t)FLAG_FLUSH) != 0) {
        return fail(e, ERR_FORMAT, 0, "flags %#" PRIx64 ": no plain write and no flush", flags);
    }
    uint64_t medium = medium_bytes / sector_bytes;
    if (sector > medium || sectors > medium - sector) {
        return fail(e, ERR_FORMAT, 0, "it lies behind the end of the medium");
    }
    if ((flags & FLAG_FLUSH) != 0 && sectors != 0) {
        return fail(e, ERR_FORMAT, 0, "a flush that writes");
    }
    if (sectors * sector_bytes > left) {
        return fail(e, ERR_FORMAT, 0, "the log ends within its data");
    }
    *ret = (struct log_entry){.flush = (flags & FLAG_FLUSH) != 0,
                              .off_bytes = sector * sector_bytes,
                              .len_bytes = sectors * sector_bytes,
                              .data = header + sector_bytes};
    *at += (size_t)(sector_bytes + ret->len_bytes);
    return OK;
}

enum err write_log_parse(const uint8_t *bytes, size_t len, uint64_t medium_bytes,
                         struct write_log *ret, struct error *e)
{
    if (len < SECTOR_MIN || le64(bytes) != magic || le64(bytes + 8) != VERSION) {
        return fail(e, ERR_FORMAT, 0, "no log of writes, or one of another version");
    }
    uint64_t count = le64(bytes + 16), sector_bytes = le64(bytes + 24) & UINT32_MAX;
    if (sector_bytes < SECTOR_MIN || sector_bytes > SECTOR_MAX ||
        (sector_bytes & (sector_bytes - 1)) != 0) {
        return fail(e, ERR_FORMAT, 0, "sectors of %" PRIu64 " bytes", sector_bytes);
    }
    if (count > len / sector_bytes) {
        return fail(e, ERR_FORMAT, 0, "%" PRIu64 " entries do not fit into the log", count);
    }
    CLEANUP(write_log_clear) struct write_log log = {.sector_bytes = sector_bytes};
    log.entries = calloc(count > 0 ? (size_t)count : 1, sizeof *log.entries);
    if (log.entries == NULL) {
        return fail_memory(e);
    }
    size_t at = (size_t)sector_bytes;
    for (; log.count < count; log.count++) {
        enum err err =
            parse_entry(bytes, len, medium_bytes, sector_bytes, &at, &log.entries[log.count], e);
        if (err != OK) {
            return error_context(e, "entry %zu", log.count);
        }
    }
    *ret = log;
    log.entries = NULL;
    return OK;
}
