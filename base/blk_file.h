// SPDX-License-Identifier: Apache-2.0
// The real back end of the block-device seam: a block device or a plain file.
#ifndef BASE_BLK_FILE_H
#define BASE_BLK_FILE_H

#include "base/blk.h"

enum blk_mode { BLK_READ_ONLY, BLK_READ_WRITE };

// Opens `path`. For writing, a block device is opened O_EXCL, so that a mounted or otherwise used
// one is refused (ERR_NOT_NOW). O_DIRECT is used where the file system takes it and dropped where
// it does not. A missing path is ERR_CONFIG (the path comes from the configuration), anything that
// is neither a block device nor a regular file too. blk_close() releases `*ret_blk`.
MUST_CHECK enum err blk_file_open(const char *path, enum blk_mode mode, struct blk **ret_blk,
                                  struct error *e);

// Two paths that lead to the same device or file: equal device number, or equal inode.
MUST_CHECK enum err blk_file_same(const char *path_a, const char *path_b, bool *ret_same,
                                  struct error *e);

#endif
