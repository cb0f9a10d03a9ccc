// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

#include "updater/agent/denylist.h"
#include "updater/agent/dir_source.h"
#include "updater/agent/history.h"

#include <string.h>

// A release that failed for another reason than itself, or was cancelled, is taken again after so
// long, or at once when somebody asks for a poll.
#define AGAIN_AFTER_S UINT64_C(24 * 3600)
// What has not changed is asked again after so long: what was no reason may be one by then.
#define SEEN_FOR_MS (AGAIN_AFTER_S * 1000)

// A source that hangs, a directory on a dead server, or one that lets its bytes drip: gates, flip
// and reload wait for the end of a poll. A poll is one attempt at 128 KiB at most (manifest and
// signatures), which at the least speed, 1 KiB a second unless configured, are here in half of it.
enum { POLL_LIMIT_MS = 5 * 60 * 1000 };

static void end_poll(struct agent *a, struct poll_result result)
{
    bool synchronised;
    a->polls++;
    a->poll_failures += result.answer == POLL_DONE ? 0 : 1;
    a->last_poll_s = a->device->clock->ops->wall_s(a->device->clock, &synchronised);
    a->by_hand = false;
    poll_schedule_ended(&a->poll, &result, loop_now_ms(), agent_random());
    agent_write_metrics(a);
}

// --- what was seen ------------------------------------------------------------------------------

// What the source has told counts, as far as it tells the same again.
static bool trusts_seen(const struct agent *a)
{
    return !a->by_hand && loop_now_ms() - a->seen_ms < SEEN_FOR_MS;
}

// Nothing has changed in the directory since.
static bool is_unchanged(struct agent *a)
{
    a->asked_stamp = dir_source_stamp(a->device->config);
    return a->asked_stamp != 0 && a->asked_stamp == a->seen_stamp && trusts_seen(a);
}

// All that this answer is about has been dealt with, as if that were `ago_s` ago. What could not be
// read this time is looked at by the next poll.
static void mark_seen(struct agent *a, const json_t *answer, uint64_t ago_s)
{
    const char *seen = json_string_value(json_object_get(answer, "seen"));
    if (a->looks_anew || json_is_true(json_object_get(answer, "incomplete"))) {
        return;
    }
    a->seen_stamp = a->asked_stamp;
    a->seen_ms = loop_now_ms() - ago_s * 1000;
    bool fits = seen != NULL && strlen(seen) < sizeof a->seen;
    snprintf(a->seen, sizeof a->seen, "%s", fits ? seen : "");
}

void agent_look_anew(struct agent *a)
{
    a->seen_stamp = 0;
    a->seen[0] = '\0';
    a->looks_anew = true;
}

// --- asking -------------------------------------------------------------------------------------

static bool may_poll(const struct agent *a)
{
    return !verb_child_runs(&a->child) && a->offer.record.phase < OFFER_ACTIVATING;
}

bool agent_poll(struct agent *a)
{
    const char *words[] = {"check", "--dry-run", NULL, NULL, NULL};
    struct error e;
    if (!may_poll(a) || !poll_schedule_due(&a->poll, loop_now_ms())) {
        return false;
    }
    poll_schedule_started(&a->poll);
    if (is_unchanged(a)) {
        end_poll(a, (struct poll_result){.answer = POLL_DONE});
        return false;
    }
    if (a->seen[0] != '\0' && trusts_seen(a)) {
        words[2] = "--seen";
        words[3] = a->seen;
    }
    a->looks_anew = false;
    if (verb_child_start(&a->child, &a->program, words, NULL, &e) != OK) {
        log_error(a->log, "%s", e.msg);
        end_poll(a, (struct poll_result){.answer = POLL_FAILED});
        return false;
    }
    verb_child_limit(&a->child, POLL_LIMIT_MS);
    a->job = JOB_POLL;
    if (a->offer.record.phase == OFFER_NONE) {
        agent_set_state(a, AGENT_POLLING, "");
    }
    return true;
}

// --- what it offers -----------------------------------------------------------------------------

static enum err read_offer(const json_t *answer, struct offer *offer, struct release_id *release,
                           struct error *e)
{
    const char *source = "";
    const char *id = "";
    const char *url = "";
    const char *version = "";
    enum err err = json_get_string(answer, "source", &source, e);
    if (err == OK) {
        err = json_get_string(answer, "offer", &id, e);
    }
    if (err == OK) {
        err = json_get_string(answer, "url", &url, e);
    }
    if (err == OK) {
        err = json_get_string(answer, "version", &version, e);
    }
    if (err == OK) {
        err = json_get_u64(answer, "release_index", &release->release_index, e);
    }
    if (err == OK) {
        err = json_get_sha256(answer, "manifest_sha256", release->manifest_sha256, e);
    }
    if (err != OK || strlen(source) >= sizeof offer->source || strlen(id) >= sizeof offer->id ||
        strlen(url) >= sizeof offer->url || strlen(version) >= sizeof release->version) {
        return err != OK ? err : fail(e, ERR_FORMAT, 0, "the answer of 'check' is too long");
    }
    snprintf(offer->source, sizeof offer->source, "%s", source);
    snprintf(offer->id, sizeof offer->id, "%s", id);
    snprintf(offer->url, sizeof offer->url, "%s", url);
    snprintf(release->version, sizeof release->version, "%s", version);
    return OK;
}

// How long ago an entry was made: since boot, if it is the newest and this agent made it. Else by
// the wall clock, where a time that is still to come says nothing: the release is taken once more,
// and has a time of now afterwards.
static uint64_t age_s(const struct agent *a, const struct history_entry *entry, bool newest)
{
    bool synchronised;
    uint64_t now_s = a->device->clock->ops->wall_s(a->device->clock, &synchronised);
    if (newest && a->decided_ms != 0) {
        return (loop_now_ms() - a->decided_ms) / 1000;
    }
    return now_s >= entry->decided_s ? now_s - entry->decided_s : UINT64_MAX;
}

// A list that cannot be read denies whatever is on it.
static bool is_denied(struct agent *a, const struct release_id *release, struct error *why)
{
    CLEANUP(cleanup_free) struct denylist *denied = NULL;
    if (denylist_load(a->device->state, a->log, &denied, why) != OK) {
        (void)error_context(why, "release %s waits", release->version);
        return true;
    }
    const struct denied_release *d = denylist_find(denied, release->manifest_sha256);
    if (d != NULL) {
        (void)fail(why, ERR_NOT_NOW, 0,
                   "release %s failed here: %s; 'vv-update allow %s' lifts that", release->version,
                   d->reason, release->version);
    }
    return d != NULL;
}

// The last time that this offer was at hand it was no success, and that was less than a day ago.
static bool is_recent(struct agent *a, const struct offer *offer, const struct release_id *release,
                      struct error *why, uint64_t *ret_ago_s)
{
    CLEANUP(cleanup_free) struct history *history = NULL;
    if (history_load(a->device->state, a->log, &history, why) != OK) {
        (void)error_context(why, "release %s waits", release->version);
        return true;
    }
    size_t at = history->count;
    while (at > 0 && strncmp(history->entries[at - 1].offer, offer->id, PLAIN_TEXT_MAX) != 0) {
        at--;
    }
    if (at == 0) {
        return false;
    }
    const struct history_entry *last = &history->entries[at - 1];
    uint64_t ago_s = age_s(a, last, at == history->count);
    if (last->outcome == OFFER_SUCCESS || ago_s >= AGAIN_AFTER_S) {
        return false;
    }
    *ret_ago_s = ago_s;
    (void)fail(why, ERR_NOT_NOW, 0, "release %s was %s here: %s; 'vv-update check' tries again",
               release->version, last->outcome == OFFER_CANCELLED ? "cancelled" : "given up",
               last->reason);
    return true;
}

// NULL: it may be taken, or is at hand; else the reason, in `why`, and how much of its day is over.
static const char *find_objection(struct agent *a, const struct offer *offer,
                                  const struct release_id *release, struct error *why,
                                  uint64_t *ret_ago_s)
{
    const struct offer_record *r = &a->offer.record;
    *ret_ago_s = 0;
    if (r->phase != OFFER_NONE && strcmp(r->offer.id, offer->id) == 0) {
        return NULL;
    }
    bool objects =
        is_denied(a, release, why) || (!a->by_hand && is_recent(a, offer, release, why, ret_ago_s));
    return objects ? why->msg : NULL;
}

static void say(struct agent *a, const char *text)
{
    if (strncmp(a->poll_says, text, sizeof a->poll_says - 1) != 0) {
        snprintf(a->poll_says, sizeof a->poll_says, "%s", text);
        if (text[0] != '\0') {
            log_info(a->log, "%s", text);
        }
    }
}

// True: the one at hand is decided, perhaps since this poll began, and the new one is to be asked
// for again behind its report.
static bool supersede(struct agent *a, const struct release_id *by)
{
    struct error e;
    char why[AGENT_TEXT_SIZE];
    if (a->offer.record.phase == OFFER_DONE) {
        return true;
    }
    snprintf(why, sizeof why, "release %s is offered in its place", by->version);
    if (agent_cancel(a, why, &e) != OK) {
        say(a, e.msg);
        return false;
    }
    return true;
}

// True: to be asked for again at once.
static bool take_offer(struct agent *a, const json_t *answer)
{
    struct error e;
    struct error why;
    uint64_t ago_s;
    struct offer offer;
    struct release_id release = {.release_index = 0};
    enum err err = read_offer(answer, &offer, &release, &e);
    if (err == OK && find_objection(a, &offer, &release, &why, &ago_s) != NULL) {
        say(a, why.msg);
        if (why.code == ERR_NOT_NOW) { // and no list that could not be read
            mark_seen(a, answer, ago_s);
        }
        return false;
    }
    if (err == OK) {
        err = offer_accept(&a->offer, &offer, &release, &e);
        if (err != OK) {
            (void)error_context(&e, "release %s cannot be taken", release.version);
        }
    }
    if (err == ERR_AGAIN) {
        return supersede(a, &release);
    }
    if (err == OK) {
        mark_seen(a, answer, 0);
    }
    say(a, err == OK ? "" : e.msg);
    return false;
}

// --- how it ended -------------------------------------------------------------------------------

// 0: it is not there, or is no such number.
static uint64_t number_of(const json_t *error, const char *name)
{
    json_int_t value = json_integer_value(json_object_get(error, name));
    return value > 0 ? (uint64_t)value : 0;
}

// An error on the way is one of the network only as long as nobody answered.
static enum poll_answer answer_of(enum err err, uint64_t http_status)
{
    switch (http_status) {
    case 0:
        return err == ERR_NETWORK ? POLL_UNREACHABLE : POLL_FAILED;
    case 429:
    case 503:
        return POLL_BUSY;
    case 401:
    case 403:
    case 404:
    case 410:
        return POLL_REFUSED;
    default:
        return POLL_FAILED;
    }
}

static struct poll_result result_of(const struct verb_end *end)
{
    const json_t *error = json_object_get(end->answer, "error");
    uint64_t asked_s = number_of(error, "retry_after_s");
    if (end->error.code == OK) {
        return (struct poll_result){.answer = POLL_DONE};
    }
    return (struct poll_result){
        .answer = answer_of(end->error.code, number_of(error, "http_status")),
        .retry_after_ms = asked_s < POLL_ASKED_MAX_MS / 1000 ? asked_s * 1000 : POLL_ASKED_MAX_MS,
    };
}

void agent_poll_ended(struct agent *a, const struct verb_end *end)
{
    const char *result = json_string_value(json_object_get(end->answer, "result"));
    bool offered = result != NULL && strcmp(result, "offer") == 0;
    bool unchanged = result != NULL && strcmp(result, "unchanged") == 0;
    bool again = false;
    a->answered = false; // a gate said so before the poll, which may have taken minutes
    if (end->error.code != OK) {
        say(a, end->error.msg);
    } else if (offered) {
        again = take_offer(a, end->answer);
    } else if (!unchanged) {
        const char *why = json_string_value(json_object_get(end->answer, "why"));
        say(a, why != NULL ? why : "");
        mark_seen(a, end->answer, 0);
    }
    end_poll(a, result_of(end));
    if (again) {
        poll_schedule_trigger(&a->poll, loop_now_ms());
    }
    agent_turn_soon(a);
}
