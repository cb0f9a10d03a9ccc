// SPDX-License-Identifier: Apache-2.0
// An ext4 file system in memory, as a kernel would find it after a power cut: what its journal has
// committed counts, whatever the blocks themselves say. Nothing is changed.
//
// What it knows is what mke2fs makes of a small partition and Linux writes to it: extents, linear
// and indexed directories, a journal with or without checksums. Anything else is ERR_FORMAT. Of the
// checksums that of the superblock is verified, which is written in place: all other metadata is
// written again out of the journal if it was torn. test_recorded_cuts.py holds this reader equal to
// e2fsck and debugfs.
//
// Layout: Linux Documentation/filesystems/ext4/; the journal is big endian, all else little.
#ifndef TESTS_BOARD_EXT4_VIEW_H
#define TESTS_BOARD_EXT4_VIEW_H

#include "base/cleanup.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

struct ext4_view {
    const uint8_t *bytes; // of the partition; may change between two calls of ext4_view_open()
    uint64_t len;
    uint32_t blocks, block_bytes, first_block;
    uint32_t inodes_per_group, inode_bytes, desc_bytes;
    uint32_t journal_inode;
    bool needs_recovery;
    // By block: where in the journal its newest content lies, and the last transaction that took it
    // back. 0: not at all.
    uint32_t *newer, *revoked;
};

struct ext4_inode {
    const uint8_t *map; // root of its extents
    uint64_t size;
    bool is_folder;
};

// Reads the superblock and plays the journal. The view is empty (all zeros but bytes and len) the
// first time, and ends with ext4_view_clear().
MUST_CHECK enum err ext4_view_open(struct ext4_view *v, struct error *e);
void ext4_view_clear(struct ext4_view *v);

// The content of a file, malloced; `path` has no slash in front. ERR_IO with ENOENT: there is none.
MUST_CHECK enum err ext4_read_file(const struct ext4_view *v, const char *path, size_t max,
                                   uint8_t **ret_data, size_t *ret_len, struct error *e);

// --- for ext4_journal.c --------------------------------------------------------------------------

// A block as the journal leaves it.
MUST_CHECK enum err ext4_block(const struct ext4_view *v, uint64_t block, const uint8_t **ret,
                               struct error *e);
MUST_CHECK enum err ext4_inode_get(const struct ext4_view *v, uint32_t number,
                                   struct ext4_inode *ret, struct error *e);
// The block of the file system that holds a block of a file; 0: a hole.
MUST_CHECK enum err ext4_map(const struct ext4_view *v, const struct ext4_inode *inode,
                             uint32_t logical, uint64_t *ret, struct error *e);
// Fills `newer`.
MUST_CHECK enum err ext4_journal_play(struct ext4_view *v, struct error *e);

static inline uint32_t ext4_le16(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static inline uint32_t ext4_le32(const uint8_t *p)
{
    return ext4_le16(p) | ext4_le16(p + 2) << 16;
}

#endif
