// SPDX-License-Identifier: Apache-2.0
// An offer: one source asks this device to run one release, and waits for one final report.
//
//   phase      | what is on record                     | what is done in it
//   -----------+---------------------------------------+-------------------------------------------
//   accepted   | the offer                             | install without activating
//   installed  | its release, and the slot that has it | waits for its time
//   activating | the boot in which it was begun        | the flip: once it is done, no cancel
//   activated  |                                       | waits for its time
//   rebooting  | the boot in which it was ordered      | the reboot, and the trial behind it
//   done       | outcome, reason, time                 | the report, until the source has it
//
// Invariants
// 1. A phase is on record before what it names is done, and never the other way round.
// 2. The phase says what this agent did last; what is true of the device (which slot runs, which is
//    on trial, what was found healthy) is read from environment and journal each time.
#ifndef UPDATER_AGENT_OFFER_H
#define UPDATER_AGENT_OFFER_H

enum { OFFER_SOURCE_MAX = 64, OFFER_ID_MAX = 256, OFFER_URL_MAX = 2048 };

struct offer {
    char source[OFFER_SOURCE_MAX + 1]; // name of who offers it, and gets the report
    char id[OFFER_ID_MAX + 1];         // the source's own name for it
    char url[OFFER_URL_MAX + 1];       // what `vv-update install` takes
};

enum offer_phase {
    OFFER_NONE,
    OFFER_ACCEPTED,
    OFFER_INSTALLED,
    OFFER_ACTIVATING,
    OFFER_ACTIVATED,
    OFFER_REBOOTING,
    OFFER_DONE,
};

enum offer_outcome { OFFER_UNDECIDED, OFFER_SUCCESS, OFFER_FAILURE, OFFER_CANCELLED };

#endif
