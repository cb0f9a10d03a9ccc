// SPDX-License-Identifier: Apache-2.0
#include "bootloader/env_vars.h"

#include <string.h>

enum { FIRST_ROOM = 64 };

void env_vars_clear(struct env_vars *vars)
{
    for (size_t i = 0; i < vars->count; i++) {
        free(vars->items[i].name);
        free(vars->items[i].value);
    }
    free(vars->items);
    *vars = (struct env_vars){0};
}

// Where `name` is, or would be inserted.
static size_t find_place(const struct env_vars *vars, const char *name, bool *ret_found)
{
    size_t low = 0;
    size_t high = vars->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(vars->items[middle].name, name);
        if (order == 0) {
            *ret_found = true;
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    *ret_found = false;
    return low;
}

const char *env_vars_get(const struct env_vars *vars, const char *name)
{
    bool found;
    size_t place = find_place(vars, name, &found);
    return found ? vars->items[place].value : NULL;
}

static void remove_at(struct env_vars *vars, size_t place)
{
    free(vars->items[place].name);
    free(vars->items[place].value);
    vars->count--;
    memmove(vars->items + place, vars->items + place + 1,
            (vars->count - place) * sizeof *vars->items);
}

static bool make_room(struct env_vars *vars)
{
    if (vars->items != NULL && vars->count < vars->room) {
        return true;
    }
    size_t room = vars->room == 0 ? FIRST_ROOM : vars->room * 2;
    struct env_var *items = reallocarray(vars->items, room, sizeof *items);
    if (items == NULL) {
        return false;
    }
    vars->items = items;
    vars->room = room;
    return true;
}

static enum err insert_at(struct env_vars *vars, size_t place, const char *name, const char *value,
                          struct error *e)
{
    CLEANUP(cleanup_free) char *new_name = strdup(name);
    CLEANUP(cleanup_free) char *new_value = strdup(value);
    if (new_name == NULL || new_value == NULL || !make_room(vars)) {
        return fail_memory(e);
    }
    memmove(vars->items + place + 1, vars->items + place,
            (vars->count - place) * sizeof *vars->items);
    vars->items[place] = (struct env_var){.name = TAKE_PTR(new_name), .value = TAKE_PTR(new_value)};
    vars->count++;
    return OK;
}

enum err env_vars_set(struct env_vars *vars, const char *name, const char *value, struct error *e)
{
    bool found;
    size_t place = find_place(vars, name, &found);
    if (!found) {
        return value == NULL ? OK : insert_at(vars, place, name, value, e);
    }
    if (value == NULL) {
        remove_at(vars, place);
        return OK;
    }
    char *copy = strdup(value);
    if (copy == NULL) {
        return fail_memory(e);
    }
    free(vars->items[place].value);
    vars->items[place].value = copy;
    return OK;
}

enum err env_vars_copy(const struct env_vars *from, struct env_vars *ret, struct error *e)
{
    CLEANUP(env_vars_clear) struct env_vars copy = {0};
    for (size_t i = 0; i < from->count; i++) {
        enum err r = env_vars_set(&copy, from->items[i].name, from->items[i].value, e);
        if (r != OK) {
            return r;
        }
    }
    *ret = copy;
    copy = (struct env_vars){0};
    return OK;
}

const char *env_vars_difference(const struct env_vars *a, const struct env_vars *b)
{
    for (size_t i = 0; i < a->count && i < b->count; i++) {
        int order = strcmp(a->items[i].name, b->items[i].name);
        if (order != 0) {
            return order < 0 ? a->items[i].name : b->items[i].name;
        }
        if (strcmp(a->items[i].value, b->items[i].value) != 0) {
            return a->items[i].name;
        }
    }
    if (a->count == b->count) {
        return NULL;
    }
    return a->count > b->count ? a->items[b->count].name : b->items[a->count].name;
}
