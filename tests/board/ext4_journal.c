// SPDX-License-Identifier: Apache-2.0
// The journal of ext4 (jbd2), played as the kernel does before it mounts: whole transactions only,
// in order, without the blocks that a later one has revoked.
#include "tests/board/ext4_view.h"

#include <inttypes.h>
#include <string.h>

static const uint32_t magic = 0xC03B3998;
enum { DESCRIPTOR = 1, COMMIT = 2, REVOKE = 5 };
enum { HEADER_BYTES = 12, REVOKE_HEAD = 16, UUID_BYTES = 16, TAIL_BYTES = 4 };
enum { WITH_REVOKE = 0x1, WITH_64BIT = 0x2, WITH_CSUM_V2 = 0x8, WITH_CSUM_V3 = 0x10 };
enum { TAG_ESCAPED = 1, TAG_SAME_UUID = 2, TAG_LAST = 8 };

enum pass { PASS_SCAN, PASS_REVOKE, PASS_REPLAY };

struct jbd2 {
    struct ext4_view *view;
    struct ext4_inode inode;
    uint32_t first, end, start, sequence;
    uint32_t features;
    enum pass pass;
    uint32_t at;        // the next block
    uint32_t left;      // that may be looked at
    uint32_t committed; // behind the last whole transaction
};

static uint32_t be16(const uint8_t *p)
{
    return (uint32_t)p[0] << 8 | p[1];
}

static uint32_t be32(const uint8_t *p)
{
    return be16(p) << 16 | be16(p + 2);
}

// Block number `j->at`, which moves on; it lies as it stands, what is in the journal is not
// journaled.
static enum err next_block(struct jbd2 *j, const uint8_t **ret, uint64_t *ret_where,
                           struct error *e)
{
    enum err err = ext4_map(j->view, &j->inode, j->at, ret_where, e);
    if (err == OK && (*ret_where == 0 || *ret_where >= j->view->blocks)) {
        err = fail(e, ERR_FORMAT, 0, "ext4: the journal has a hole");
    }
    if (err == OK) {
        *ret = j->view->bytes + *ret_where * j->view->block_bytes;
        j->at = j->at + 1 == j->end ? j->first : j->at + 1;
        j->left--;
    }
    return err;
}

static enum err take_tag(struct jbd2 *j, uint64_t block, uint32_t flags, struct error *e)
{
    const uint8_t *data;
    uint64_t where;
    enum err err = next_block(j, &data, &where, e);
    if (err != OK || j->pass != PASS_REPLAY) {
        return err;
    }
    if (block >= j->view->blocks || (flags & TAG_ESCAPED) != 0) {
        return fail(e, ERR_FORMAT, 0, "ext4: the journal has a block that cannot be played");
    }
    uint32_t revoked = j->view->revoked[block];
    if (revoked == 0 || (int32_t)(revoked - j->sequence) < 0) {
        j->view->newer[block] = (uint32_t)where;
    }
    return OK;
}

static enum err take_descriptor(struct jbd2 *j, const uint8_t *block, struct error *e)
{
    bool v3 = (j->features & WITH_CSUM_V3) != 0, wide = (j->features & WITH_64BIT) != 0;
    uint32_t tag_bytes = v3 ? 16 : wide ? 12 : 8;
    tag_bytes += !v3 && (j->features & WITH_CSUM_V2) != 0 ? 2 : 0;
    uint32_t room = j->view->block_bytes;
    room -= (j->features & (WITH_CSUM_V2 | WITH_CSUM_V3)) != 0 ? TAIL_BYTES : 0;
    uint32_t flags = 0;
    for (uint32_t at = HEADER_BYTES; (flags & TAG_LAST) == 0 && at + tag_bytes <= room;) {
        const uint8_t *tag = block + at;
        uint64_t number = be32(tag);
        flags = v3 ? be32(tag + 4) : be16(tag + 6);
        number |= wide ? (uint64_t)be32(tag + 8) << 32 : 0;
        if (j->left == 0) {
            return OK;
        }
        enum err err = take_tag(j, number, flags, e);
        if (err != OK) {
            return err;
        }
        at += tag_bytes + ((flags & TAG_SAME_UUID) != 0 ? 0 : UUID_BYTES);
    }
    return OK;
}

static void take_revoke(struct jbd2 *j, const uint8_t *block)
{
    uint32_t bytes = (j->features & WITH_64BIT) != 0 ? 8 : 4;
    uint32_t end = be32(block + HEADER_BYTES);
    end = end < j->view->block_bytes ? end : j->view->block_bytes;
    for (uint32_t at = REVOKE_HEAD; j->pass == PASS_REVOKE && at + bytes <= end; at += bytes) {
        uint64_t number = be32(block + at);
        number = bytes == 8 ? number << 32 | be32(block + at + 4) : number;
        if (number < j->view->blocks) {
            j->view->revoked[number] = j->sequence;
        }
    }
}

// One way through all transactions; the first way finds where they end.
static enum err walk(struct jbd2 *j, uint32_t sequence, enum pass pass, struct error *e)
{
    j->pass = pass;
    j->at = j->start;
    j->left = j->end - j->first;
    j->sequence = sequence;
    while (j->left > 0 && (pass == PASS_SCAN || j->sequence != j->committed)) {
        const uint8_t *block;
        uint64_t where;
        enum err err = next_block(j, &block, &where, e);
        if (err != OK) {
            return err;
        }
        uint32_t kind = be32(block + 4);
        if (be32(block) != magic || be32(block + 8) != j->sequence) {
            break;
        }
        if (kind == DESCRIPTOR) {
            err = take_descriptor(j, block, e);
        } else if (kind == REVOKE) {
            take_revoke(j, block);
        } else if (kind == COMMIT) {
            j->sequence++;
            j->committed = pass == PASS_SCAN ? j->sequence : j->committed;
        } else {
            break;
        }
        if (err != OK) {
            return err;
        }
    }
    return OK;
}

enum err ext4_journal_play(struct ext4_view *v, struct error *e)
{
    memset(v->newer, 0, v->blocks * sizeof *v->newer);
    memset(v->revoked, 0, v->blocks * sizeof *v->revoked);
    struct jbd2 j = {.view = v};
    if (v->journal_inode == 0 || !v->needs_recovery) {
        return OK;
    }
    const uint8_t *super;
    uint64_t where;
    enum err err = ext4_inode_get(v, v->journal_inode, &j.inode, e);
    j.left = j.end = 1;
    if (err == OK) {
        err = next_block(&j, &super, &where, e);
    }
    if (err != OK) {
        return err;
    }
    j.end = be32(super + 16);
    j.first = be32(super + 20);
    j.start = be32(super + 28);
    uint32_t sequence = be32(super + 24);
    j.features = be32(super + 40);
    uint32_t known = WITH_REVOKE | WITH_64BIT | WITH_CSUM_V2 | WITH_CSUM_V3;
    if (be32(super) != magic || be32(super + 12) != v->block_bytes || (j.features & ~known) != 0 ||
        j.first == 0 || j.first >= j.end || j.end > j.inode.size / v->block_bytes ||
        j.start >= j.end) {
        return fail(e, ERR_FORMAT, 0, "ext4: a journal of features %#" PRIx32 ", or a damaged one",
                    j.features);
    }
    if (j.start == 0) {
        return OK;
    }
    j.committed = sequence;
    for (enum pass pass = PASS_SCAN; err == OK && pass <= PASS_REPLAY; pass++) {
        err = walk(&j, sequence, pass, e);
    }
    return err;
}
