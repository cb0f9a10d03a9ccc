// SPDX-License-Identifier: Apache-2.0
// The card of a board in memory, as a recording began with it, and what of it is where.
//
// Invariants
// 1. differing[s][r] is the number of blocks in which slot s differs from release r, as of now: a
//    write compares the blocks it touches, and no others.
// 2. The file it came from does not change.
#ifndef TESTS_BOARD_CARD_H
#define TESTS_BOARD_CARD_H

#include "base/error.h"
#include "bootloader/boot_state.h"
#include "format/image.h"

#include <stdint.h>

enum { CARD_SECTOR = 512, CARD_BLOCK = 4096, CARD_RELEASES = 2, CARD_NAME_SIZE = 32 };

enum card_area { AREA_ENV_0, AREA_ENV_1, AREA_HEAD, AREA_BODY, AREA_DATA, AREA_OTHER };

struct card_release {
    char version[CARD_NAME_SIZE];
    uint64_t index;
    const uint8_t *content; // what a slot with it begins with
    uint64_t len;
    struct image *image;
};

struct card_slot {
    char name[CARD_NAME_SIZE];
    uint64_t off, len;
    uint8_t *differs[CARD_RELEASES]; // by block
    uint32_t differing[CARD_RELEASES];
};

struct card {
    uint8_t *bytes;
    uint64_t len;
    int fd;
    uint64_t env_off[2], env_len, data_off, data_len;
    size_t slots_named, releases_named;
    struct card_slot slots[SLOT_COUNT];
    struct card_release releases[CARD_RELEASES];
    uint64_t env_changes, data_changes; // writes to them so far
};

// FOLDER/card.img and FOLDER/layout (recording.py writes it). Ends with card_free().
MUST_CHECK enum err card_load(const char *folder, struct card *ret, struct error *e);
void card_free(struct card *c);
// As it was loaded.
MUST_CHECK enum err card_rewind(struct card *c, struct error *e);

// Where `off` lies; for a slot, also which one.
enum card_area card_area(const struct card *c, uint64_t off, int *ret_slot);

// `len` bytes, which do not cross a multiple of CARD_BLOCK.
void card_write(struct card *c, uint64_t off, const uint8_t *data, size_t len);

// Position in releases[] of what a slot holds to the last byte, or -1.
int card_content(const struct card *c, int slot);
// Whether there is what U-Boot and Linux of this board mount: a squashfs or an ext4.
bool card_mountable(const struct card *c, int slot);
// The first block behind the head in which a slot differs from a release; as many as it has: none.
uint32_t card_first_difference(const struct card *c, int slot, int release);

// All of a card into a file, with holes.
MUST_CHECK enum err card_save(const struct card *c, const char *path, struct error *e);

// A file, mapped; the mapping is private.
MUST_CHECK enum err map_file(const char *path, int prot, uint8_t **ret, uint64_t *ret_len,
                             struct error *e);

#endif
