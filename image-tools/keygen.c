// SPDX-License-Identifier: Apache-2.0
#include "image-tools/keygen.h"

#include "image-tools/tool.h"
#include "keys/keygen.h"

enum err verb_keygen(void *context, const struct parsed *args, struct error *e)
{
    struct tool *tool = context;
    const char *dir = args->args[0];
    enum err err = keygen_make(dir, e);
    if (err != OK) {
        return err;
    }
    fprintf(tool->out,
            "%s/trust/root.pem   goes onto devices: what they trust\n"
            "%s/root.key         makes further signers; keep it offline\n"
            "%s/release.pem,key  the first signer\n"
            "%s/second.pem,key   the second signer, for a threshold of two\n",
            dir, dir, dir, dir);
    return tool_finish_output(tool, e);
}
