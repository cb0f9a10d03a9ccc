// SPDX-License-Identifier: Apache-2.0
// Signed images for a device made of files (file_device.h). What fails here fails the running test.
#ifndef TESTS_SUPPORT_FILE_RELEASE_H
#define TESTS_SUPPORT_FILE_RELEASE_H

#include "tests/support/file_device.h"
#include "tests/support/image_builder.h"
#include "tests/support/test_certs.h"

enum { FILE_RELEASE_SLOT_SIZE = 64 * 1024, FILE_RELEASE_LEN = 50 * 1000 };

struct file_release {
    const struct file_device *device;
    struct test_cert root, signer;
    bool allow_downgrade;              // of what is written from now on
    uint64_t min_from;                 // the same
    uint8_t content[FILE_RELEASE_LEN]; // of the partition rootfs
};

// Makes the device trust a signer, and its slots large enough.
void file_release_prepare(struct file_release *r, const struct file_device *d);
void file_release_clear(struct file_release *r);
// DIR/NAME, signed; `content` is its content, another for each release index. Returns the path in
// `buf`.
const char *file_release_write(struct file_release *r, const char *name, const char *version,
                               uint64_t release_index, char *buf, size_t len);
// Fails the test unless slot b begins with `content`.
void file_release_expect_in_slot_b(const struct file_release *r);

#endif
