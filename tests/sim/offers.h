// SPDX-License-Identifier: Apache-2.0
// The agent of a simulated device, and the server that offers it releases and keeps the reports it
// gets. The record, the rules and the order of what is written are the product's
// (updater/agent/offer_run.h); here are the seams below: installs, activations and reboots of the
// world, a clock, and the server, which a cut of the device's power does not touch.
#ifndef TESTS_SIM_OFFERS_H
#define TESTS_SIM_OFFERS_H

#include "updater/agent/offer_step.h"

struct world;
struct life;

enum { SIM_OFFERS = 2 };

struct sim_server {
    bool named; // it says which release it offers, as `check` finds out for the agent
    struct sim_offer {
        int release; // 0: no offer
        bool published;
        bool accepted;
        bool cancelled;   // so somebody was told
        unsigned reports; // received, repeated ones too
        enum offer_outcome outcome;
        uint64_t content; // hash of the first one
    } offers[SIM_OFFERS];
};

enum agent_rest {
    AGENT_IDLE,    // no offer is open
    AGENT_WAITS,   // for a verdict, or at a gate
    AGENT_REBOOTS, // it ordered a reboot
};

// The offers of the life; the first is published.
void offers_begin(struct world *w, const struct life *l);
// The server has the second one, and offers that from now on.
void offers_publish(struct world *w);
// A run of the agent: polls, and works until there is nothing to do, it has to wait, or `gate`
// comes next, which is shut (OFFER_STEP_NOTHING: none is). An error: it stopped there.
enum err world_agent(struct world *w, enum offer_step gate, enum agent_rest *ret, struct error *e);
// Somebody cancels the offer at hand; OK: he is told that it is cancelled.
enum err world_cancel(struct world *w, struct error *e);
// From power on until nothing is on trial and no offer is open, boots, health checks and the agent
// in turn; the agent is up before `confirm` is through. False: that was violated.
bool offers_come_to_rest(struct world *w, const struct life *l);
// I11, when all is over. `undisturbed`: nothing went wrong.
void check_offers(struct world *w, const struct life *l, bool undisturbed);
// I11, when the server gets a report.
void check_report(struct world *w, const struct offer_record *r);
// I11, before the step is done: it is on record.
void check_step_recorded(struct world *w, enum offer_step step, const struct offer_record *r);

#endif
