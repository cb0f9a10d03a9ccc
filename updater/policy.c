// SPDX-License-Identifier: Apache-2.0
#include "updater/policy.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

static bool is_listed(const struct name_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->names[i], name) == 0) {
            return true;
        }
    }
    return false;
}

// "2026-01-31 09:30:00 UTC", for people.
static const char *format_time(uint64_t seconds, char *buf, size_t len)
{
    time_t t = (time_t)seconds;
    struct tm tm;
    if (gmtime_r(&t, &tm) == NULL || strftime(buf, len, "%F %T UTC", &tm) == 0) {
        snprintf(buf, len, "%" PRIu64, seconds);
    }
    return buf;
}

enum err policy_check_device(const struct manifest *m, const struct policy_facts *f,
                             struct error *e)
{
    if (strcmp(m->product, f->product) != 0) {
        return fail(e, ERR_TRUST, 0, "the image is for product %s, this device is %s", m->product,
                    f->product);
    }
    if (!is_listed(&m->compatible, f->compatible)) {
        return fail(e, ERR_TRUST, 0,
                    "the image is not compatible with this device: its list (%s%s) does not have "
                    "%s",
                    m->compatible.names[0], m->compatible.count > 1 ? ", ..." : "", f->compatible);
    }
    if (m->device_ids.count == 0) {
        return OK;
    }
    if (f->device_id == NULL || f->device_id[0] == '\0') {
        return fail(
            e, ERR_TRUST, 0,
            "the image is for named devices only, and this device has no id ([device] id=)");
    }
    if (!is_listed(&m->device_ids, f->device_id)) {
        return fail(e, ERR_TRUST, 0, "the image is for other devices: its list does not have %s",
                    f->device_id);
    }
    return OK;
}

static enum err check_release_order(const struct manifest *m, const struct policy_facts *f,
                                    struct error *e)
{
    if (m->release_index < f->floor) {
        return fail(e, ERR_TRUST, 0,
                    "release %" PRIu64 " is below the floor %" PRIu64
                    " that a confirmed release has set",
                    m->release_index, f->floor);
    }
    if (f->running_confirmed && m->release_index < f->running_index && !m->allow_downgrade) {
        return fail(e, ERR_TRUST, 0,
                    "release %" PRIu64 " is older than the running release %" PRIu64
                    ", and the image does not allow a downgrade",
                    m->release_index, f->running_index);
    }
    return policy_check_min_from(m, f, e);
}

enum err policy_check_min_from(const struct manifest *m, const struct policy_facts *f,
                               struct error *e)
{
    if (m->min_from == 0) {
        return OK;
    }
    if (!f->running_known) {
        return fail(e, ERR_TRUST, 0,
                    "the image may be installed from release %" PRIu64
                    " on, and which release is running is not known",
                    m->min_from);
    }
    if (f->running_index < m->min_from) {
        return fail(e, ERR_TRUST, 0,
                    "the image may be installed from release %" PRIu64 " on, running is %" PRIu64
                    ": install a release between them first",
                    m->min_from, f->running_index);
    }
    return OK;
}

static enum err check_times(const struct manifest *m, const struct policy_facts *f, struct error *e)
{
    char then[32];
    char limit[32];
    if (m->not_after != 0 && m->not_after < f->time_floor_s) {
        return fail(e, ERR_TRUST, 0, "the image expired at %s, and it is %s or later",
                    format_time(m->not_after, then, sizeof then),
                    format_time(f->time_floor_s, limit, sizeof limit));
    }
    if (m->created > f->signer_not_after_s) {
        return fail(e, ERR_TRUST, 0,
                    "the image says it was made at %s, after a certificate that signed it had "
                    "ended at %s",
                    format_time(m->created, then, sizeof then),
                    format_time(f->signer_not_after_s, limit, sizeof limit));
    }
    return OK;
}

static bool slot_has(const struct config_slot *slot, const char *name)
{
    for (size_t i = 0; i < slot->partition_count; i++) {
        if (strcmp(slot->partitions[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool manifest_has(const struct manifest *m, const char *name)
{
    for (size_t i = 0; i < m->partition_count; i++) {
        if (strcmp(m->partitions[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// Mix-and-match: a slot is replaced as a whole, with the partitions of one release.
static enum err check_partitions(const struct manifest *m, const struct config_slot *slot,
                                 struct error *e)
{
    for (size_t i = 0; i < m->partition_count; i++) {
        if (!slot_has(slot, m->partitions[i].name)) {
            return fail(e, ERR_TRUST, 0, "the image has a partition %s, slot %s has none",
                        m->partitions[i].name, slot->name);
        }
    }
    for (size_t i = 0; i < slot->partition_count; i++) {
        if (!manifest_has(m, slot->partitions[i].name)) {
            return fail(e, ERR_TRUST, 0, "slot %s has a partition %s, the image has none",
                        slot->name, slot->partitions[i].name);
        }
    }
    return OK;
}

enum err policy_check(const struct manifest *m, const struct policy_facts *facts, struct error *e)
{
    enum err err = policy_check_device(m, facts, e);
    if (err == OK) {
        err = check_release_order(m, facts, e);
    }
    if (err == OK) {
        err = check_times(m, facts, e);
    }
    if (err == OK) {
        err = check_partitions(m, facts->slot, e);
    }
    return err;
}

enum err policy_check_size(const struct partition_info *image, const char *slot_name,
                           uint64_t partition_size, struct error *e)
{
    if (image->image_size > partition_size) {
        return fail(e, ERR_TOO_LARGE, 0,
                    "partition %s of the image has %" PRIu64 " bytes, that of slot %s has %" PRIu64,
                    image->name, image->image_size, slot_name, partition_size);
    }
    return OK;
}

uint64_t policy_floor(const struct policy_floors *f, bool *ret_damaged)
{
    uint64_t floor = 0;
    const uint64_t copies[] = {f->journal, f->environment};
    bool agree = f->journal == f->environment;
    uint64_t limit = f->confirmed_known && !agree ? f->confirmed_index : INT64_MAX;
    *ret_damaged = false;
    for (size_t i = 0; i < sizeof copies / sizeof copies[0]; i++) {
        if (copies[i] > limit) {
            *ret_damaged = true;
        } else if (copies[i] > floor) {
            floor = copies[i];
        }
    }
    return floor;
}
