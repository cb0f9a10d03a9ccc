// SPDX-License-Identifier: Apache-2.0
// What each kind of check does inside the child process of a probe; private to probe.c and tests.
//
// Invariants
// 1. Each returns an exit status below, and says in one line on `out_fd` what it found.
// 2. None of them has a time limit of its own that counts: probe.c ends the whole process group.
#ifndef UPDATER_PROBE_KINDS_H
#define UPDATER_PROBE_KINDS_H

#include "updater/config.h"

// 75 is EX_TEMPFAIL of sysexits.h.
enum { PROBE_EXIT_HEALTHY = 0, PROBE_EXIT_FAILED = 1, PROBE_EXIT_NOT_YET = 75 };

// A heartbeat further ahead of the clock than this was not written by a working service.
enum { HEARTBEAT_AHEAD_MAX_MS = 60 * 1000 };

// GET c->url, directly (no proxy, no redirects); healthy when the status is one of the expected.
// "HTTP 500: <first line of the body>".
int probe_http(const struct config_check *c, int out_fd);

// Asks for c->url as the fleet client does: with the certificates of [network]. Healthy when there
// is an answer with a status below 500; the others are what a proxy says for a server that is away.
int probe_server(const struct config_check *c, int out_fd);

// Healthy when c->address takes a connection. Nothing is sent.
int probe_tcp(const struct config_check *c, int out_fd);

// Becomes /bin/sh -c COMMAND; returns only when that cannot be started. Standard output and error
// are the command's, so `out_fd` must be one of them.
int probe_exec(const struct config_check *c, int out_fd);

// Healthy when c->path was modified within c->max_age_ms.
int probe_file_age(const struct config_check *c, int out_fd);

// Healthy when a file system is mounted at c->path, and with c->writable not read-only.
int probe_mount(const struct config_check *c, int out_fd);

// Healthy when the file system of c->path has at least c->min_free that anybody may use.
int probe_disk_free(const struct config_check *c, int out_fd);

// By systemctl(1): active is healthy; failed, and a unit that is not loaded, have failed;
// everything else is "not yet".
int probe_systemd_unit(const struct config_check *c, int out_fd);

// By the Engine API of Docker, or Podman's, on the Unix socket c->socket: GET
// /containers/NAME/json (https://docs.docker.com/reference/api/engine/). A running container is
// what its HEALTHCHECK says, "starting" being "not yet"; without one it is healthy once its process
// runs for c->running_for_ms, by the clock that no time server sets. "created" is "not yet"; every
// other state, and an answer that is none, have failed.
int probe_docker(const struct config_check *c, int out_fd);

#endif
