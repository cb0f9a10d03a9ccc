// SPDX-License-Identifier: Apache-2.0
#include "tests/support/file_device.h"

#include "tests/support/expect.h"
#include "tests/support/test_certs.h"

#include <stdio.h>
#include <sys/stat.h>

static const char *const factory_vars[] = {"bootcmd=run vv_boot", "BOOT_ORDER=A B", "BOOT_A_LEFT=3",
                                           "BOOT_B_LEFT=3", NULL};

void file_device_write(const char *dir, const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

void file_device_run(const struct file_device *d, const char *slot)
{
    char text[64];
    snprintf(text, sizeof text, "console=ttyS0 vv.slot=%s ro\n", slot);
    file_device_write(d->dir, "cmdline", text);
}

void file_device_make(struct file_device *d, const char *dir, const char *const *vars,
                      const char *extra)
{
    char path[512];
    char text[4096];
    d->dir = dir;
    snprintf(d->conf, sizeof d->conf, "%s/update.conf", dir);
    snprintf(d->state, sizeof d->state, "%s/state", dir);
    snprintf(path, sizeof path, "%s/trust", dir);
    assert_int_equal(mkdir(d->state, 0700), 0);
    assert_int_equal(mkdir(path, 0700), 0);
    struct test_cert cert = test_signer("release", NULL);
    test_cert_write(&cert, path, "release.pem");
    test_cert_clear(&cert);
    file_device_write(dir, "slot-a", "a");
    file_device_write(dir, "slot-b", "b");
    snprintf(text, sizeof text,
             "[device]\n"
             "product=vv-edge\n"
             "compatible=vv-virtual\n"
             "state_dir=%s/state\n"
             "cmdline_file=%s/cmdline\n"
             "reboot_command=\n"
             "watchdog=\n"
             "[slot a]\n"
             "rootfs=%s/slot-a\n"
             "[slot b]\n"
             "rootfs=%s/slot-b\n"
             "[bootloader]\n"
             "env_config=%s/fw_env.config\n"
             "[trust]\n"
             "roots=%s/trust\n"
             "%s",
             dir, dir, dir, dir, dir, dir, extra != NULL ? extra : "");
    file_device_write(dir, "update.conf", text);
    env_file_make(&d->env, dir, vars != NULL ? vars : factory_vars);
    file_device_run(d, "a");
}
