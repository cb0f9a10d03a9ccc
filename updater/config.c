// SPDX-License-Identifier: Apache-2.0
#include "updater/config.h"

#include "updater/block_stack.h"
#include "updater/config_build.h"
#include "updater/config_check.h"
#include "updater/config_files.h"

void config_free(struct config *c)
{
    if (c == NULL) {
        return;
    }
    conf_clear(&c->raw);
    free(c->checks);
    free(c);
}

enum err config_load_at(const char *path, const struct config_places *places,
                        const struct block_view *view, struct config **ret, struct error *e)
{
    CLEANUP(conf_clear) struct conf raw = {0};
    enum err err = path == NULL ? config_files_read(places, &raw, e)
                                : config_files_read_one(path, places->check_owner, &raw, e);
    CLEANUP(cleanup_config) struct config *c = NULL;
    if (err == OK) {
        err = config_build(&raw, &c, e);
    }
    if (err == OK) {
        err = config_check(c, view, e);
    }
    if (err == OK) {
        *ret = TAKE_PTR(c);
    }
    return err;
}

enum err config_load(const char *path, struct config **ret, struct error *e)
{
    struct config_places places = config_places_standard();
    return config_load_at(path, &places, &block_view_system, ret, e);
}

enum err config_load_for_trial_at(const char *path, const struct config_places *places,
                                  const struct block_view *view, struct config **ret,
                                  struct error *ret_left_out, struct error *e)
{
    struct config_places spared = *places;
    spared.spare_state_dir = true;
    ret_left_out->code = OK;
    enum err err = config_load_at(path, places, view, ret, e);
    if (err == OK || path != NULL) {
        return err;
    }
    struct error first = *e;
    err = config_load_at(NULL, &spared, view, ret, e);
    if (err == OK) {
        *ret_left_out = first;
    }
    return err;
}

enum err config_load_for_trial(const char *path, struct config **ret, struct error *ret_left_out,
                               struct error *e)
{
    struct config_places places = config_places_standard();
    return config_load_for_trial_at(path, &places, &block_view_system, ret, ret_left_out, e);
}

unsigned config_workers(const struct config *c, unsigned cpus)
{
    if (c->workers != WORKERS_AUTO) {
        return c->workers;
    }
    // One worker beside the reader and the writer would only add a hand-over to a single CPU.
    if (cpus <= 1) {
        return 0;
    }
    // One more, because one or another of them waits for the medium.
    return cpus + 1 < CONFIG_WORKERS_AUTO_MAX ? cpus + 1 : CONFIG_WORKERS_AUTO_MAX;
}
