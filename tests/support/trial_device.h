// SPDX-License-Identifier: Apache-2.0
// A file_device in one of the states around a trial, for tests of the verbs: configuration, boot
// environment and state directory are real files.
#ifndef TESTS_SUPPORT_TRIAL_DEVICE_H
#define TESTS_SUPPORT_TRIAL_DEVICE_H

#include "tests/support/file_device.h"
#include "tests/support/verb_run.h"

enum trial_scene {
    SCENE_SETTLED,       // slot a runs, nothing is on trial
    SCENE_RUNNING_TRIAL, // slot b runs, on trial
    SCENE_PENDING_TRIAL, // slot a runs, slot b is on trial and was not tried
    SCENE_FELL_BACK,     // slot a runs, slot b has used up its attempts
};

// Slot b holds release 2.0 by the journal. `extra` is put behind the configuration (may be NULL);
// reboot_command makes the file DIR/rebooted.
void trial_device_make(struct file_device *d, const char *dir, enum trial_scene scene,
                       const char *extra);
// Whether the reboot command was run.
bool trial_device_rebooted(const struct file_device *d);
// What the environment and the journal say now.
struct boot_state trial_device_boot(const struct file_device *d);
struct journal trial_device_journal(const struct file_device *d);

// Sections of one check that decides at its first answer.
#define TRIAL_DEVICE_CHECK(command)                                                                \
    "[confirm]\ndeadline=20s\n[check api]\nkind=exec\nretries=1\ncommand=" command "\n"

#endif
