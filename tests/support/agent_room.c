// SPDX-License-Identifier: Apache-2.0
#include "tests/support/agent_room.h"

#include "tests/support/expect.h"
#include "tests/support/temp_dir.h"
#include "updater/agent/agent_parts.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { TURNS_MAX = 500 };

// The verb stands behind "--json -c CONF".
static const char script[] = "#!/bin/sh\n"
                             "cd \"${0%/*}\"\n"
                             "echo x >> \"runs-$4\"\n"
                             "echo \"$*\" > \"words-$4\"\n"
                             "case $4 in\n"
                             "check) [ ! -e before ] || . ./before; cat answer ;;\n"
                             "install) . ./install ;;\n"
                             "esac\n";

static void make_dir(const char *dir, const char *name)
{
    char path[512];
    assert_int_equal(mkdir(temp_dir_path(path, sizeof path, dir, name), 0700), 0);
}

void agent_room_make(struct agent_room *r, const char *dir, const char *extra)
{
    char text[2048];
    *r = (struct agent_room){.dir = dir, .clock = moved_clock_make()};
    snprintf(text, sizeof text,
             "[fleet]\nsource=dir\ndir=%s/drop\nreport_dir=%s/reports\ninterval=1h\n"
             "[agent]\nsocket=%s/agent.sock\n%s",
             dir, dir, dir, extra != NULL ? extra : "");
    make_dir(dir, "drop");
    make_dir(dir, "reports");
    file_device_make(&r->file, dir, NULL, text);
    file_device_write(dir, "program", script);
    temp_dir_path(r->program, sizeof r->program, dir, "program");
    assert_int_equal(chmod(r->program, 0700), 0);
    agent_room_offer_nothing(r);
    agent_room_install(r, "exit 4");
    r->log = (struct log){.stream = open_memstream(&r->talk, &r->talk_len), .program = "vv-update"};
    assert_non_null(r->log.stream);
}

void agent_room_name(const struct agent_room *r, const char *id)
{
    struct error e;
    size_t len = 0;
    char with_id[8192];
    static const char section[] = "[device]\n";
    CLEANUP(cleanup_free) uint8_t *text = NULL;
    assert_ok(file_read(r->file.conf, sizeof with_id - 100, &text, &len, &e));
    const char *rest = strstr((const char *)text, section);
    assert_non_null(rest);
    rest += strlen(section);
    snprintf(with_id, sizeof with_id, "%.*sid=%s\n%s", (int)(rest - (const char *)text),
             (const char *)text, id, rest);
    file_device_write(r->dir, "update.conf", with_id);
}

void agent_room_clear(struct agent_room *r)
{
    agent_room_close(r);
    fclose(r->log.stream);
    free(r->talk);
}

void agent_room_offer(const struct agent_room *r, unsigned release_index)
{
    char text[1024];
    snprintf(text, sizeof text,
             "{\"result\":\"offer\",\"source\":\"dir\",\"offer\":\"%064x\",\"url\":\"/drop/%u\","
             "\"version\":\"%u.0\",\"release_index\":%u,\"manifest_sha256\":\"%064x\"}\n",
             release_index, release_index, release_index, release_index, release_index);
    file_device_write(r->dir, "answer", text);
}

void agent_room_offer_nothing(const struct agent_room *r)
{
    file_device_write(r->dir, "answer", "{\"result\":\"nothing\",\"why\":\"there is no image\"}\n");
}

void agent_room_poll_with(const struct agent_room *r, const char *line)
{
    file_device_write(r->dir, "before", line);
}

void agent_room_install(const struct agent_room *r, const char *line)
{
    file_device_write(r->dir, "install", line);
}

bool agent_room_words_have(const struct agent_room *r, const char *verb, const char *part)
{
    struct error e;
    char name[64];
    char path[512];
    size_t len = 0;
    CLEANUP(cleanup_free) uint8_t *words = NULL;
    snprintf(name, sizeof name, "words-%s", verb);
    assert_ok(file_read(temp_dir_path(path, sizeof path, r->dir, name), 8192, &words, &len, &e));
    return strstr((const char *)words, part) != NULL;
}

unsigned agent_room_runs(const struct agent_room *r, const char *verb)
{
    char name[64];
    char path[512];
    struct stat st;
    snprintf(name, sizeof name, "runs-%s", verb);
    return stat(temp_dir_path(path, sizeof path, r->dir, name), &st) == 0 ? (unsigned)st.st_size / 2
                                                                          : 0;
}

void agent_room_await_run(const struct agent_room *r, const char *verb, unsigned runs)
{
    for (int i = 0; i < 10000 && agent_room_runs(r, verb) < runs; i++) {
        usleep(1000);
    }
    assert_int_equal(agent_room_runs(r, verb), runs);
}

void agent_room_open(struct agent_room *r)
{
    struct error e;
    const struct progress nobody = {.kind = PROGRESS_NONE};
    const struct agent_options options = {.program = r->program, .config = r->file.conf};
    CLEANUP(cleanup_config) struct config *config = NULL;
    assert_ok(config_load(r->file.conf, &config, &e));
    assert_ok(device_open(config, DEVICE_LOOK, &r->log, &nobody, &r->clock.base, &r->device, &e));
    (void)TAKE_PTR(config);
    r->state = full_state_make(r->device->state);
    r->state.full_for = r->full_for;
    r->device->state = &r->state.base;
    r->agent = calloc(1, sizeof *r->agent);
    assert_non_null(r->agent);
    assert_ok(agent_open(r->agent, r->device, &r->log, &options, &e));
    // A test does not wait for the spread of a fleet.
    poll_schedule_trigger(&r->agent->poll, loop_now_ms());
}

void agent_room_close(struct agent_room *r)
{
    if (r->agent != NULL) {
        agent_close(r->agent);
        free(TAKE_PTR(r->agent));
        device_close(TAKE_PTR(r->device));
    }
}

void agent_room_until(struct agent_room *r, bool (*condition)(const struct agent_room *r))
{
    struct error e;
    for (int i = 0; i < TURNS_MAX && !condition(r); i++) {
        assert_ok(loop_turn(&r->agent->loop, &e));
    }
    if (!condition(r)) {
        fail_msg("expected another state than %s: %s\n%s", agent_state_name(r->agent->state),
                 r->agent->waits_for, agent_room_talk(r));
    }
}

void agent_room_set_clock(struct agent_room *r, uint64_t wall_s)
{
    moved_clock_set(&r->clock, wall_s);
    if (r->agent != NULL) {
        moved_clock_tell(&r->agent->loop);
    }
}

uint64_t agent_room_wall_s(const struct agent_room *r)
{
    bool ignored;
    return r->clock.base.ops->wall_s(&r->clock.base, &ignored);
}

enum err agent_room_ask(struct agent_room *r, const char *request, json_t **ret, struct error *e)
{
    const struct control_peer peer = {.pid = 1, .uid = 0};
    CLEANUP(cleanup_json) json_t *json = NULL;
    json_t *answer = NULL;
    assert_int_equal(json_parse(request, strlen(request), &json, e), OK);
    enum err err = agent_request(r->agent, json_string_value(json_object_get(json, "do")), json,
                                 &peer, &answer, e);
    if (ret != NULL) {
        *ret = answer;
    } else {
        json_decref(answer);
    }
    return err;
}

const char *agent_room_talk(struct agent_room *r)
{
    fflush(r->log.stream);
    return r->talk;
}

unsigned agent_room_said(struct agent_room *r, const char *part)
{
    unsigned lines = 0;
    const char *at = strstr(agent_room_talk(r), part);
    while (at != NULL) {
        lines++;
        at += strcspn(at, "\n");
        at = strstr(at, part);
    }
    return lines;
}
