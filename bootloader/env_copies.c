// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_copies.h"

#include "bootloader/env_image.h"

#include <fcntl.h>
#include <string.h>

void env_copies_clear(struct env_copies *copies)
{
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        free(copies->copies[i].image);
    }
    *copies = (struct env_copies){.current = -1};
}

// The whole of one copy, or a sentence why not.
static bool read_image(const struct fw_env_copy *copy, uint8_t *image, size_t size, char *why,
                       size_t why_size)
{
    CLEANUP(cleanup_close) int fd = open(copy->path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        snprintf(why, why_size, "%.100s", strerror(errno));
        return false;
    }
    // What was written and synced is dropped from the page cache: the bytes come from the medium.
    // It is advice: where the kernel cannot follow it, the cached bytes are what there is.
    posix_fadvise(fd, copy->off_bytes, (off_t)size, POSIX_FADV_DONTNEED);
    size_t done = 0;
    while (done < size) {
        ssize_t n = pread(fd, image + done, size - done, copy->off_bytes + (off_t)done);
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            snprintf(why, why_size, "%.100s", strerror(errno));
            return false;
        }
        if (n == 0) {
            snprintf(why, why_size, "it ends after %zu of %zu bytes", done, size);
            return false;
        }
        done += (size_t)n;
    }
    return true;
}

static int choose_current(const struct env_copies *copies)
{
    if (copies->copies[0].whole && copies->copies[1].whole) {
        return env_image_newer(copies->copies[0].image, copies->copies[1].image);
    }
    if (copies->copies[0].whole) {
        return 0;
    }
    return copies->copies[1].whole ? 1 : -1;
}

enum err env_copies_read(const struct fw_env_config *config, struct env_copies *ret,
                         struct error *e)
{
    CLEANUP(env_copies_clear)
    struct env_copies copies = {.size_bytes = config->size_bytes, .current = -1};
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        CLEANUP(cleanup_free) uint8_t *image = malloc(config->size_bytes);
        if (image == NULL) {
            return fail_memory(e);
        }
        if (!read_image(&config->copies[i], image, config->size_bytes, copies.copies[i].why,
                        sizeof copies.copies[i].why)) {
            continue;
        }
        copies.copies[i].whole = env_image_is_whole(image, config->size_bytes);
        copies.copies[i].image = TAKE_PTR(image);
    }
    copies.current = choose_current(&copies);
    *ret = copies;
    copies = (struct env_copies){0};
    return OK;
}

int env_copies_unreadable(const struct env_copies *copies)
{
    for (int i = 0; i < FW_ENV_COPIES; i++) {
        if (copies->copies[i].image == NULL) {
            return i;
        }
    }
    return -1;
}

bool env_copies_equal(const struct env_copies *a, const struct env_copies *b)
{
    if (a->size_bytes != b->size_bytes) {
        return false;
    }
    for (size_t i = 0; i < FW_ENV_COPIES; i++) {
        const uint8_t *image_a = a->copies[i].image;
        const uint8_t *image_b = b->copies[i].image;
        if (image_a == NULL || image_b == NULL || memcmp(image_a, image_b, a->size_bytes) != 0) {
            return false;
        }
    }
    return true;
}

enum err env_copies_parse(const struct env_copies *copies, struct env_vars *ret, struct error *e)
{
    if (copies->current < 0) {
        int unreadable = env_copies_unreadable(copies);
        if (unreadable >= 0) {
            return fail(e, ERR_IO, 0,
                        "both copies of the boot environment are damaged, copy %d unreadable "
                        "(%s); nothing was written",
                        unreadable + 1, copies->copies[unreadable].why);
        }
        return fail(e, ERR_IO, 0,
                    "both copies of the boot environment are damaged; nothing was written "
                    "(a size other than U-Boot's CONFIG_ENV_SIZE looks the same)");
    }
    if (env_image_parse(copies->copies[copies->current].image, copies->size_bytes, ret, e) != OK) {
        e->code = ERR_IO;
        return ERR_IO;
    }
    return OK;
}

enum err env_copies_say(const struct env_copies *copies, const struct env_vars *found,
                        const struct env_vars *meant, bool both, bool *ret, struct error *e)
{
    CLEANUP(env_vars_clear) struct env_vars vars = {0};
    int other = FW_ENV_COPIES - 1 - copies->current;
    bool same = env_vars_difference(found, meant) == NULL;
    if (same && both) {
        same = copies->copies[other].whole;
    }
    if (same && both) {
        enum err r = env_image_parse(copies->copies[other].image, copies->size_bytes, &vars, e);
        if (r != OK && r != ERR_FORMAT) {
            return r;
        }
        // What has no variables, its CRC right or not, is overwritten like what is damaged.
        same = r == OK && env_vars_difference(&vars, meant) == NULL;
    }
    *ret = same;
    return OK;
}
