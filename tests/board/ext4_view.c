// SPDX-License-Identifier: Apache-2.0
#include "tests/board/ext4_view.h"

#include "base/hash.h"

#include <inttypes.h>
#include <string.h>

enum {
    SUPER_OFF = 1024,
    SUPER_BYTES = 1024,
    SUPER_CSUM = 1020,
    SUPER_MAGIC = 0xEF53,
    ROOT_INODE = 2,
    INODE_MIN = 128,
    MAP_OFF = 40, // i_block
    MAP_BYTES = 60,
    DEPTH_MAX = 5,
    EXTENT_BYTES = 12,
    EXTENT_MAGIC = 0xF30A,
    EXTENT_WRITTEN_MAX = 32768, // longer ones were reserved and never written
    NAME_MAX_BYTES = 255,
    ENTRY_HEAD = 8,
};
// Features: what changes the layout of what is read here.
enum { RECOVER = 0x4, EXTENTS = 0x40, BITS_64 = 0x80, FLEX_BG = 0x200 };
enum {
    FILETYPE = 0x2,
    CSUM_SEED = 0x2000,
    KNOWN = FILETYPE | RECOVER | EXTENTS | BITS_64 | FLEX_BG
};
enum { METADATA_CSUM = 0x400 }; // of those that only writers must know
enum { INODE_EXTENTS = 0x80000, MODE_KIND = 0xF000, MODE_FOLDER = 0x4000, MODE_FILE = 0x8000 };

void ext4_view_clear(struct ext4_view *v)
{
    free(v->newer);
    free(v->revoked);
    *v = (struct ext4_view){.bytes = v->bytes, .len = v->len};
}

static enum err read_super(struct ext4_view *v, struct error *e)
{
    if (v->len < SUPER_OFF + SUPER_BYTES || ext4_le16(v->bytes + SUPER_OFF + 56) != SUPER_MAGIC) {
        return fail(e, ERR_FORMAT, 0, "ext4: no superblock");
    }
    const uint8_t *s = v->bytes + SUPER_OFF;
    if ((ext4_le32(s + 100) & METADATA_CSUM) != 0 &&
        ext4_le32(s + SUPER_CSUM) != ~crc32c(s, SUPER_CSUM)) {
        return fail(e, ERR_FORMAT, 0, "ext4: the checksum of the superblock does not hold");
    }
    uint32_t features = ext4_le32(s + 96), log_size = ext4_le32(s + 24);
    if ((features & ~(uint32_t)(KNOWN | CSUM_SEED)) != 0 || log_size > 6) {
        return fail(e, ERR_FORMAT, 0, "ext4: features %#" PRIx32 " are not known", features);
    }
    v->block_bytes = 1024U << log_size;
    v->blocks = ext4_le32(s + 4);
    v->first_block = ext4_le32(s + 20);
    v->inodes_per_group = ext4_le32(s + 40);
    v->inode_bytes = ext4_le16(s + 88);
    v->desc_bytes = (features & BITS_64) != 0 ? ext4_le16(s + 254) : 32;
    v->journal_inode = ext4_le32(s + 224);
    v->needs_recovery = (features & RECOVER) != 0;
    if (v->blocks > v->len / v->block_bytes || v->inodes_per_group == 0 ||
        v->inode_bytes < INODE_MIN || v->inode_bytes > v->block_bytes || v->desc_bytes < 32 ||
        v->desc_bytes > v->block_bytes) {
        return fail(e, ERR_FORMAT, 0, "ext4: a superblock of impossible numbers");
    }
    return OK;
}

enum err ext4_view_open(struct ext4_view *v, struct error *e)
{
    uint32_t before = v->newer != NULL ? v->blocks : 0;
    enum err err = read_super(v, e);
    if (err != OK) {
        return err;
    }
    if (v->blocks != before) {
        free(v->newer);
        free(v->revoked);
        v->newer = calloc(v->blocks, sizeof *v->newer);
        v->revoked = calloc(v->blocks, sizeof *v->revoked);
    }
    if (v->newer == NULL || v->revoked == NULL) {
        return fail_memory(e);
    }
    return ext4_journal_play(v, e);
}

enum err ext4_block(const struct ext4_view *v, uint64_t block, const uint8_t **ret, struct error *e)
{
    if (block >= v->blocks) {
        return fail(e, ERR_FORMAT, 0, "ext4: block %" PRIu64 " is none", block);
    }
    uint64_t where = v->newer[block] != 0 ? v->newer[block] : block;
    *ret = v->bytes + where * v->block_bytes;
    return OK;
}

enum err ext4_inode_get(const struct ext4_view *v, uint32_t number, struct ext4_inode *ret,
                        struct error *e)
{
    if (number == 0) {
        return fail(e, ERR_FORMAT, 0, "ext4: inode 0");
    }
    uint64_t group = (number - 1) / v->inodes_per_group;
    uint64_t desc_off = group * v->desc_bytes;
    const uint8_t *block = NULL;
    enum err err = ext4_block(v, v->first_block + 1 + desc_off / v->block_bytes, &block, e);
    if (err != OK) {
        return err;
    }
    const uint8_t *desc = block + desc_off % v->block_bytes;
    uint64_t inode_off = (uint64_t)((number - 1) % v->inodes_per_group) * v->inode_bytes;
    err = ext4_block(v, ext4_le32(desc + 8) + inode_off / v->block_bytes, &block, e);
    if (err != OK) {
        return err;
    }
    const uint8_t *inode = block + inode_off % v->block_bytes;
    uint32_t kind = ext4_le16(inode) & MODE_KIND;
    if ((kind != MODE_FILE && kind != MODE_FOLDER) ||
        (ext4_le32(inode + 32) & INODE_EXTENTS) == 0) {
        return fail(e, ERR_FORMAT, 0, "ext4: inode %" PRIu32 " is no file with extents", number);
    }
    *ret = (struct ext4_inode){
        .map = inode + MAP_OFF,
        .size = ext4_le32(inode + 4) | (uint64_t)ext4_le32(inode + 108) << 32,
        .is_folder = kind == MODE_FOLDER,
    };
    return OK;
}

// The last entry of a node of extents that begins at `logical` or before, NULL if none does.
static const uint8_t *find_extent(const uint8_t *node, uint32_t logical)
{
    const uint8_t *found = NULL;
    for (uint32_t i = 0; i < ext4_le16(node + 2); i++) {
        const uint8_t *extent = node + EXTENT_BYTES * (i + 1);
        if (ext4_le32(extent) <= logical) {
            found = extent;
        }
    }
    return found;
}

enum err ext4_map(const struct ext4_view *v, const struct ext4_inode *inode, uint32_t logical,
                  uint64_t *ret, struct error *e)
{
    const uint8_t *node = inode->map;
    size_t room = MAP_BYTES;
    *ret = 0;
    for (int level = 0; level < DEPTH_MAX; level++) {
        size_t entries = ext4_le16(node + 2);
        if (ext4_le16(node) != EXTENT_MAGIC || (entries + 1) * EXTENT_BYTES > room) {
            return fail(e, ERR_FORMAT, 0, "ext4: a damaged map of extents");
        }
        const uint8_t *extent = find_extent(node, logical);
        if (extent == NULL) {
            return OK;
        }
        if (ext4_le16(node + 6) == 0) {
            uint32_t at = logical - ext4_le32(extent), len = ext4_le16(extent + 4);
            bool there = len <= EXTENT_WRITTEN_MAX && at < len;
            uint64_t start = ext4_le32(extent + 8) | (uint64_t)ext4_le16(extent + 6) << 32;
            *ret = there ? start + at : 0;
            return OK;
        }
        uint64_t below = ext4_le32(extent + 4) | (uint64_t)ext4_le16(extent + 8) << 32;
        enum err err = ext4_block(v, below, &node, e);
        if (err != OK) {
            return err;
        }
        room = v->block_bytes;
    }
    return fail(e, ERR_FORMAT, 0, "ext4: a map of extents without an end");
}

// A name within one block of a folder; 0 in `*ret` when it is not there.
static enum err find_in_block(const struct ext4_view *v, const uint8_t *block, const char *name,
                              size_t name_len, uint32_t *ret, struct error *e)
{
    *ret = 0;
    for (uint32_t at = 0; at + ENTRY_HEAD <= v->block_bytes;) {
        const uint8_t *entry = block + at;
        uint32_t len = ext4_le16(entry + 4);
        if (len < ENTRY_HEAD || len > v->block_bytes - at || len < ENTRY_HEAD + (size_t)entry[6]) {
            return fail(e, ERR_FORMAT, 0, "ext4: a damaged folder");
        }
        if (ext4_le32(entry) != 0 && entry[6] == name_len &&
            memcmp(entry + ENTRY_HEAD, name, name_len) == 0) {
            *ret = ext4_le32(entry);
            return OK;
        }
        at += len;
    }
    return OK;
}

static enum err find_name(const struct ext4_view *v, uint32_t folder, const char *name,
                          size_t name_len, uint32_t *ret, struct error *e)
{
    struct ext4_inode inode;
    enum err err = ext4_inode_get(v, folder, &inode, e);
    *ret = 0;
    if (err == OK && !inode.is_folder) {
        return fail(e, ERR_FORMAT, 0, "ext4: a name below a file");
    }
    for (uint32_t i = 0; err == OK && *ret == 0 && i < inode.size / v->block_bytes; i++) {
        uint64_t where;
        const uint8_t *block = NULL;
        err = ext4_map(v, &inode, i, &where, e);
        if (err == OK) {
            err = ext4_block(v, where, &block, e);
        }
        if (err == OK) {
            err = find_in_block(v, block, name, name_len, ret, e);
        }
    }
    if (err == OK && *ret == 0) {
        return fail(e, ERR_IO, ENOENT, "ext4: %.*s", (int)name_len, name);
    }
    return err;
}

static enum err copy_content(const struct ext4_view *v, const struct ext4_inode *inode,
                             uint8_t *data, struct error *e)
{
    for (uint32_t at = 0; at < inode->size; at += v->block_bytes) {
        uint64_t where, left = inode->size - at;
        const uint8_t *block = NULL;
        enum err err = ext4_map(v, inode, at / v->block_bytes, &where, e);
        if (err == OK && where != 0) {
            err = ext4_block(v, where, &block, e);
        }
        if (err != OK) {
            return err;
        }
        size_t len = left < v->block_bytes ? (size_t)left : v->block_bytes;
        if (block != NULL) {
            memcpy(data + at, block, len);
        }
    }
    return OK;
}

enum err ext4_read_file(const struct ext4_view *v, const char *path, size_t max, uint8_t **ret_data,
                        size_t *ret_len, struct error *e)
{
    uint32_t number = ROOT_INODE;
    for (const char *at = path; at != NULL;) {
        size_t len = strcspn(at, "/");
        enum err err = find_name(v, number, at, len, &number, e);
        if (err != OK) {
            return err;
        }
        at = at[len] == '/' ? at + len + 1 : NULL;
    }
    struct ext4_inode inode;
    enum err err = ext4_inode_get(v, number, &inode, e);
    if (err == OK && (inode.is_folder || inode.size > max)) {
        return fail(e, ERR_FORMAT, 0, "ext4: %s is a folder or too large", path);
    }
    if (err != OK) {
        return err;
    }
    CLEANUP(cleanup_free) uint8_t *data = calloc(1, (size_t)inode.size + 1);
    if (data == NULL) {
        return fail_memory(e);
    }
    err = copy_content(v, &inode, data, e);
    if (err == OK) {
        *ret_data = TAKE_PTR(data);
        *ret_len = (size_t)inode.size;
    }
    return err;
}
