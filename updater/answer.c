// SPDX-License-Identifier: Apache-2.0
#include "updater/answer.h"

#include "updater/json_text.h"

static enum err print_json(const struct answer *a, struct device *d, FILE *out, struct error *e)
{
    struct release_id release = trial_release(d, a->slot);
    json_t *version = release.version[0] != '\0' ? json_text(release.version) : NULL;
    json_t *reason = a->reason[0] != '\0' ? json_text(a->reason) : NULL;
    CLEANUP(cleanup_json)
    json_t *root = json_pack("{s:s, s:s, s:o*, s:o*}", "result", a->result, "slot",
                             d->config->slots[a->slot].name, "version", version, "reason", reason);
    CLEANUP(cleanup_free) char *text = root == NULL ? NULL : json_canonical(root);
    if (text == NULL) {
        return fail_memory(e);
    }
    fprintf(out, "%s\n", text);
    return OK;
}

enum err answer_print(const struct answer *a, struct device *d, FILE *out, bool json,
                      struct error *e)
{
    enum err err = OK;
    if (json) {
        err = print_json(a, d, out, e);
    } else {
        fprintf(out, "%s\n", a->sentence);
    }
    if (err == OK && (fflush(out) != 0 || ferror(out) != 0)) {
        err = fail(e, ERR_IO, errno, "done, but it could not be said: write to stdout");
    }
    return err;
}
