// SPDX-License-Identifier: Apache-2.0
#include "updater/sealed_record.h"

#include "base/hash.h"

#include <inttypes.h>
#include <string.h>

enum { TRAILER_LEN = 7 + 8 + 1 };

static void write_trailer(const void *line, size_t len, char ret[TRAILER_LEN + 1])
{
    snprintf(ret, TRAILER_LEN + 1, "crc32c %08" PRIx32 "\n", crc32c(line, len));
}

static bool is_whole(const uint8_t *data, size_t len)
{
    if (len < TRAILER_LEN + 1) {
        return false;
    }
    size_t line = len - TRAILER_LEN;
    char trailer[TRAILER_LEN + 1];
    write_trailer(data, line, trailer);
    return memcmp(data + line, trailer, TRAILER_LEN) == 0 && data[line - 1] == '\n';
}

enum err sealed_record_load(struct state_store *s, const char *name, size_t max, json_t **ret_root,
                            bool *ret_lost, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *data = NULL;
    size_t len = 0;
    json_t *root = NULL;
    enum err err = state_read(s, name, max, &data, &len, e);
    bool missing = err == ERR_IO && e->sys == ENOENT;
    if (err == OK && !is_whole(data, len)) {
        err = fail(e, ERR_FORMAT, 0, "%s: its checksum does not hold", name);
    }
    if (err == OK) {
        err = json_parse_canonical((const char *)data, len - TRAILER_LEN - 1, &root, e);
    }
    // A bad block under the record is damage like any other.
    bool lost = err == ERR_FORMAT || (err == ERR_IO && e->sys == EIO);
    if (err != OK && !missing && !lost) {
        return err;
    }
    *ret_root = root;
    *ret_lost = lost;
    return OK;
}

enum err sealed_record_save(struct state_store *s, const char *name, const json_t *root,
                            struct error *e)
{
    char trailer[TRAILER_LEN + 1];
    CLEANUP(cleanup_free) char *line = root == NULL ? NULL : json_canonical(root);
    if (line == NULL) {
        return fail_memory(e);
    }
    size_t len = strlen(line) + 1;
    line[len - 1] = '\n'; // in the place of the NUL
    write_trailer(line, len, trailer);
    const struct file_part parts[] = {{line, len}, {trailer, TRAILER_LEN}};
    return state_replace_parts(s, name, parts, 2, e);
}
