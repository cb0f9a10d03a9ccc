// SPDX-License-Identifier: Apache-2.0
#include "bootloader/bootenv.h"

enum err bootenv_load(struct bootenv *env, struct error *e)
{
    env->both_copies = false;
    return env->ops->load(env, e);
}

const char *bootenv_get(const struct bootenv *env, const char *name)
{
    return env->ops->get(env, name);
}

enum err bootenv_set(struct bootenv *env, const char *name, const char *value, struct error *e)
{
    return env->ops->set(env, name, value, e);
}

enum err bootenv_commit(struct bootenv *env, bool *ret_stored, struct error *e)
{
    enum err r = env->ops->commit(env, ret_stored, e);
    env->both_copies = false;
    return r;
}

void bootenv_close(struct bootenv *env)
{
    env->ops->close(env);
}
