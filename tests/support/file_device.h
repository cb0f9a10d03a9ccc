// SPDX-License-Identifier: Apache-2.0
// A device made of plain files in one directory: slots a and b with a partition rootfs each, state
// directory, kernel command line, redundant boot environment, a trusted certificate and the
// configuration that names them. Anything that fails here fails the running test.
#ifndef TESTS_SUPPORT_FILE_DEVICE_H
#define TESTS_SUPPORT_FILE_DEVICE_H

#include "tests/support/env_file.h"

struct file_device {
    const char *dir;
    char conf[256];  // DIR/update.conf
    char state[256]; // DIR/state
    struct env_file env;
};

// `extra` (may be NULL) is put behind the sections of the configuration. `vars` is the environment
// ("name=value", ends with NULL); NULL: as a factory leaves it, A first.
void file_device_make(struct file_device *d, const char *dir, const char *const *vars,
                      const char *extra);

// The kernel command line: the running slot, "a" or "b".
void file_device_run(const struct file_device *d, const char *slot);

// DIR/NAME with this content.
void file_device_write(const char *dir, const char *name, const char *text);

#endif
