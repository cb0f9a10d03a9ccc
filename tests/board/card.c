// SPDX-License-Identifier: Apache-2.0
#include "tests/board/card.h"

#include "base/cleanup.h"
#include "tests/support/image_builder.h"
#include "updater/heads.h"

#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { WORD_SIZE = 512, EXT4_MAGIC_OFF = 1024 + 56 };

enum err map_file(const char *path, int prot, uint8_t **ret, uint64_t *ret_len, struct error *e)
{
    CLEANUP(cleanup_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) != 0) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    void *bytes = mmap(NULL, (size_t)st.st_size, prot, MAP_PRIVATE, fd, 0);
    if (bytes == MAP_FAILED) {
        return fail(e, ERR_IO, errno, "%s: it cannot be mapped", path);
    }
    *ret = bytes;
    *ret_len = (uint64_t)st.st_size;
    return OK;
}

// --- releases ------------------------------------------------------------------------------------

static enum err load_release(struct card_release *r, const char *content, const char *image,
                             struct error *e)
{
    uint8_t *bytes;
    uint64_t len;
    CLEANUP(cleanup_hasher) struct hasher *hasher = NULL;
    enum err err = map_file(image, PROT_READ, &bytes, &len, e);
    if (err == OK) {
        err = hasher_new(&hasher, e);
    }
    struct header header;
    if (err == OK) {
        err = len < HEADER_SIZE ? fail(e, ERR_FORMAT, 0, "%s is no image", image)
                                : header_parse(bytes, &header, e);
    }
    if (err == OK && header.payload_offset > len) {
        err = fail(e, ERR_FORMAT, 0, "%s ends within its table", image);
    }
    // What is on record as installed is held against it; who signed it is no question here.
    if (err == OK) {
        err = image_open_prefix(bytes, (size_t)header.payload_offset, &accept_all_verifier, hasher,
                                &r->image, e);
    }
    if (err == OK) {
        uint8_t *mapped;
        err = map_file(content, PROT_READ, &mapped, &r->len, e);
        r->content = err == OK ? mapped : NULL;
    }
    return err;
}

// --- the layout ----------------------------------------------------------------------------------

static enum err take_slot(struct card *c, const char *line, struct error *e)
{
    if (c->slots_named == SLOT_COUNT) {
        return fail(e, ERR_FORMAT, 0, "layout: too many slots");
    }
    struct card_slot *s = &c->slots[c->slots_named++];
    if (sscanf(line, "slot %31s %" SCNu64 " %" SCNu64, s->name, &s->off, &s->len) != 3) {
        return fail(e, ERR_FORMAT, 0, "layout: %s", line);
    }
    return OK;
}

static enum err take_release(struct card *c, const char *line, struct error *e)
{
    char content[WORD_SIZE], image[WORD_SIZE];
    if (c->releases_named == CARD_RELEASES) {
        return fail(e, ERR_FORMAT, 0, "layout: too many releases");
    }
    struct card_release *r = &c->releases[c->releases_named++];
    if (sscanf(line, "release %31s %" SCNu64 " %511s %511s", r->version, &r->index, content,
               image) != 4) {
        return fail(e, ERR_FORMAT, 0, "layout: %s", line);
    }
    return load_release(r, content, image, e);
}

static enum err take_line(struct card *c, const char *line, struct error *e)
{
    if (strncmp(line, "slot ", 5) == 0) {
        return take_slot(c, line, e);
    }
    if (strncmp(line, "release ", 8) == 0) {
        return take_release(c, line, e);
    }
    if (sscanf(line, "environment %" SCNu64 " %" SCNu64 " %" SCNu64, &c->env_off[0], &c->env_off[1],
               &c->env_len) == 3 ||
        sscanf(line, "data %" SCNu64 " %" SCNu64, &c->data_off, &c->data_len) == 2) {
        return OK;
    }
    return fail(e, ERR_FORMAT, 0, "layout: %s", line);
}

static bool inside(const struct card *c, uint64_t off, uint64_t len)
{
    return off % CARD_BLOCK == 0 && off <= c->len && len <= c->len - off && len > 0;
}

static enum err load_layout(struct card *c, const char *path, struct error *e)
{
    CLEANUP(cleanup_fclose) FILE *f = fopen(path, "re");
    char line[4 * WORD_SIZE];
    enum err err = f != NULL ? OK : fail(e, ERR_IO, errno, "%s", path);
    while (err == OK && fgets(line, sizeof line, f) != NULL) {
        err = take_line(c, line, e);
    }
    bool good = c->slots_named == SLOT_COUNT && c->releases_named == CARD_RELEASES &&
                inside(c, c->env_off[0], c->env_len) && inside(c, c->env_off[1], c->env_len) &&
                inside(c, c->data_off, c->data_len);
    for (int i = 0; i < SLOT_COUNT; i++) {
        good = good && inside(c, c->slots[i].off, c->slots[i].len);
        for (int r = 0; r < CARD_RELEASES; r++) {
            good = good && c->releases[r].len <= c->slots[i].len &&
                   c->releases[r].len % CARD_BLOCK == 0;
        }
    }
    if (err == OK && !good) {
        return fail(e, ERR_FORMAT, 0, "%s: something is missing, or does not fit", path);
    }
    return err;
}

// --- the card ------------------------------------------------------------------------------------

static void compare_block(struct card *c, struct card_slot *s, uint64_t block)
{
    for (int r = 0; r < CARD_RELEASES; r++) {
        const struct card_release *release = &c->releases[r];
        if (block >= release->len / CARD_BLOCK) {
            continue;
        }
        bool differs = memcmp(c->bytes + s->off + block * CARD_BLOCK,
                              release->content + block * CARD_BLOCK, CARD_BLOCK) != 0;
        s->differing[r] += (uint32_t)differs - s->differs[r][block];
        s->differs[r][block] = differs;
    }
}

enum err card_rewind(struct card *c, struct error *e)
{
    void *bytes = mmap(c->bytes, (size_t)c->len, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | (c->bytes != NULL ? MAP_FIXED : 0), c->fd, 0);
    if (bytes == MAP_FAILED) {
        return fail(e, ERR_IO, errno, "the card cannot be mapped");
    }
    c->bytes = bytes;
    c->env_changes++;
    c->data_changes++;
    for (int i = 0; i < SLOT_COUNT; i++) {
        for (uint64_t block = 0; block < c->slots[i].len / CARD_BLOCK; block++) {
            compare_block(c, &c->slots[i], block);
        }
    }
    return OK;
}

enum err card_load(const char *folder, struct card *ret, struct error *e)
{
    char path[2 * WORD_SIZE];
    struct card *c = ret;
    *c = (struct card){0};
    snprintf(path, sizeof path, "%s/card.img", folder);
    c->fd = open(path, O_RDONLY | O_CLOEXEC);
    struct stat st;
    if (c->fd < 0 || fstat(c->fd, &st) != 0) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    c->len = (uint64_t)st.st_size;
    snprintf(path, sizeof path, "%s/layout", folder);
    enum err err = load_layout(c, path, e);
    for (int i = 0; err == OK && i < SLOT_COUNT; i++) {
        for (int r = 0; err == OK && r < CARD_RELEASES; r++) {
            c->slots[i].differs[r] = calloc((size_t)(c->releases[r].len / CARD_BLOCK), 1);
            err = c->slots[i].differs[r] != NULL ? OK : fail_memory(e);
        }
    }
    return err == OK ? card_rewind(c, e) : err;
}

void card_free(struct card *c)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        for (int r = 0; r < CARD_RELEASES; r++) {
            free(c->slots[i].differs[r]);
        }
    }
    for (int r = 0; r < CARD_RELEASES; r++) {
        image_free(c->releases[r].image);
    }
    if (c->bytes != NULL) {
        munmap(c->bytes, (size_t)c->len);
    }
    cleanup_close(&c->fd);
}

enum card_area card_area(const struct card *c, uint64_t off, int *ret_slot)
{
    *ret_slot = SLOT_NONE;
    for (int copy = 0; copy < 2; copy++) {
        if (off >= c->env_off[copy] && off - c->env_off[copy] < c->env_len) {
            return copy == 0 ? AREA_ENV_0 : AREA_ENV_1;
        }
    }
    for (int i = 0; i < SLOT_COUNT; i++) {
        if (off >= c->slots[i].off && off - c->slots[i].off < c->slots[i].len) {
            *ret_slot = i;
            return off - c->slots[i].off < HEAD_SIZE ? AREA_HEAD : AREA_BODY;
        }
    }
    return off >= c->data_off && off - c->data_off < c->data_len ? AREA_DATA : AREA_OTHER;
}

void card_write(struct card *c, uint64_t off, const uint8_t *data, size_t len)
{
    int slot;
    enum card_area area = card_area(c, off, &slot);
    memcpy(c->bytes + off, data, len);
    if (slot != SLOT_NONE) {
        compare_block(c, &c->slots[slot], (off - c->slots[slot].off) / CARD_BLOCK);
    }
    c->env_changes += area == AREA_ENV_0 || area == AREA_ENV_1;
    c->data_changes += area == AREA_DATA;
}

int card_content(const struct card *c, int slot)
{
    for (int r = 0; r < CARD_RELEASES; r++) {
        if (c->slots[slot].differing[r] == 0) {
            return r;
        }
    }
    return -1;
}

bool card_mountable(const struct card *c, int slot)
{
    static const uint8_t squashfs[] = {'h', 's', 'q', 's'}, ext4[] = {0x53, 0xEF};
    const uint8_t *head = c->bytes + c->slots[slot].off;
    return memcmp(head, squashfs, sizeof squashfs) == 0 ||
           memcmp(head + EXT4_MAGIC_OFF, ext4, sizeof ext4) == 0;
}

uint32_t card_first_difference(const struct card *c, int slot, int release)
{
    size_t blocks = (size_t)(c->releases[release].len / CARD_BLOCK);
    const uint8_t *differs = c->slots[slot].differs[release];
    const uint8_t *found = memchr(differs + 1, 1, blocks - 1);
    return (uint32_t)(found != NULL ? (size_t)(found - differs) : blocks);
}

enum err card_save(const struct card *c, const char *path, struct error *e)
{
    static const uint8_t zeros[CARD_BLOCK];
    CLEANUP(cleanup_close) int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0 || ftruncate(fd, (off_t)c->len) != 0) {
        return fail(e, ERR_IO, errno, "%s", path);
    }
    for (uint64_t at = 0; at < c->len; at += CARD_BLOCK) {
        if (memcmp(c->bytes + at, zeros, CARD_BLOCK) != 0 &&
            pwrite(fd, c->bytes + at, CARD_BLOCK, (off_t)at) != CARD_BLOCK) {
            return fail(e, ERR_IO, errno, "%s: write", path);
        }
    }
    return OK;
}
