// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "updater/agent/denylist.h"

#include <inttypes.h>
#include <pwd.h>
#include <string.h>

struct request {
    struct agent *agent;
    const json_t *json;
    const struct control_peer *peer;
};

// "alice", "uid 1000": who asked, where the request does not name somebody else. Only then: a
// service of names that is down is waited for.
static const char *owner_of(const struct request *r, char *buf, size_t len)
{
    const char *named = json_string_value(json_object_get(r->json, "owner"));
    const struct passwd *user = named == NULL ? getpwuid(r->peer->uid) : NULL;
    if (named != NULL) {
        snprintf(buf, len, "%s", named);
    } else if (user != NULL) {
        snprintf(buf, len, "%s", user->pw_name);
    } else {
        snprintf(buf, len, "uid %u", (unsigned)r->peer->uid);
    }
    return buf;
}

// NULL: it is not there. What is no string was refused by check_members().
static const char *text_of(const struct request *r, const char *key)
{
    return json_string_value(json_object_get(r->json, key));
}

static enum err do_status(const struct request *r, json_t **ret, struct error *e)
{
    json_t *status = agent_status_json(r->agent);
    *ret = status == NULL ? NULL : json_pack("{s:o}", "agent", status);
    return *ret == NULL ? fail_memory(e) : OK;
}

static enum err do_check(const struct request *r, json_t **ret, struct error *e)
{
    struct agent *a = r->agent;
    (void)ret;
    (void)e;
    a->by_hand = true;
    a->again_ms = a->reboots ? a->again_ms : 0; // a wait before another try ends, too
    poll_schedule_trigger(&a->poll, loop_now_ms());
    agent_turn_soon(a);
    return OK;
}

static enum err do_cancel(const struct request *r, json_t **ret, struct error *e)
{
    char owner[HOLD_OWNER_MAX + 1];
    char why[AGENT_TEXT_SIZE];
    (void)ret;
    snprintf(why, sizeof why, "cancelled by %s", owner_of(r, owner, sizeof owner));
    return agent_cancel(r->agent, why, e);
}

// What is waited for behind a failure, or a reboot, is waited for as before. A command that a gate
// runs goes on: behind it all is asked that costs nothing.
static void ask_gate_again(struct agent *a)
{
    a->answered = false;
    a->again_ms = a->gate_closed ? 0 : a->again_ms;
    agent_turn_soon(a);
}

static enum err save_holds(struct agent *a, const struct holds *next, struct error *e)
{
    enum err err = holds_save(a->device->state, next, e);
    if (err == OK) {
        a->holds = *next;
        ask_gate_again(a);
        agent_write_metrics(a);
    }
    return err;
}

static bool parse_kind(const char *text, enum hold_kind *ret)
{
    for (int i = 0; i < HOLD_KINDS; i++) {
        if (strcmp(text, hold_kind_name((enum hold_kind)i)) == 0) {
            *ret = (enum hold_kind)i;
            return true;
        }
    }
    return false;
}

// What goes on although its phase is held now: it cannot be stopped. NULL: nothing does.
static const char *under_way(const struct agent *a, unsigned phases)
{
    bool steps = a->job == JOB_STEP && verb_child_runs(&a->child);
    bool reboots = a->reboots || (steps && a->step.step == OFFER_STEP_REBOOT);
    if (reboots && (phases & 1U << GATE_REBOOT) != 0) {
        return "the reboot is under way and takes place";
    }
    bool flips = steps && a->step.step == OFFER_STEP_ACTIVATE;
    return flips && (phases & 1U << GATE_INSTALL) != 0 ? "the flip is under way and takes place"
                                                       : NULL;
}

// "for_s" absent: until it is released; "kind":"lock", an application's: for a day.
static enum err do_hold(const struct request *r, json_t **ret, struct error *e)
{
    char owner[HOLD_OWNER_MAX + 1];
    const struct hold_now now = agent_hold_now(r->agent);
    const char *phases = text_of(r, "phases");
    const char *kind = text_of(r, "kind");
    const json_t *for_s = json_object_get(r->json, "for_s");
    struct holds next = r->agent->holds;
    const char *note = NULL;
    struct hold_request request = {
        .kind = HOLD_OPERATOR,
        .owner = owner_of(r, owner, sizeof owner),
        .reason = text_of(r, "reason"),
        .phases = GATE_ALL_PHASES,
        .length_ms = HOLD_FOR_EVER,
    };
    if (kind != NULL && !parse_kind(kind, &request.kind)) {
        return fail(e, ERR_USAGE, 0, "kind: wants %s or %s", hold_kind_name(HOLD_OPERATOR),
                    hold_kind_name(HOLD_LOCK));
    }
    if (phases != NULL && !gate_phases_parse(phases, &request.phases)) {
        return fail(e, ERR_USAGE, 0, "phases: wants all, or some of download, install, reboot");
    }
    json_int_t seconds = json_integer_value(for_s);
    if (for_s != NULL && (seconds <= 0 || seconds > (json_int_t)(HOLD_MAX_MS / 1000))) {
        return fail(e, ERR_USAGE, 0, "for_s: wants seconds from 1 to %" PRIu64, HOLD_MAX_MS / 1000);
    }
    request.length_ms = for_s != NULL               ? (uint64_t)seconds * 1000
                        : request.kind == HOLD_LOCK ? HOLD_LOCK_MAX_MS
                                                    : HOLD_FOR_EVER;
    enum err err = holds_set(&next, &request, &now, e);
    if (err == OK) {
        err = save_holds(r->agent, &next, e);
    }
    if (err == OK) {
        agent_pause(r->agent);
        note = under_way(r->agent, request.phases);
        *ret = note != NULL ? json_pack("{s:s}", "note", note) : NULL;
    }
    return err;
}

static enum err do_release(const struct request *r, json_t **ret, struct error *e)
{
    char owner[HOLD_OWNER_MAX + 1];
    const struct hold_now now = agent_hold_now(r->agent);
    struct holds next = r->agent->holds;
    (void)ret;
    owner_of(r, owner, sizeof owner);
    bool operator= holds_release(&next, HOLD_OPERATOR, owner, &now);
    bool lock = holds_release(&next, HOLD_LOCK, owner, &now);
    if (!operator&& !lock) {
        return fail(e, ERR_NOT_NOW, 0, "%s holds nothing", owner);
    }
    return save_holds(r->agent, &next, e);
}

static enum err do_consent(const struct request *r, json_t **ret, struct error *e)
{
    struct agent *a = r->agent;
    (void)ret;
    enum err err = offer_consent(&a->offer, e);
    if (err == OK) {
        ask_gate_again(a);
    }
    return err;
}

static enum err do_allow(const struct request *r, json_t **ret, struct error *e)
{
    size_t count = 0;
    const char *which = text_of(r, "which");
    if (which == NULL) {
        return fail(e, ERR_USAGE, 0, "which: wants all, a version, or the hash of a manifest");
    }
    enum err err = denylist_lift(r->agent->device->state, r->agent->log, which, &count, e);
    if (err != OK) {
        return err;
    }
    *ret = json_pack("{s:I}", "allowed", (json_int_t)count);
    return *ret == NULL ? fail_memory(e) : do_check(r, ret, e);
}

static enum err do_events(const struct request *r, json_t **ret, struct error *e)
{
    return do_status(r, ret, e);
}

// --- which request it is ------------------------------------------------------------------------

// `members`: "owner, reason".
static bool is_known(const char *members, const char *key)
{
    size_t len = strlen(key);
    const char *at = members;
    while (at != NULL) {
        if (strncmp(at, key, len) == 0 && (at[len] == ',' || at[len] == '\0')) {
            return len > 0;
        }
        at = strchr(at, ' ');
        at = at != NULL ? at + 1 : NULL;
    }
    return false;
}

// One that is misspelt, or of the wrong type, must not count as one that is not there: a hold for
// nothing but the reboot would be one for all.
static enum err check_members(const char *what, const char *members, const json_t *request,
                              struct error *e)
{
    json_t *object = (json_t *)(uintptr_t)request; // is only read
    for (void *at = json_object_iter(object); at != NULL; at = json_object_iter_next(object, at)) {
        const char *key = json_object_iter_key(at);
        if (strcmp(key, "do") == 0) {
            continue;
        }
        if (!is_known(members, key)) {
            return fail(e, ERR_USAGE, 0, "%s: %.32s: is not known; wants %s", what, key,
                        members[0] != '\0' ? members : "none");
        }
        if (strcmp(key, "for_s") != 0 && !json_is_string(json_object_iter_value(at))) {
            return fail(e, ERR_USAGE, 0, "%s: %s: wants a string", what, key);
        }
    }
    return OK;
}

enum err agent_request(void *agent, const char *what, const json_t *request,
                       const struct control_peer *peer, json_t **ret_answer, struct error *e)
{
    static const struct {
        const char *what, *members;
        enum err (*run)(const struct request *r, json_t **ret, struct error *e);
    } requests[] = {
        {"status", "", do_status},        {"check", "", do_check},
        {"cancel", "owner", do_cancel},   {"hold", "owner, reason, phases, kind, for_s", do_hold},
        {"release", "owner", do_release}, {"consent", "", do_consent},
        {"events", "", do_events},        {"allow", "which", do_allow},
    };
    const struct request r = {agent, request, peer};
    for (size_t i = 0; i < sizeof requests / sizeof requests[0]; i++) {
        if (strcmp(requests[i].what, what) == 0) {
            enum err err = check_members(what, requests[i].members, request, e);
            return err == OK ? requests[i].run(&r, ret_answer, e) : err;
        }
    }
    return fail(e, ERR_USAGE, 0,
                "%.32s: wants status, check, cancel, hold, release, consent, allow or events",
                what);
}
