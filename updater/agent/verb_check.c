// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"
#include "updater/agent/fleet_source.h"
#include "updater/agent/verbs.h"

#include "updater/json_text.h"
#include "updater/printable.h"

#include <inttypes.h>
#include <string.h>

static json_t *answer_json(const struct fleet_answer *answer)
{
    char hex[SHA256_HEX_SIZE];
    if (answer->unchanged) {
        return json_pack("{s:s}", "result", "unchanged");
    }
    if (!answer->offered) {
        return json_pack("{s:s, s:o, s:o}", "result", "nothing", "why", json_text(answer->why.msg),
                         "seen", json_text(answer->seen));
    }
    hex_encode(answer->release.manifest_sha256, SHA256_SIZE, hex);
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:I, s:s, s:o}", "result", "offer", "source",
                     json_text(answer->offer.source), "offer", json_text(answer->offer.id), "url",
                     json_text(answer->offer.url), "version", json_text(answer->release.version),
                     "release_index", (json_int_t)answer->release.release_index, "manifest_sha256",
                     hex, "seen", json_text(answer->seen));
}

static enum err print_json(const struct fleet_answer *answer, FILE *out, struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = answer_json(answer);
    if (root != NULL &&
        json_object_set_new(root, "incomplete", json_boolean(answer->incomplete)) != 0) {
        return fail_memory(e);
    }
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

static void print_text(const struct fleet_answer *answer, FILE *out)
{
    if (answer->unchanged) {
        fprintf(out, "The source has what it had.\n");
    } else if (answer->offered) {
        fprintf(out, "%s (release %" PRIu64 ") is offered by %s.\n", answer->release.version,
                answer->release.release_index, answer->offer.source);
    } else {
        char why[sizeof answer->why.msg];
        printable_copy(answer->why.msg, strlen(answer->why.msg), why, sizeof why);
        fprintf(out, "Nothing is offered: %s.\n", why);
    }
}

static MUST_CHECK bool set_number(json_t *object, const char *name, uint64_t value)
{
    return value == 0 || json_object_set_new(object, name, json_integer((json_int_t)value)) == 0;
}

// The error with what a server said beside it, for the agent to know when to ask again. What cannot
// be printed is left for main.c to tell, without that.
static void tell_error(struct app *a, const struct fleet_answer *answer, const struct error *e)
{
    CLEANUP(cleanup_json) json_t *root = json_pack("{s:o}", "error", app_error_json(e));
    json_t *error = json_object_get(root, "error");
    if (!set_number(error, "http_status", answer->http_status) ||
        !set_number(error, "retry_after_s", answer->retry_after_ms / 1000)) {
        return;
    }
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_print(root, JSON_COMPACT);
    if (text != NULL) {
        fprintf(a->out, "%s\n", text);
        a->error_told = true;
    }
}

// Asks the source in this process, once, and leaves it at that: whoever asks wants an answer now,
// and when to ask again is for the agent to say.
static enum err ask_source(struct app *a, const struct parsed *args, struct error *e)
{
    CLEANUP(cleanup_device) struct device *d = NULL;
    const struct fleet_source *source = NULL;
    struct fleet_answer answer = {.http_status = 0};
    enum err err = app_open_device(a, args, DEVICE_LOOK, &d, e);
    if (err == OK) {
        err = fleet_source_of(d->config, &source, e);
    }
    if (err == OK) {
        err = device_load_trust(d, e);
    }
    if (err != OK) {
        return err;
    }
    d->config->http.retries = 0;
    err = source->poll(d, parsed_option(args, "seen"), &answer, e);
    if (err != OK && app_json(args)) {
        tell_error(a, &answer, e);
    } else if (err == OK && app_json(args)) {
        err = print_json(&answer, a->out, e);
    } else if (err == OK) {
        print_text(&answer, a->out);
    }
    return err;
}

enum err verb_check(void *app, const struct parsed *args, struct error *e)
{
    struct app *a = app;
    if (parsed_option(args, "dry-run") != NULL) {
        return ask_source(a, args, e);
    }
    if (parsed_option(args, "seen") != NULL) {
        return fail(e, ERR_USAGE, 0, "--seen: is for --dry-run, the agent knows what it has seen");
    }
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "check");
    return agent_ask(a, args, request, "The agent asks its source now.", e);
}
