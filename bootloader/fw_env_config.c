// SPDX-License-Identifier: Apache-2.0
#include "bootloader/fw_env_config.h"

#include "base/cleanup.h"
#include "base/file.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/major.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

enum { FILE_SIZE_MAX = 64 * 1024, FIELDS_NEEDED = 3, FIELDS_MAX = 5 };

#define BLANKS " \t\r"

// As strtoll with base 0 and sscanf's %lli.
static bool parse_offset(const char *text, int64_t *ret)
{
    char *end;
    errno = 0;
    long long value = strtoll(text, &end, 0);
    if (errno != 0 || end == text || *end != '\0') {
        return false;
    }
    *ret = value;
    return true;
}

// As sscanf's %zx, but whole or not at all and without a sign.
static bool parse_hex(const char *text, size_t *ret)
{
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 16);
    if (errno != 0 || end == text || *end != '\0' || *text == '-' || *text == '+' ||
        value > SIZE_MAX) {
        return false;
    }
    *ret = (size_t)value;
    return true;
}

// Cuts a line at its blanks; what follows a field that begins with `#` is a comment. Returns the
// number of fields, one more than FIELDS_MAX when there are too many.
static size_t split_fields(char *line, char *fields[FIELDS_MAX])
{
    char *rest = line;
    size_t count = 0;
    for (;;) {
        char *field = strtok_r(NULL, BLANKS, &rest);
        if (field == NULL || *field == '#') {
            return count;
        }
        if (count == FIELDS_MAX) {
            return FIELDS_MAX + 1;
        }
        fields[count++] = field;
    }
}

static enum err check_size(size_t size, const char *text, struct error *e)
{
    if (size == 0 || size % FW_ENV_SECTOR != 0 || size > FW_ENV_SIZE_MAX) {
        return fail(e, ERR_CONFIG, 0,
                    "the environment size %s must be a multiple of 512 and at most 1 MiB; "
                    "it is read as hexadecimal, with or without 0x",
                    text);
    }
    return OK;
}

static enum err parse_copy(char *fields[FIELDS_MAX], size_t count, struct fw_env_copy *ret,
                           size_t *ret_size, struct error *e)
{
    if (count < FIELDS_NEEDED || count > FIELDS_MAX) {
        return fail(e, ERR_CONFIG, 0,
                    "a copy of the environment needs a path, an offset and a size, "
                    "and for raw flash at most two more numbers");
    }
    struct fw_env_copy copy = {0};
    if (strlen(fields[0]) >= sizeof copy.path) {
        return fail(e, ERR_CONFIG, 0, "the path is longer than %zu bytes", sizeof copy.path - 1);
    }
    memcpy(copy.path, fields[0], strlen(fields[0]));
    if (!parse_offset(fields[1], &copy.off_bytes)) {
        return fail(e, ERR_CONFIG, 0, "the offset %s is no number", fields[1]);
    }
    if (copy.off_bytes % FW_ENV_SECTOR != 0) {
        return fail(e, ERR_CONFIG, 0, "the offset %s must be a multiple of 512", fields[1]);
    }
    size_t size;
    if (!parse_hex(fields[2], &size)) {
        return fail(e, ERR_CONFIG, 0, "the environment size %s is no hexadecimal number",
                    fields[2]);
    }
    for (size_t i = FIELDS_NEEDED; i < count; i++) {
        size_t ignored;
        if (!parse_hex(fields[i], &ignored)) {
            return fail(e, ERR_CONFIG, 0, "%s is no hexadecimal number", fields[i]);
        }
    }
    enum err r = check_size(size, fields[2], e);
    if (r != OK) {
        return r;
    }
    *ret = copy;
    *ret_size = size;
    return OK;
}

// One line that is not empty becomes copy number `count`.
static enum err add_copy(struct fw_env_config *config, size_t count, char *fields[FIELDS_MAX],
                         size_t field_count, struct error *e)
{
    if (count == FW_ENV_COPIES) {
        return fail(e, ERR_CONFIG, 0, "a third copy of the environment; U-Boot knows two");
    }
    size_t size = 0;
    enum err r = parse_copy(fields, field_count, &config->copies[count], &size, e);
    if (r != OK) {
        return r;
    }
    if (count > 0 && size != config->size_bytes) {
        return fail(e, ERR_CONFIG, 0, "both copies must have one size, here 0x%zx and 0x%zx",
                    config->size_bytes, size);
    }
    config->size_bytes = size;
    return OK;
}

enum err fw_env_config_parse(const char *file, const char *text, struct fw_env_config *ret,
                             struct error *e)
{
    CLEANUP(cleanup_free) char *copy = strdup(text);
    if (copy == NULL) {
        return fail_memory(e);
    }
    struct fw_env_config config = {0};
    size_t count = 0;
    unsigned number = 0;
    char *rest = copy;
    for (char *line = strsep(&rest, "\n"); line != NULL; line = strsep(&rest, "\n")) {
        number++;
        char *fields[FIELDS_MAX];
        size_t field_count = split_fields(line, fields);
        if (field_count == 0) {
            continue;
        }
        if (add_copy(&config, count, fields, field_count, e) != OK) {
            return error_context(e, "%s:%u", file, number);
        }
        count++;
    }
    if (count != FW_ENV_COPIES) {
        return fail(e, ERR_CONFIG, 0,
                    "%s: two copies of the environment are needed, here %zu: with one, "
                    "a power cut during a store loses it",
                    file, count);
    }
    *ret = config;
    return OK;
}

// Which medium a path leads to: a device number for block devices, device and inode for files.
struct place {
    bool block;
    dev_t device;
    ino_t inode;
};

static enum err resolve_path(struct fw_env_copy *copy, struct stat *ret_stat, struct error *e)
{
    CLEANUP(cleanup_free) char *path = realpath(copy->path, NULL);
    if (path == NULL || stat(path, ret_stat) != 0) {
        return fail(e, ERR_CONFIG, errno, "%s", copy->path);
    }
    if (strlen(path) >= sizeof copy->path) {
        return fail(e, ERR_CONFIG, 0, "%s leads to a path longer than %zu bytes", copy->path,
                    sizeof copy->path - 1);
    }
    memcpy(copy->path, path, strlen(path) + 1);
    // libubootenv takes /dev/mtdblock0 for raw flash by its name, and its store then does nothing.
    bool block = S_ISBLK(ret_stat->st_mode) && major(ret_stat->st_rdev) != MTD_BLOCK_MAJOR;
    if (!block && !S_ISREG(ret_stat->st_mode)) {
        return fail(e, ERR_CONFIG, 0,
                    "%s is neither a block device nor a regular file; "
                    "an environment on raw flash is not supported",
                    path);
    }
    return OK;
}

// An offset below 0 counts from the end, on a block device only.
static enum err resolve_offset(struct fw_env_copy *copy, bool block, size_t size, struct error *e)
{
    if (copy->off_bytes < 0) {
        if (!block) {
            return fail(e, ERR_CONFIG, 0,
                        "%s: an offset below 0 counts from the end of a block device, "
                        "and this is a file",
                        copy->path);
        }
        CLEANUP(cleanup_close) int fd = open(copy->path, O_RDONLY | O_CLOEXEC);
        uint64_t device_bytes;
        if (fd < 0 || ioctl(fd, BLKGETSIZE64, &device_bytes) != 0) {
            return fail(e, ERR_CONFIG, errno, "%s: its size cannot be read", copy->path);
        }
        if (device_bytes > INT64_MAX || copy->off_bytes < -(int64_t)device_bytes) {
            return fail(e, ERR_CONFIG, 0, "%s: the offset lies before the device", copy->path);
        }
        copy->off_bytes += (int64_t)device_bytes;
    }
    if (copy->off_bytes > INT64_MAX - (int64_t)size) {
        return fail(e, ERR_CONFIG, 0, "%s: the offset is too large", copy->path);
    }
    return OK;
}

static bool same_place(const struct place *a, const struct place *b)
{
    return a->block == b->block && a->device == b->device && a->inode == b->inode;
}

enum err fw_env_config_locate(const char *file, struct fw_env_config *config, struct error *e)
{
    struct place places[FW_ENV_COPIES];
    struct fw_env_config located = *config;
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        struct fw_env_copy *copy = &located.copies[i];
        struct stat status = {0};
        if (resolve_path(copy, &status, e) != OK ||
            resolve_offset(copy, S_ISBLK(status.st_mode), located.size_bytes, e) != OK) {
            return error_context(e, "%s", file);
        }
        places[i] = S_ISBLK(status.st_mode)
                        ? (struct place){.block = true, .device = status.st_rdev}
                        : (struct place){.device = status.st_dev, .inode = status.st_ino};
    }
    int64_t first = located.copies[0].off_bytes;
    int64_t second = located.copies[1].off_bytes;
    int64_t size = (int64_t)located.size_bytes;
    if (same_place(&places[0], &places[1]) && first < second + size && second < first + size) {
        return fail(e, ERR_CONFIG, 0,
                    "%s: the two copies of the environment overlap: 0x%" PRIx64 " and 0x%" PRIx64
                    ", each 0x%zx long",
                    file, (uint64_t)first, (uint64_t)second, located.size_bytes);
    }
    *config = located;
    return OK;
}

enum err fw_env_config_read(const char *file, struct fw_env_config *ret, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    size_t len;
    enum err r = file_read(file, FILE_SIZE_MAX, &text, &len, e);
    if (r != OK) {
        // The path comes from the configuration: a missing file is a mistake there.
        e->code = ERR_CONFIG;
        return ERR_CONFIG;
    }
    if (memchr(text, '\0', len) != NULL) {
        return fail(e, ERR_CONFIG, 0, "%s: a zero byte; this is no text", file);
    }
    struct fw_env_config config;
    r = fw_env_config_parse(file, (const char *)text, &config, e);
    if (r == OK) {
        r = fw_env_config_locate(file, &config, e);
    }
    if (r == OK) {
        *ret = config;
    }
    return r;
}
