// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/ask.h"
#include "updater/agent/verbs.h"

#include "base/parse.h"
#include "updater/agent/hold.h"
#include "updater/json_text.h"

static bool put(json_t *request, const char *key, const char *value)
{
    return value == NULL || json_object_set_new(request, key, json_text(value)) == 0;
}

// A release without a name ends what is held in the name of who types it.
static void write_sentence(const char *owner, char *buf, size_t size)
{
    const char *quote = owner == NULL || is_name(owner) ? "" : "\"";
    snprintf(buf, size, "Updates are held; 'vv-update release%s%s%s%s' ends that.",
             owner != NULL ? " --owner " : "", quote, owner != NULL ? owner : "", quote);
}

// hold [--for TIME] [--phases LIST] [--owner NAME] [--lock] [REASON]
enum err verb_hold(void *app, const struct parsed *args, struct error *e)
{
    const char *time = parsed_option(args, "for");
    const char *owner = parsed_option(args, "owner");
    const char *kind = parsed_option(args, "lock") != NULL ? "lock" : NULL;
    char sentence[HOLD_OWNER_MAX + 80];
    uint64_t ms = 0;
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "hold");
    if (time != NULL && (!parse_duration(time, &ms) || ms < 1000)) {
        return fail(e, ERR_USAGE, 0, "--for: %s: wants a duration from 1s (s, min, h, d)", time);
    }
    bool whole = request != NULL &&
                 put(request, "reason", args->arg_count > 0 ? args->args[0] : NULL) &&
                 put(request, "phases", parsed_option(args, "phases")) &&
                 put(request, "owner", owner) && put(request, "kind", kind);
    if (whole && time != NULL) {
        whole = json_object_set_new(request, "for_s", json_integer((json_int_t)(ms / 1000))) == 0;
    }
    write_sentence(owner, sentence, sizeof sentence);
    return agent_ask(app, args, whole ? request : NULL, sentence, e);
}

enum err verb_release(void *app, const struct parsed *args, struct error *e)
{
    CLEANUP(cleanup_json) json_t *request = json_pack("{s:s}", "do", "release");
    bool whole = request != NULL && put(request, "owner", parsed_option(args, "owner"));
    return agent_ask(app, args, whole ? request : NULL, "The hold is released.", e);
}
