// SPDX-License-Identifier: Apache-2.0
// The table of lives.
#include "tests/sim/life.h"
#include "tests/sim/sim_kit_bytes.h"

#define DO(what)                                                                                   \
    {                                                                                              \
        .op = what                                                                                 \
    }
#define DO_WITH(what, which)                                                                       \
    {                                                                                              \
        .op = what, .release = which                                                               \
    }
#define TRY(what, which)                                                                           \
    {                                                                                              \
        .op = what, .release = which, .tried = true                                                \
    }

// Release 1 is in slot b, confirmed; slot a still holds the factory's system.
#define FIRST_UPDATE DO(OP_BOOT), DO_WITH(OP_INSTALL, 1), DO(OP_BOOT), DO(OP_CONFIRM)

// With a delta pack beside the image.
#define UPDATE_BY_PACK(kind)                                                                       \
    .steps = {DO_WITH(OP_INSTALL, SIM_PATCHED), DO(OP_BOOT), DO(OP_CONFIRM)},                      \
    .wish = DO_WITH(OP_INSTALL, SIM_PATCHED), .bytes = true, .pack = (kind),                       \
    .ends_with = RUNS(SIM_PATCHED)

// The agent does as the server says, who offers `release`, from the offer to the report.
#define OFFERED(release, ends) .setup = {FIRST_UPDATE}, .offered = {release}, .ends_with = (ends)
// And says which one it is.
#define NAMED(release, ends) OFFERED(release, ends), .named = true
#define REPORTED                                                                                   \
    .steps = {DO(OP_AGENT), DO(OP_BOOT),    DO(OP_AGENT), DO(OP_CONFIRM),                          \
              DO(OP_BOOT),  DO(OP_CONFIRM), DO(OP_AGENT)}

const struct life lives[] = {
    {
        .name = "first",
        .setup = {DO(OP_BOOT)},
        .steps = {DO_WITH(OP_INSTALL, 1), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 1),
        .ends_with = RUNS(1),
    },
    {
        .name = "update",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .ends_with = RUNS(2),
    },
    {
        .name = "older", // than the floor, and then a confirm before its time
        .setup = {FIRST_UPDATE, DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .steps = {DO_WITH(OP_INSTALL, 3), DO(OP_CONFIRM), DO(OP_BOOT), DO(OP_CONFIRM),
                  TRY(OP_INSTALL, 1), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 3),
        .ends_with = RUNS(3),
    },
    {
        .name = "reject", // and nobody waits for the reboot
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM), TRY(OP_INSTALL, 3),
                  TRY(OP_ROLLBACK, 0), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .sick = 2,
        .ends_with = RUNS(1),
    },
    {
        .name = "flap",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .sick = 2,
        .recovers = true,
        .polls = true,
        .ends_with = RUNS(1) | RUNS(2),
    },
    {
        .name = "hang",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_BOOT), DO(OP_BOOT), DO(OP_BOOT),
                  DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .sick = 2,
        .hangs = true,
        .ends_with = RUNS(1),
    },
    {
        .name = "dead",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .dead = 2,
        .ends_with = RUNS(1),
    },
    // A call that fails may end it.
    {.name = "offer", OFFERED(2, RUNS(1) | RUNS(2)), REPORTED},
    {.name = "offer-sick", NAMED(2, RUNS(1)), REPORTED, .sick = 2},
    {.name = "offer-dead", OFFERED(2, RUNS(1)), REPORTED, .dead = 2},
    {.name = "offer-known", NAMED(1, RUNS(1)), .steps = {DO(OP_AGENT)}}, // it runs already
    {
        .name = "offer-hangs", // and three boots without confirm wear out what was not updated
        OFFERED(2, RUNS(0) | RUNS(1)),
        .steps = {DO(OP_AGENT), DO(OP_BOOT), DO(OP_AGENT), DO(OP_BOOT), DO(OP_BOOT), DO(OP_BOOT),
                  DO(OP_AGENT), DO(OP_CONFIRM), DO(OP_AGENT)},
        .sick = 2,
        .hangs = true,
    },
    {
        .name = "offer-next", // comes before the first one is reported
        .setup = {FIRST_UPDATE},
        .steps = {DO(OP_AGENT), DO(OP_BOOT), DO(OP_CONFIRM), DO_WITH(OP_AGENT, OFFER_STEP_REPORT),
                  DO(OP_PUBLISH), DO_WITH(OP_AGENT, OFFER_STEP_REPORT), DO(OP_AGENT), DO(OP_BOOT),
                  DO(OP_AGENT), DO(OP_CONFIRM), DO(OP_AGENT)},
        .offered = {2, 3},
        .named = true,
        .ends_with = RUNS(1) | RUNS(2) | RUNS(3),
    },
    {
        .name = "offer-flipped", // the operator has installed that release, all but the reboot
        NAMED(2, RUNS(1) | RUNS(2)),
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_AGENT), DO(OP_BOOT), DO(OP_AGENT), DO(OP_CONFIRM),
                  DO(OP_AGENT)},
    },
    {
        .name = "offer-flipped-sick", // and does so after it was accepted
        NAMED(2, RUNS(1)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_INSTALL), DO_WITH(OP_INSTALL, 2), DO(OP_AGENT),
                  DO(OP_BOOT), DO(OP_AGENT), DO(OP_CONFIRM), DO(OP_BOOT), DO(OP_CONFIRM),
                  DO(OP_AGENT)},
        .sick = 2,
    },
    {
        .name = "offer-flipped-undone", // and takes it back when the agent has ordered the reboot
        NAMED(2, RUNS(0) | RUNS(1) | RUNS(2)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_INSTALL), DO_WITH(OP_INSTALL, 2), DO(OP_AGENT),
                  DO(OP_ROLLBACK), DO(OP_AGENT), DO(OP_BOOT), DO(OP_CONFIRM), DO(OP_AGENT)},
        .meddled = true,
    },
    {
        .name = "offer-flipped-kept", // and cancels in vain
        NAMED(2, RUNS(1) | RUNS(2)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_INSTALL), DO_WITH(OP_INSTALL, 2), TRY(OP_CANCEL, 0),
                  DO(OP_AGENT), DO(OP_BOOT), DO(OP_AGENT), DO(OP_CONFIRM), DO(OP_AGENT)},
    },
    {
        .name = "offer-cancelled", // during the download, which comes to its end all the same
        NAMED(2, RUNS(1) | RUNS(2)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_INSTALL), DO(OP_CANCEL), DO_WITH(OP_STAGE, 2),
                  DO(OP_AGENT), DO(OP_BOOT), DO(OP_CONFIRM), DO(OP_AGENT)},
        .meddled = true,
    },
    {
        .name = "offer-meddled", // the operator installs something else over it
        NAMED(2, RUNS(1) | RUNS(2) | RUNS(3)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_ACTIVATE), DO_WITH(OP_INSTALL, 3), DO(OP_AGENT),
                  DO(OP_BOOT), DO(OP_AGENT), DO(OP_CONFIRM), DO(OP_AGENT)},
        .meddled = true,
    },
    {
        .name = "offer-undone", // the operator takes the trial back before it begins
        OFFERED(2, RUNS(0) | RUNS(1) | RUNS(2)),
        .steps = {DO_WITH(OP_AGENT, OFFER_STEP_REBOOT), DO(OP_ROLLBACK), DO(OP_AGENT), DO(OP_BOOT),
                  DO(OP_CONFIRM), DO(OP_AGENT)},
        .meddled = true,
    },
    {
        .name = "twice",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO_WITH(OP_INSTALL, 3), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 3),
        .ends_with = RUNS(3),
    },
    {
        .name = "impatient",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), TRY(OP_INSTALL, 3), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .ends_with = RUNS(2),
    },
    {
        .name = "staged",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_STAGE, 2), TRY(OP_MARK_BAD, 0), DO(OP_ACTIVATE), DO(OP_BOOT),
                  DO(OP_MARK_GOOD)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .ends_with = RUNS(2),
    },
    {
        .name = "rotten",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_STAGE, 2), DO(OP_ROT), TRY(OP_ACTIVATE, 0), DO(OP_BOOT),
                  DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 2),
        .ends_with = RUNS(1) | RUNS(2),
    },
    {
        .name = "liar", // the record of the target says what it does not hold any more
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_STAGE, 2), DO(OP_ROT), DO_WITH(OP_INSTALL, 3), DO(OP_BOOT),
                  DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 3),
        .ends_with = RUNS(3),
    },
    {
        .name = "rollback",
        .setup = {FIRST_UPDATE, DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .steps = {DO(OP_ROLLBACK), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_ROLLBACK, 1),
        .ends_with = RUNS(1),
    },
    {
        .name = "panic", // whatever happened, the operator wants the other system
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = TRY(OP_ROLLBACK, SIM_UNKNOWN),
        .ends_with = RUNS(0) | RUNS(1) | RUNS(2),
    },
    {
        .name = "taken-back",
        .setup = {FIRST_UPDATE},
        .steps = {DO_WITH(OP_INSTALL, 2), DO(OP_ROLLBACK), DO(OP_BOOT), DO(OP_CONFIRM)},
        .ends_with = RUNS(1) | RUNS(2),
    },
    {
        .name = "marked-bad",
        .setup = {FIRST_UPDATE, DO_WITH(OP_INSTALL, 2), DO(OP_BOOT), DO(OP_CONFIRM)},
        .steps = {DO(OP_MARK_BAD), DO(OP_BOOT), DO(OP_CONFIRM), DO_WITH(OP_INSTALL, 3), DO(OP_BOOT),
                  DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, 3),
        .ends_with = RUNS(3),
    },
    {
        .name = "packed",
        .setup = {FIRST_UPDATE},
        UPDATE_BY_PACK(SIM_PACK_RIGHT),
    },
    {
        .name = "foreign", // no delta leads to the image
        .setup = {FIRST_UPDATE},
        UPDATE_BY_PACK(SIM_PACK_FOREIGN),
    },
    {
        .name = "damaged",
        .setup = {FIRST_UPDATE},
        UPDATE_BY_PACK(SIM_PACK_DAMAGED),
    },
    {
        .name = "replaced", // the record of the running slot lies: no copy is right, no delta
        .setup = {FIRST_UPDATE, DO(OP_REPLACE), DO(OP_BOOT)},
        UPDATE_BY_PACK(SIM_PACK_RIGHT),
    },
    {
        .name = "searched", // the running slot has no record, and what it has moved by bytes
        .setup = {DO(OP_BOOT)},
        .steps = {DO_WITH(OP_INSTALL, SIM_MOVED), DO(OP_BOOT), DO(OP_CONFIRM)},
        .wish = DO_WITH(OP_INSTALL, SIM_MOVED),
        .bytes = true,
        .ends_with = RUNS(SIM_MOVED),
    },
};
const size_t lives_count = sizeof lives / sizeof lives[0];
