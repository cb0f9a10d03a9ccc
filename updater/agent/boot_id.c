// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/boot_id.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <stdlib.h>

static const char boot_id_file[] = "/proc/sys/kernel/random/boot_id";

enum err boot_id_read(char ret[BOOT_ID_SIZE], struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    size_t len = 0;
    enum err err = file_read(boot_id_file, BOOT_ID_SIZE, &text, &len, e);
    if (err != OK) {
        return err;
    }
    if (len != BOOT_ID_SIZE || text[len - 1] != '\n') {
        return fail(e, ERR_IO, 0, "%s: is no boot id", boot_id_file);
    }
    text[len - 1] = '\0';
    snprintf(ret, BOOT_ID_SIZE, "%s", (const char *)text);
    return OK;
}
