// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/fleet_lock.h"

#include "base/json.h"
#include "base/parse.h"
#include "updater/json_text.h"
#include "updater/printable.h"
#include "updater/probe_request.h"

#include <string.h>

enum { EXIT_DENIED = 75, EXIT_UNCLEAR, KIND_SIZE = 64, LINE_SIZE = 160, GRACE_MS = 1000 };

static const char *const paths[] = {
    [FLEET_LOCK_PRE_REBOOT] = "v1/pre-reboot",
    [FLEET_LOCK_STEADY_STATE] = "v1/steady-state",
};

static bool is_group(const char *text)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-";
    return text != NULL && text[0] != '\0' && text[strspn(text, letters)] == '\0';
}

enum err fleet_lock_check(const struct fleet_lock *l, struct error *e)
{
    if (!source_http_is_url(l->url) || strpbrk(l->url, "?#") != NULL) {
        return fail(e, ERR_CONFIG, 0,
                    "fleet lock: its URL must begin with http:// or https://, without ? and #");
    }
    if (!is_group(l->group)) {
        return fail(e, ERR_CONFIG, 0,
                    "fleet lock: a group has a name of letters, digits, '.' and '-'");
    }
    if (l->id == NULL || l->id[0] == '\0' || strlen(l->id) > FLEET_LOCK_ID_MAX) {
        return fail(e, ERR_CONFIG, 0,
                    "fleet lock: set 'id' of [device], of 1 to %d bytes: the lock server tells "
                    "devices apart by it",
                    FLEET_LOCK_ID_MAX);
    }
    return OK;
}

// --- in the child --------------------------------------------------------------------------------

struct work {
    const struct fleet_lock *lock;
    enum fleet_lock_op op;
};

// "HTTP 409: kind: value"; of what is no such object, its first line.
static void say_answer(const struct probe_answer *a, int out_fd)
{
    char kind[KIND_SIZE] = "";
    char text[LINE_SIZE] = "";
    struct error ignored;
    CLEANUP(cleanup_json) json_t *root = NULL;
    if (json_parse(a->body, a->len, &root, &ignored) == OK) {
        const char *value = json_string_value(json_object_get(root, "value"));
        const char *word = json_string_value(json_object_get(root, "kind"));
        printable_first_line(word != NULL ? word : "", kind, sizeof kind);
        printable_first_line(value != NULL ? value : "", text, sizeof text);
    } else {
        printable_first_line(a->body, text, sizeof text);
    }
    dprintf(out_fd, "HTTP %ld%s%s%s%s\n", a->status, kind[0] != '\0' ? ": " : "", kind,
            text[0] != '\0' ? ": " : "", text);
}

static int ask(const void *context, int out_fd)
{
    static const char *const headers[] = {"fleet-lock-protocol: true",
                                          "Content-Type: application/json", NULL};
    const struct work *w = context;
    CLEANUP(cleanup_free) char *url = NULL;
    size_t base = strlen(w->lock->url);
    while (base > 0 && w->lock->url[base - 1] == '/') {
        base--;
    }
    if (asprintf(&url, "%.*s/%s", (int)base, w->lock->url, paths[w->op]) < 0) {
        url = NULL;
    }
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:{s:o, s:o}}", "client_params", "id", json_text(w->lock->id),
                             "group", json_text(w->lock->group));
    CLEANUP(cleanup_free) char *body = root == NULL ? NULL : json_canonical(root);
    if (url == NULL || body == NULL) {
        dprintf(out_fd, "out of memory\n");
        return EXIT_UNCLEAR;
    }
    struct probe_answer answer;
    const struct probe_request r = {.url = url,
                                    .timeout_ms = FLEET_LOCK_TIMEOUT_MS - GRACE_MS,
                                    .network = w->lock->network,
                                    .body = body,
                                    .headers = headers};
    if (!probe_request(&r, &answer, out_fd)) {
        return EXIT_UNCLEAR;
    }
    say_answer(&answer, out_fd);
    bool denied = answer.status >= 400 && answer.status <= 499;
    return answer.status == 200 ? 0 : denied ? EXIT_DENIED : EXIT_UNCLEAR;
}

// --- in the agent --------------------------------------------------------------------------------

enum err fleet_lock_start(struct bounded_run *r, const struct fleet_lock *l, enum fleet_lock_op op,
                          uint64_t now_ms, struct error *e)
{
    const struct work w = {l, op};
    return bounded_run_start(r, ask, &w, FLEET_LOCK_TIMEOUT_MS, now_ms, e);
}

enum fleet_lock_answer fleet_lock_answer(const struct bounded_run *r, int status, char *reason,
                                         size_t size)
{
    char line[LINE_SIZE + KIND_SIZE];
    if (status == 0) {
        return FLEET_LOCK_GRANTED;
    }
    // The last line: that of an end by force stands behind what the request said.
    printable_last_line(r->output, line, sizeof line);
    snprintf(reason, size, "fleet lock: %s", line);
    return status == EXIT_DENIED ? FLEET_LOCK_DENIED : FLEET_LOCK_UNCLEAR;
}
