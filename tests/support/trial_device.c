// SPDX-License-Identifier: Apache-2.0
#include "tests/support/trial_device.h"

#include "bootloader/bootenv_uboot.h"
#include "tests/support/expect.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *const settled_vars[] = {"BOOT_ORDER=A B", "BOOT_A_LEFT=3", "BOOT_B_LEFT=3",
                                           NULL};
static const char *const running_vars[] = {"BOOT_ORDER=B A", "BOOT_A_LEFT=3", "BOOT_B_LEFT=2",
                                           "vv_trial=b", NULL};
static const char *const pending_vars[] = {"BOOT_ORDER=B A", "BOOT_A_LEFT=3", "BOOT_B_LEFT=3",
                                           "vv_trial=b", NULL};
static const char *const fell_back_vars[] = {"BOOT_ORDER=B A", "BOOT_A_LEFT=2", "BOOT_B_LEFT=0",
                                             "vv_trial=b", NULL};

static const char *const *const scene_vars[] = {
    [SCENE_SETTLED] = settled_vars,
    [SCENE_RUNNING_TRIAL] = running_vars,
    [SCENE_PENDING_TRIAL] = pending_vars,
    [SCENE_FELL_BACK] = fell_back_vars,
};

static void save_journal(const struct file_device *d, enum trial_scene scene)
{
    struct error e;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    struct journal j = {.slot = SLOT_NONE, .last = {.slot = SLOT_NONE}};
    struct release_id release = {.version = "2.0", .release_index = 2};
    j.slots[1].release = release;
    j.slots[1].content = CONTENT_INSTALLED;
    if (scene != SCENE_SETTLED) {
        j.step = STEP_TRIAL;
        j.slot = 1;
        j.release = release;
    }
    assert_ok(state_dir_open(d->state, &s, &e));
    assert_ok(journal_save(s, &j, &e));
}

void trial_device_make(struct file_device *d, const char *dir, enum trial_scene scene,
                       const char *extra)
{
    char text[1024];
    char drop_in[512];
    file_device_make(d, dir, scene_vars[scene], extra);
    // Behind the configuration, whose own reboot command is none.
    snprintf(drop_in, sizeof drop_in, "%s/update.conf.d", dir);
    assert_int_equal(mkdir(drop_in, 0700), 0);
    snprintf(text, sizeof text, "[device]\nreboot_command=touch %s/rebooted\n", dir);
    file_device_write(drop_in, "reboot.conf", text);
    file_device_run(d, scene == SCENE_RUNNING_TRIAL ? "b" : "a");
    save_journal(d, scene);
}

bool trial_device_rebooted(const struct file_device *d)
{
    char path[512];
    snprintf(path, sizeof path, "%s/rebooted", d->dir);
    return access(path, F_OK) == 0;
}

struct boot_state trial_device_boot(const struct file_device *d)
{
    struct error e;
    struct boot_state boot;
    char lock[512];
    CLEANUP(cleanup_bootenv) struct bootenv *env = NULL;
    CLEANUP(cleanup_config) struct config *config = NULL;
    snprintf(lock, sizeof lock, "%s/look.lock", d->dir);
    assert_ok(config_load(d->conf, &config, &e));
    assert_ok(bootenv_uboot_open(config->env_config, lock, 1000, &env, &e));
    assert_ok(boot_state_read(&config->boot, env, &boot, &e));
    return boot;
}

struct journal trial_device_journal(const struct file_device *d)
{
    struct error e;
    struct journal j;
    CLEANUP(cleanup_state_store) struct state_store *s = NULL;
    assert_ok(state_dir_open(d->state, &s, &e));
    assert_ok(journal_load(s, &j, &e));
    return j;
}
