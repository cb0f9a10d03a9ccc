// SPDX-License-Identifier: Apache-2.0
#include "updater/running_slot.h"

#include "base/file.h"
#include "updater/block_stack.h"
#include "updater/slot_devices.h"

#include <string.h>

enum { CMDLINE_MAX = 64 * 1024 };

// What one parameter of the command line says, over all its occurrences.
struct voice {
    const char *key;   // "vv.slot="
    int slot;          // SLOT_NONE: nothing so far
    bool split;        // it names two slots
    char unknown[128]; // a value that names no slot; "" for none
};

static void hear(struct voice *v, int slot, const char *value)
{
    if (slot == SLOT_NONE) {
        snprintf(v->unknown, sizeof v->unknown, "%s", value);
        return;
    }
    v->split = v->split || (v->slot != SLOT_NONE && v->slot != slot);
    v->slot = slot;
}

static int slot_named(const struct config *c, const char *value, bool by_bootname)
{
    for (int i = 0; i < SLOT_COUNT; i++) {
        const struct boot_slot *s = &c->boot.slots[i];
        if (strcmp(s->name, value) == 0 || (by_bootname && strcmp(s->bootname, value) == 0)) {
            return i;
        }
    }
    return SLOT_NONE;
}

// The next parameter of a command line, its quotes removed as the kernel does; NULL at the end.
// "--" ends what is meant for the kernel: behind it stand arguments of init.
static char *next_parameter(char **rest)
{
    char *in = *rest + strspn(*rest, " \t\n");
    if (*in == '\0') {
        return NULL;
    }
    char *start = in;
    char *out = in;
    bool quoted = false;
    for (; *in != '\0' && (quoted || strchr(" \t\n", *in) == NULL); in++) {
        if (*in == '"') {
            quoted = !quoted;
        } else {
            *out++ = *in;
        }
    }
    *rest = *in == '\0' ? in : in + 1;
    *out = '\0';
    return strcmp(start, "--") == 0 ? NULL : start;
}

enum { VOICE_VV, VOICE_RAUC, VOICE_ROOT, VOICE_COUNT };

static void listen(const struct config *c, const struct block_view *view, char *cmdline,
                   struct voice voices[VOICE_COUNT])
{
    for (char *p = next_parameter(&cmdline); p != NULL; p = next_parameter(&cmdline)) {
        for (int i = 0; i < VOICE_COUNT; i++) {
            size_t len = strlen(voices[i].key);
            if (strncmp(p, voices[i].key, len) != 0) {
                continue;
            }
            const char *value = p + len;
            int slot = i == VOICE_ROOT ? slot_of_root(c, view, value)
                                       : slot_named(c, value, i == VOICE_RAUC);
            hear(&voices[i], slot, value);
        }
    }
}

static enum err decide(const struct config *c, const struct voice voices[VOICE_COUNT],
                       int *ret_slot, struct error *e)
{
    const struct voice *first = NULL;
    for (int i = 0; i < VOICE_COUNT; i++) {
        const struct voice *v = &voices[i];
        if (v->split) {
            return fail(e, ERR_NOT_NOW, 0,
                        "the kernel command line names both slots with %s: running slot unclear",
                        v->key);
        }
        // root= of a system that was started through a RAM disk may name anything.
        if (first == NULL && v->unknown[0] != '\0' && i != VOICE_ROOT) {
            return fail(e, ERR_NOT_NOW, 0,
                        "the kernel command line says %s%s, and no slot has this name: running "
                        "slot unclear",
                        v->key, v->unknown);
        }
        if (first != NULL && v->slot != SLOT_NONE && v->slot != first->slot) {
            return fail(e, ERR_NOT_NOW, 0,
                        "the kernel command line names slot %s with %s and slot %s with %s: "
                        "running slot unclear",
                        c->slots[first->slot].name, first->key, c->slots[v->slot].name, v->key);
        }
        first = first == NULL && v->slot != SLOT_NONE ? v : first;
    }
    if (first == NULL) {
        return fail(e, ERR_NOT_NOW, 0,
                    "the kernel command line names no slot (vv.slot=, rauc.slot= or root=): "
                    "running slot unclear");
    }
    *ret_slot = first->slot;
    return OK;
}

enum err running_slot_from_cmdline_at(const struct config *c, const struct block_view *view,
                                      const char *cmdline, int *ret_slot, struct error *e)
{
    struct voice voices[VOICE_COUNT] = {
        [VOICE_VV] = {.key = "vv.slot=", .slot = SLOT_NONE},
        [VOICE_RAUC] = {.key = "rauc.slot=", .slot = SLOT_NONE},
        [VOICE_ROOT] = {.key = "root=", .slot = SLOT_NONE},
    };
    CLEANUP(cleanup_free) char *copy = strdup(cmdline);
    if (copy == NULL) {
        return fail_memory(e);
    }
    listen(c, view, copy, voices);
    return decide(c, voices, ret_slot, e);
}

enum err running_slot_from_cmdline(const struct config *c, const char *cmdline, int *ret_slot,
                                   struct error *e)
{
    return running_slot_from_cmdline_at(c, &block_view_system, cmdline, ret_slot, e);
}

enum err running_slot_find_at(const struct config *c, const struct block_view *view,
                              const char *root, int *ret_slot, struct error *e)
{
    CLEANUP(cleanup_free) uint8_t *cmdline = NULL;
    size_t len;
    int slot = SLOT_NONE;
    enum err err = file_read(c->cmdline_file, CMDLINE_MAX, &cmdline, &len, e);
    if (err == OK) {
        err = running_slot_from_cmdline_at(c, view, (const char *)cmdline, &slot, e);
    }
    if (err == OK) {
        err = slot_check_root(c, view, root, slot, e);
    }
    if (err == OK) {
        err = slot_check_disk(c, view, slot, e);
    }
    if (err == OK) {
        *ret_slot = slot;
    }
    return err;
}

enum err running_slot_find(const struct config *c, int *ret_slot, struct error *e)
{
    return running_slot_find_at(c, &block_view_system, "/", ret_slot, e);
}
