// SPDX-License-Identifier: Apache-2.0
#include "updater/status.h"

#include "updater/block_stack.h"
#include "updater/lock.h"
#include "updater/policy.h"

#include <inttypes.h>
#include <string.h>

const char *slot_state_name(enum slot_state state)
{
    static const char *const names[] = {
        [SLOT_STATE_UNKNOWN] = "unknown",
        [SLOT_STATE_GOOD] = "good",
        [SLOT_STATE_BAD] = "bad",
        [SLOT_STATE_TRIAL] = "trial",
        [SLOT_STATE_INSTALLED] = "installed",
    };
    return names[state];
}

bool status_fell_back(const struct boot_state *boot, int running)
{
    int trial = boot->trial;
    return trial != SLOT_NONE && trial != running &&
           (!boot->slots[trial].bootable || boot->slots[trial].attempts_left == 0);
}

enum slot_state status_slot_state(const struct boot_setup *setup, const struct boot_state *boot,
                                  const struct journal *journal, int running, int slot)
{
    enum slot_content content = journal->slots[slot].content;
    bool bootable = boot->slots[slot].bootable;
    // Contract bootcount names one slot: that another is not named says nothing about it.
    bool shut_out = setup->contract == CONTRACT_ORDER && !bootable;
    if (boot->trial == slot) {
        return status_fell_back(boot, running) ? SLOT_STATE_BAD : SLOT_STATE_TRIAL;
    }
    if (content == CONTENT_REJECTED) {
        return SLOT_STATE_BAD;
    }
    if (slot == running) {
        return shut_out ? SLOT_STATE_BAD : SLOT_STATE_GOOD;
    }
    if (content == CONTENT_PARTIAL) {
        return SLOT_STATE_BAD;
    }
    if (content == CONTENT_INSTALLED) {
        return SLOT_STATE_INSTALLED;
    }
    if (content == CONTENT_UNKNOWN) {
        return SLOT_STATE_UNKNOWN;
    }
    return shut_out ? SLOT_STATE_BAD : SLOT_STATE_GOOD;
}

static void warn(struct status *s, const char *sentence)
{
    if (s->warning_count < STATUS_WARNINGS_MAX) {
        s->warnings[s->warning_count++] = sentence;
    }
}

static void read_boot(struct device *d, struct status *s)
{
    s->boot_known = boot_state_read(&d->config->boot, d->env, &s->boot, &s->boot_error) == OK;
    s->copies_total = d->env->copies_total;
    s->copies_good = d->env->copies_good;
    if (!s->boot_known) {
        return;
    }
    s->fell_back = status_fell_back(&s->boot, d->running);
    for (int i = 0; i < SLOT_COUNT; i++) {
        s->slots[i] = status_slot_state(&d->config->boot, &s->boot, &d->journal, d->running, i);
    }
    if (s->copies_good < s->copies_total) {
        warn(s, "one copy of the boot environment is damaged; the next store repairs it");
    }
}

static void read_floor(const struct device *d, struct status *s)
{
    struct policy_floors floors = {
        .journal = d->journal.floor,
        .environment = s->boot_known ? s->boot.floor : 0,
    };
    bool settled = s->boot_known && s->boot.trial != d->running;
    floors.confirmed_known = journal_newest_confirmed(&d->journal, settled ? d->running : SLOT_NONE,
                                                      &floors.confirmed_index);
    bool damaged;
    s->floor = policy_floor(&floors, &damaged);
    if (damaged || (s->boot_known && s->boot.floor_damaged)) {
        warn(s, "a copy of the release floor is damaged and not obeyed");
    }
}

// The next start is refused, see journal.h.
static bool is_given_up(const struct journal *j, const struct status *s)
{
    return j->step == STEP_INSTALLING && j->restarts >= RESTARTS_MAX && !s->under_way;
}

static void read_update(const struct device *d, struct status *s)
{
    const struct journal *j = &d->journal;
    s->under_way = update_lock_held(d->config->state_dir);
    s->percent = -1;
    if (j->step == STEP_INSTALLING && j->chunk_count > 0 && j->next_chunk <= j->chunk_count) {
        s->percent = (int)((uint64_t)j->next_chunk * 100 / j->chunk_count);
    } else if (j->step == STEP_INSTALLED || j->step == STEP_ACTIVATING || j->step == STEP_TRIAL) {
        s->percent = 100;
    }
    if (j->lost) {
        warn(s, "the journal was damaged: what earlier updates did is not known any more");
    }
    if (is_given_up(j, s)) {
        warn(s, "an installation was interrupted too often and is not begun again by itself");
    } else if (j->step == STEP_INSTALLING && !s->under_way) {
        warn(s, "an installation was interrupted; run it again");
    }
}

// A slot is one whole with its record only as long as nothing writes to it.
static void look_for_writers(const struct device *d, const struct block_view *view,
                             struct status *s)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        const struct config_slot *slot = &d->config->slots[i];
        for (size_t p = 0; p < slot->partition_count; p++) {
            struct block_id id;
            if (block_id_of(view, slot->partitions[p].path, &id) && id.ino == 0 &&
                block_is_mounted_writable(view, id.dev)) {
                warn(s, i == d->running
                            ? "the running slot is mounted writable: mount it read-only, or it "
                              "can never be activated again"
                            : "the other slot is mounted writable: unmount it");
                break;
            }
        }
    }
}

// What keeps the next image out is better known before it comes.
static void look_for_trust(struct device *d, struct status *s)
{
    struct error ignored;
    if (device_load_trust(d, &ignored) != OK) {
        warn(s, "the trust directory cannot be used: no image can be installed");
    }
}

// --- the sentence --------------------------------------------------------------------------------

static void PRINTF_LIKE(2, 3) say(struct status *s, const char *fmt, ...)
{
    size_t used = strlen(s->summary);
    va_list args;
    va_start(args, fmt);
    vsnprintf(s->summary + used, sizeof s->summary - used, fmt, args);
    va_end(args);
}

static const char *slot_name(const struct device *d, int slot)
{
    return d->config->slots[slot].name;
}

// What a slot holds, in words; `unknown` when there are none, as for one that is not whole.
static const char *held_by(const struct device *d, int slot, const char *unknown)
{
    enum slot_content content = d->journal.slots[slot].content;
    const char *version = d->journal.slots[slot].release.version;
    bool whole = content != CONTENT_UNKNOWN && content != CONTENT_PARTIAL;
    return whole && version[0] != '\0' ? version : unknown;
}

static void say_running(const struct device *d, struct status *s)
{
    say(s, "Running %s from slot %s", held_by(d, d->running, "an unknown release"),
        slot_name(d, d->running));
    if (s->boot_known && s->boot.trial == d->running) {
        say(s,
            ", on trial, %u attempts left: 'vv-update confirm' keeps it when it is healthy, else "
            "slot %s boots again",
            s->boot.slots[d->running].attempts_left, slot_name(d, other_slot(d->running)));
    }
    say(s, ".");
}

static void say_next(const struct device *d, struct status *s)
{
    int other = other_slot(d->running);
    if (!s->boot_known) {
        say(s, " The boot environment cannot be read: what boots next is not known.");
    } else if (s->fell_back) {
        say(s,
            " %s in slot %s used up its attempts without being confirmed, and the boot loader "
            "fell back; 'vv-update confirm' records that.",
            held_by(d, other, "An unknown release"), slot_name(d, other));
    } else if (s->boot.next == SLOT_NONE) {
        say(s, " No slot is bootable: the device would not start again; 'vv-update mark good' "
               "makes the running slot bootable.");
    } else if (s->boot.trial == other && s->boot.next == other) {
        say(s, " %s is installed in slot %s and boots next, on trial, with %u attempts.",
            held_by(d, other, "An unknown release"), slot_name(d, other),
            s->boot.slots[other].attempts_left);
    } else if (s->boot.trial != d->running) {
        say(s, " Slot %s boots next.", slot_name(d, s->boot.next));
    }
}

static void say_install(const struct device *d, struct status *s)
{
    const struct journal *j = &d->journal;
    say(s, " The installation of %s into slot %s %s",
        j->release.version[0] != '\0' ? j->release.version : "a release", slot_name(d, j->slot),
        s->under_way ? "is under way" : "was interrupted");
    if (s->percent >= 0) {
        say(s, " at %d %%", s->percent);
    }
    if (j->restarts > 0) {
        say(s, ", cut off %" PRIu32 " times in a row without getting further", j->restarts);
    }
    if (is_given_up(j, s)) {
        say(s, "; install another release, or this one with 'vv-update install --again'");
    } else if (!s->under_way) {
        say(s, "; run it again to go on");
    }
    say(s, ".");
}

static void say_update(const struct device *d, struct status *s)
{
    const struct journal *j = &d->journal;
    int other = other_slot(d->running);
    if (j->step == STEP_INSTALLING && j->slot != SLOT_NONE) {
        say_install(d, s);
    } else if (s->slots[other] == SLOT_STATE_INSTALLED && !s->boot.slots[other].bootable) {
        say(s,
            " %s is installed in slot %s and not activated; 'vv-update activate' lets it boot "
            "next.",
            held_by(d, other, "An unknown release"), slot_name(d, other));
    }
}

void status_read(struct device *d, struct status *ret)
{
    *ret = (struct status){.boot = {.next = SLOT_NONE, .trial = SLOT_NONE}};
    read_boot(d, ret);
    read_floor(d, ret);
    read_update(d, ret);
    look_for_writers(d, &block_view_system, ret);
    look_for_trust(d, ret);
    say_running(d, ret);
    say_next(d, ret);
    say_update(d, ret);
}
