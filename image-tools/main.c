// SPDX-License-Identifier: Apache-2.0
// vv-image: builds, signs, verifies and inspects .vvi images, and delta packs between them, on a
// build host.
#include "base/version.h"
#include "image-tools/build.h"
#include "image-tools/delta.h"
#include "image-tools/inspect.h"
#include "image-tools/keygen.h"
#include "image-tools/sign.h"
#include "image-tools/tool.h"
#include "image-tools/verify.h"

static const struct command commands[] = {
    {"keygen", "DIR", 1, 1, "make a root and two signers under it", NULL, verb_keygen},
    {"build", "", 0, 0, "make an image out of partition images", build_option_specs, verb_build},
    {"delta", "", 0, 0, "make a delta pack: what differs between two images", delta_option_specs,
     verb_delta},
    {"sign", "IMG", 1, 1, "add one signature to an image or a pack", sign_option_specs, verb_sign},
    {"verify", "IMG", 1, 1, "check everything: signatures, structure, every byte of the payload",
     verify_option_specs, verb_verify},
    {"inspect", "IMG", 1, 1, "show what an image or a pack says; signatures are not checked",
     inspect_option_specs, verb_inspect},
    {0},
};

int main(int argc, char **argv)
{
    const struct program program = {
        .name = "vv-image",
        .summary = "Makes, signs and checks .vvi system images.",
        .version = vv_version,
        .commands = commands,
    };
    struct tool tool = {
        .log = {.stream = stderr, .program = "vv-image"},
        .out = stdout,
        .clock = &clock_system,
    };
    struct parsed args;
    struct error e;
    enum err err = command_parse(&program, argc, argv, stdout, &args, &e);
    if (err == OK && !args.help) {
        err = args.command->run(&tool, &args, &e);
    }
    if (err != OK) {
        log_error(&tool.log, "%s", e.msg);
    }
    return (int)err;
}
