// SPDX-License-Identifier: Apache-2.0
// A redundant U-Boot environment in a plain file, with its fw_env.config: what mkenvimage makes,
// and what goes wrong with it. Anything that fails here fails the running test.
#ifndef TESTS_SUPPORT_ENV_FILE_H
#define TESTS_SUPPORT_ENV_FILE_H

#include <stddef.h>
#include <stdint.h>

enum {
    ENV_FILE_SIZE = 0x4000, // of one copy
    ENV_FILE_DATA_SIZE = ENV_FILE_SIZE - 5,
    ENV_FILE_OFFSET_0 = 0x4000,
    ENV_FILE_OFFSET_1 = 0x404000, // 4 MiB behind the first; the file is sparse
};

struct env_file {
    char image[256];  // DIR/env.img
    char config[256]; // DIR/fw_env.config
};

// Both copies whole and with the same variables ("name=value", ends with NULL); copy 0 is current
// (flag 1), copy 1 the older one (flag 0).
void env_file_make(struct env_file *f, const char *dir, const char *const *vars);

// Writes fw_env.config anew.
void env_file_write_config(const struct env_file *f, const char *text);

// One copy from raw data (at most ENV_FILE_DATA_SIZE, zeros behind it) with a right CRC.
void env_file_write_copy(const struct env_file *f, int copy, uint8_t flag, const void *data,
                         size_t len);

// The same from variables.
void env_file_write_vars(const struct env_file *f, int copy, uint8_t flag, const char *const *vars);

// Spoils a byte in the middle of a copy, so that its CRC no longer holds.
void env_file_damage(const struct env_file *f, int copy);

void env_file_read_copy(const struct env_file *f, int copy, uint8_t ret[ENV_FILE_SIZE]);
uint8_t env_file_flag(const struct env_file *f, int copy);

#endif
