// SPDX-License-Identifier: Apache-2.0
// The device's configuration: the keys that exist, their defaults and their limits.
// The table of keys is in config_keys.c; docs/man/vv-update.conf.5 describes each.
//
// Invariants of a configuration that config_load() accepted
// 1. Every key of every file was known, well formed and given at most once per file.
// 2. There are exactly two slots with distinct names, boot names and boot values, with the same set
//    of partition names, and no two partitions lead to the same device or file.
// 3. state_dir exists and does not lie inside a slot (is not on a file system mounted from one).
#ifndef UPDATER_CONFIG_H
#define UPDATER_CONFIG_H

#include "base/cleanup.h"
#include "base/conf.h"
#include "base/error.h"
#include "bootloader/boot_state.h"
#include "format/manifest.h"
#include "updater/config_fleet.h"
#include "updater/priority.h"
#include "updater/source_http.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>

enum { CONFIG_CHECKS_MAX = 200 };
enum {
    CONFIG_CONNECTIONS_MAX = 6, // what browsers open to one server; more is seldom allowed
    CONFIG_WORKERS_MAX = 8,
    CONFIG_WORKERS_AUTO_MAX = 4, // beside them, services want to run
};
#define WORKERS_AUTO UINT_MAX

struct config_partition {
    const char *name; // the partition name of the image, e.g. "rootfs"
    const char *path; // a block device or a file
};

struct config_slot {
    const char *name; // "a"
    size_t partition_count;
    struct config_partition partitions[MANIFEST_PARTITIONS_MAX];
};

enum check_kind {
    CHECK_HTTP,
    CHECK_TCP,
    CHECK_EXEC,
    CHECK_FILE_AGE,
    CHECK_MOUNT,
    CHECK_DISK_FREE,
    CHECK_SYSTEMD_UNIT,
    CHECK_DOCKER,
    CHECK_SERVER,
    CHECK_KINDS,
};

// Of a file system: bytes, or a part of its size.
struct free_space {
    uint64_t bytes;
    unsigned percent; // not 0: this counts
};

struct config_check {
    const char *name;
    enum check_kind kind;
    bool required; // severity=required (default) or wanted
    uint64_t interval_ms, timeout_ms, start_period_ms;
    unsigned retries, successes;
    const char *url;                    // http, server
    unsigned expect_first, expect_last; // http: accepted status codes, default 200-299
    const char *command;                // exec: run by /bin/sh -c
    const char *address;                // tcp: HOST:PORT
    const char *path;                   // file-age, mount, disk-free
    uint64_t max_age_ms;                // file-age
    bool writable;                      // mount: must it be
    struct free_space min_free;         // disk-free
    const char *unit;                   // systemd-unit
    const char *container;              // docker: name or id
    const char *socket;                 // docker: of its Engine API
    uint64_t running_for_ms;            // docker: without a HEALTHCHECK
    const struct http_options *network; // server: [network], for its certificates
};

struct config {
    struct conf raw; // entries with their origin; the strings below point into it
    const char *product, *compatible, *device_id;
    const char *cmdline_file, *reboot_command, *state_dir;
    const char *watchdog; // a device; NULL: none
    struct config_slot slots[SLOT_COUNT];
    const char *env_config;
    struct boot_setup boot;
    const char *trust_roots;
    unsigned trust_signers;
    struct http_options http;
    uint64_t byte_budget; // over the network for one release; 0: no limit
    unsigned connections; // ranges that are read at the same time
    unsigned workers;     // threads that hash and decode; WORKERS_AUTO: see config_workers()
    unsigned nice;        // of an install; 0: as it was started
    struct io_priority io_priority;
    uint64_t confirm_deadline_ms, confirm_stable_ms;
    bool confirm_baseline;
    const char *confirm_require_unit; // NULL: none; else the last one of the checks is for it
    size_t check_count;
    struct config_check *checks;
    struct config_fleet fleet;
    struct config_gates gates;
    struct config_agent agent;
};

// `path` NULL: the standard files in their order (man page); else `path` and `path`.d/*.conf only.
// All errors are ERR_CONFIG and name file and line where there is one.
MUST_CHECK enum err config_load(const char *path, struct config **ret, struct error *e);
// The same with other places for the standard files and another view of the block devices.
struct config_places;
struct block_view;
MUST_CHECK enum err config_load_at(const char *path, const struct config_places *places,
                                   const struct block_view *view, struct config **ret,
                                   struct error *e);
// For what decides a trial. The state directory is written by programs and servers, and a drop-in
// of theirs that is torn or wrong must not have a good release rolled back: then all of them are
// left out, for none of the keys they may set counts in a trial. `*ret_left_out` has the error that
// they make; code OK: nothing was left out.
MUST_CHECK enum err config_load_for_trial(const char *path, struct config **ret,
                                          struct error *ret_left_out, struct error *e);
MUST_CHECK enum err config_load_for_trial_at(const char *path, const struct config_places *places,
                                             const struct block_view *view, struct config **ret,
                                             struct error *ret_left_out, struct error *e);
void config_free(struct config *c);
DEFINE_CLEANUP(config, struct config *, config_free)

// How many threads are to hash and decode: as configured; "auto" is one more than the `cpus` that
// this process may run on, CONFIG_WORKERS_AUTO_MAX at most. 0: all is done in one thread, which is
// what "auto" means on a device with one CPU.
unsigned config_workers(const struct config *c, unsigned cpus);

// Every effective key, its value and where it came from ("default" or FILE:LINE). Values of keys
// that are secrets are not printed.
MUST_CHECK enum err config_print(const struct config *c, FILE *out, bool json, struct error *e);

#endif
