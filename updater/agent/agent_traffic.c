// SPDX-License-Identifier: Apache-2.0
#include "updater/agent/agent_parts.h"

static struct traffic_clock clock_of(const struct agent *a)
{
    const struct clock *clock = a->device->clock;
    bool synchronised;
    return (struct traffic_clock){.wall_s = clock->ops->wall_s(clock, &synchronised),
                                  .floor_s = device_time_floor(a->device)};
}

// What cannot be kept counts as long as this agent runs.
static void save(struct agent *a)
{
    struct error e;
    enum err err = traffic_save(a->device->state, &a->traffic, &e);
    (void)agent_tell_trouble(a, TASK_TRAFFIC, err, &e);
}

enum err agent_load_traffic(struct agent *a, struct error *e)
{
    enum err err = traffic_load(a->device->state, &a->traffic, e);
    if (err == OK && a->traffic.lost) {
        log_warn(a->log, "the record of the month's downloads is damaged, and begins anew");
    }
    return err;
}

void agent_count_traffic(struct agent *a)
{
    const struct traffic_clock clock = clock_of(a);
    if (traffic_count(&a->traffic, &a->device->journal, &clock)) {
        save(a);
    }
}

void agent_add_traffic(struct agent *a, uint64_t bytes)
{
    const struct traffic_clock clock = clock_of(a);
    if (bytes > 0 && source_http_is_url(a->offer.record.offer.url)) {
        traffic_add(&a->traffic, bytes, &clock);
        save(a);
    }
}

uint64_t agent_next_month_s(const struct agent *a)
{
    const struct traffic_clock clock = clock_of(a);
    return traffic_next_month_s(&clock);
}
