// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/fleet_source.h"

#include "updater/agent/dir_source.h"
#include "updater/json_text.h"

enum err fleet_source_of(const struct config *config, const struct fleet_source **ret,
                         struct error *e)
{
    static const struct fleet_source *const sources[FLEET_KINDS] = {[FLEET_DIR] = &dir_source};
    const struct fleet_source *found = sources[config->fleet.source];
    if (found == NULL) {
        return fail(e, ERR_CONFIG, 0, "[fleet] source is none: nobody is asked for releases");
    }
    *ret = found;
    return OK;
}

json_t *fleet_report_json(const struct config *config, const struct offer_record *r)
{
    CLEANUP(cleanup_json)
    json_t *root =
        json_pack("{s:i, s:o, s:o, s:s, s:o, s:o, s:I, s:I}", "schema", 1, "device",
                  json_text(config->device_id != NULL ? config->device_id : ""), "offer",
                  json_text(r->offer.id), "outcome", offer_outcome_name(r->outcome), "reason",
                  json_text(r->reason), "failed_checks", json_text(r->failed_checks), "accepted",
                  (json_int_t)r->accepted_s, "decided", (json_int_t)r->decided_s);
    if (root == NULL) {
        return NULL;
    }
    bool whole = true;
    if (r->release_known) {
        whole = json_object_set_new(root, "version", json_text(r->release.version)) == 0 &&
                json_object_set_new(root, "release_index",
                                    json_integer((json_int_t)r->release.release_index)) == 0;
    }
    return whole ? TAKE_PTR(root) : NULL;
}
