// SPDX-License-Identifier: Apache-2.0
// The proof against power cuts: every life, every cut. Prints what was tried, by the numbered steps
// of the order of operations, and what was violated; exit status 1 if anything was.
#include "tests/sim/explore.h"
#include "tests/sim/sim_kit_bytes.h"
#include "tests/sim/sim_memory.h"
#include "tests/support/expect.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORKERS_MAX = 64, SUBJECTS_MAX = 512, SUBJECT_NAME_SIZE = 64 };
// Of the outcomes of a cut that are left to chance.
enum { PER_MILLE = 300 };

static const uint32_t even_cuts[] = {1024, 0};
static const uint32_t odd_cuts[] = {701, 2100, 5, 1024, 333, 3000, 0};

// What chunks of the images are like.
enum kit { KIT_EVEN, KIT_ODD, KIT_BYTES, KITS };

// Lives that are about chunks of the last kit, those in which the agent acts, and all others.
enum kind { PLAIN, OF_BYTES, OF_AGENT };

enum { ORDER = 1u << CONTRACT_ORDER, BOOTCOUNT = 1u << CONTRACT_BOOTCOUNT };
enum { BOTH = ORDER | BOOTCOUNT };

// Shapes of a device.
static const struct {
    const char *name;
    uint32_t sector_bytes;
    bool lies, real_env;
    enum kit kit;
    enum kind lives;
    unsigned contracts;      // bit i: contract i
    unsigned share;          // per mille of the outcomes that others try
    unsigned failure_stride; // times that of explore.h; 0: a disk that lies says OK to everything
    unsigned memory_stride;  // times that
} shapes[] = {
    // Where chunks come from has nothing to do with the contract.
    {"512bytes", 512, false, false, KIT_BYTES, OF_BYTES, ORDER, 1000, 1, 31},
    {"4096bytes", 4096, false, false, KIT_BYTES, OF_BYTES, BOOTCOUNT, 1000, 1, 5},
    {"512", 512, false, false, KIT_EVEN, PLAIN, BOTH, 1000, 1, 31},
    {"512odd", 512, false, false, KIT_ODD, PLAIN, BOTH, 1000, 1, 31},
    {"4096", 4096, false, false, KIT_ODD, PLAIN, BOTH, 1000, 1, 1},
    {"lies", 512, true, false, KIT_EVEN, PLAIN, BOTH, 1000, 0, 0},
    {"real", 512, false, true, KIT_EVEN, PLAIN, BOTH, 30, 8, 4},
    // The agent's record and its reports have nothing to do with sectors and chunks.
    {"512", 512, false, false, KIT_EVEN, OF_AGENT, ORDER, 1000, 1, 31},
    {"4096", 4096, false, false, KIT_ODD, OF_AGENT, BOOTCOUNT, 1000, 1, 5},
    {"real", 512, false, true, KIT_EVEN, OF_AGENT, BOTH, 30, 8, 4},
};
enum { SHAPES = sizeof shapes / sizeof shapes[0] };

struct plan {
    struct explore_options options;
    unsigned workers;
    const char *only; // subjects whose name contains it
    size_t count;
    struct subject subjects[SUBJECTS_MAX];
    size_t shape[SUBJECTS_MAX]; // index in shapes
};

// Shared by the workers.
struct shared {
    atomic_size_t next;
    atomic_bool found; // what the workers look for
    struct tally tallies[WORKERS_MAX];
};

static bool is_played(size_t shape, const struct life *l, int contract)
{
    enum kind kind = l->bytes ? OF_BYTES : l->offered[0] != 0 ? OF_AGENT : PLAIN;
    return kind == shapes[shape].lives && (shapes[shape].contracts >> contract & 1) != 0;
}

static void add_subject(struct plan *p, const struct subject *s, size_t shape)
{
    char name[SUBJECT_NAME_SIZE];
    subject_name(s, name, sizeof name);
    if (p->only != NULL && strstr(name, p->only) == NULL) {
        return;
    }
    if (p->count == SUBJECTS_MAX) {
        fprintf(stderr, "crash: more than %d lives and shapes of devices\n", SUBJECTS_MAX);
        exit(2);
    }
    p->shape[p->count] = shape;
    p->subjects[p->count++] = *s;
}

static void make_subjects(struct plan *p, struct sim_kit *const kits[KITS])
{
    for (size_t shape = 0; shape < SHAPES; shape++) {
        for (size_t life = 0; life < lives_count; life++) {
            for (int contract = 0; contract < 2; contract++) {
                if (!is_played(shape, &lives[life], contract)) {
                    continue;
                }
                struct subject s = {
                    .life = &lives[life],
                    .shape = {(enum contract)contract, shapes[shape].sector_bytes,
                              shapes[shape].lies, shapes[shape].real_env},
                    .shape_name = shapes[shape].name,
                    .kit = kits[shapes[shape].kit],
                };
                add_subject(p, &s, shape);
            }
        }
    }
}

// --- all of them ---------------------------------------------------------------------------------

static void work(const struct plan *p, struct shared *shared, struct tally *tally)
{
    for (;;) {
        size_t i = atomic_fetch_add(&shared->next, 1);
        if (i >= p->count || atomic_load(&shared->found)) {
            return;
        }
        struct explore_options options = p->options;
        options.per_mille = options.per_mille * shapes[p->shape[i]].share / 1000 + 1;
        options.failure_stride *= shapes[p->shape[i]].failure_stride;
        options.memory_stride = options.failure_stride * shapes[p->shape[i]].memory_stride;
        explore(&p->subjects[i], &options, tally);
        if ((options.until & tally->findings.found) != 0) {
            atomic_store(&shared->found, true);
        }
    }
}

static void add(struct tally *sum, const struct tally *t)
{
    for (int i = 0; i <= STEPS; i++) {
        sum->states[i] += t->states[i];
        sum->cuts[i] += t->cuts[i];
        sum->nested[i] += t->nested[i];
        sum->failures[i] += t->failures[i];
    }
    sum->real_states += t->real_states;
    sum->bytes_states += t->bytes_states;
    for (int i = 0; i <= FINDING_INVARIANTS; i++) {
        sum->violations[i] += t->violations[i];
    }
}

// False: a worker crashed.
static bool work_in_parallel(const struct plan *p, struct tally *ret)
{
    struct shared *shared =
        mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    bool good = true;
    assert_true(shared != MAP_FAILED);
    fflush(stdout);
    pid_t pids[WORKERS_MAX];
    for (unsigned i = 0; i < p->workers; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0) {
            work(p, shared, &shared->tallies[i]);
            fflush(stdout);
            _exit(0);
        }
    }
    for (unsigned i = 0; i < p->workers; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
            const struct findings *at = &shared->tallies[i].findings;
            printf("crash: a worker crashed, or hung (status %d)\n"
                   "    again: make crash CRASH_SEED=%" PRIu64 " REPLAY='%s:%s'\n",
                   status, at->seed, at->subject, at->token);
            good = false;
        }
    }
    for (unsigned i = 0; i < p->workers; i++) {
        add(ret, &shared->tallies[i]);
    }
    munmap(shared, sizeof *shared);
    return good;
}

// --- what was found ------------------------------------------------------------------------------

static uint64_t sum_of(const uint64_t *counts)
{
    uint64_t sum = 0;
    for (int i = 0; i <= STEPS; i++) {
        sum += counts[i];
    }
    return sum;
}

static uint64_t print_violations(const struct tally *t)
{
    uint64_t sum = 0;
    for (int i = 1; i <= FINDING_INVARIANTS; i++) {
        sum += t->violations[i];
        if (t->violations[i] > 0) {
            printf("I%d: %" PRIu64 " violations\n", i, t->violations[i]);
        }
    }
    return sum;
}

static uint64_t print_tally(const struct tally *t, uint64_t seed)
{
    static const char *const names[STEPS] = {"1 verify, policy",
                                             "2 plan, first chunk",
                                             "3 journal: installing",
                                             "4 invalidate",
                                             "5 zero the heads",
                                             "6 write",
                                             "7 read back",
                                             "8 write the heads",
                                             "9 keep the record",
                                             "10 activate",
                                             "11 boot",
                                             "12 confirm, reject",
                                             "13 offer, report"};
    printf("%-22s %9s %8s %8s %8s\n", "step", "states", "cuts", "nested", "failures");
    for (int step = 1; step <= STEPS; step++) {
        printf("%-22s %9" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 "\n", names[step - 1],
               t->states[step], t->cuts[step], t->nested[step], t->failures[step]);
    }
    uint64_t violations = print_violations(t);
    printf("crash: %" PRIu64 " states, %" PRIu64 " cuts, %" PRIu64 " nested, %" PRIu64
           " failing calls, %" PRIu64 " through libubootenv, %" PRIu64
           " of images cut at bytes, seed %" PRIu64 ", %" PRIu64 " violations\n",
           sum_of(t->states), sum_of(t->cuts), sum_of(t->nested), sum_of(t->failures),
           t->real_states, t->bytes_states, seed, violations);
    return violations;
}

// What the whole of it has to come to, so that a part which is not tried any more does not go
// unseen.
enum { STATES_MIN = 1000000, REAL_STATES_MIN = 20000, BYTES_STATES_MIN = 50000, STEP_MIN = 1000 };

static bool is_enough(const struct tally *t)
{
    bool enough = sum_of(t->states) >= STATES_MIN && t->real_states >= REAL_STATES_MIN &&
                  t->bytes_states >= BYTES_STATES_MIN;
    for (int step = 1; step <= STEPS; step++) {
        enough = enough && t->states[step] >= STEP_MIN && t->cuts[step] >= STEP_MIN &&
                 t->nested[step] >= STEP_MIN && t->failures[step] >= STEP_MIN;
    }
    if (!enough) {
        printf("crash: too little was tried: %d states, %d of them through libubootenv, %d of "
               "images cut at bytes, and %d of everything in each step are expected\n",
               STATES_MIN, REAL_STATES_MIN, BYTES_STATES_MIN, STEP_MIN);
    }
    return enough;
}

static int replay(const struct plan *p, const char *token)
{
    struct tally tally = {0};
    const char *state = strchr(token, ':');
    for (size_t i = 0; state != NULL && i < p->count; i++) {
        char name[SUBJECT_NAME_SIZE];
        subject_name(&p->subjects[i], name, sizeof name);
        if (strlen(name) == (size_t)(state - token) && strncmp(name, token, strlen(name)) == 0 &&
            explore_again(&p->subjects[i], &p->options, state + 1, &tally)) {
            return print_violations(&tally) > 0;
        }
    }
    fprintf(stderr, "crash: there is no state '%s' (see tests/sim/explore.h)\n", token);
    return 2;
}

// --- what was asked for --------------------------------------------------------------------------

static const char usage[] =
    "usage: crash [--slice] [--seed N] [--jobs N] [--only WORD] [--until I1,I2] [--replay TOKEN]\n"
    "  --slice    a small part of the states, spread over all of them\n"
    "  --seed     of everything that is left to chance (1)\n"
    "  --jobs     processes (as many as there are processors)\n"
    "  --only     the lives whose name contains WORD\n"
    "  --until    end with the life that violates one of these invariants first\n"
    "  --replay   one state, as a violation named it; with the same seed\n";

// "I2,I8" as bits.
static unsigned invariants_of(const char *list)
{
    unsigned bits = 0;
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        int invariant = 0;
        int len = 0;
        at += at != list; // the comma
        if (sscanf(at, "I%2d%n", &invariant, &len) != 1 || invariant < 1 ||
            invariant > FINDING_INVARIANTS || (at[len] != ',' && at[len] != '\0')) {
            fprintf(stderr, "crash: '%s' does not name invariants, as 'I2,I8' does\n", list);
            exit(2);
        }
        bits |= 1u << invariant;
    }
    return bits;
}

static struct plan plan_from(int argc, char **argv, const char **ret_token)
{
    static const struct option options[] = {
        {"slice", no_argument, NULL, 's'},
        {"seed", required_argument, NULL, 'd'},
        {"jobs", required_argument, NULL, 'j'},
        {"only", required_argument, NULL, 'o'},
        {"replay", required_argument, NULL, 'r'},
        {"until", required_argument, NULL, 'u'},
        {NULL, 0, NULL, 0},
    };
    struct plan p = {
        .options = {.seed = 1, .per_mille = PER_MILLE, .nest_per_mille = 40, .failure_stride = 1},
        .workers = (unsigned)sysconf(_SC_NPROCESSORS_ONLN),
    };
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (c) {
        case 's':
            p.options.per_mille = 25;
            p.options.failure_stride = 29;
            p.options.nest_per_mille = 25;
            break;
        case 'd':
            p.options.seed = strtoull(optarg, NULL, 10);
            break;
        case 'j':
            p.workers = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'o':
            p.only = optarg;
            break;
        case 'u':
            p.options.until = invariants_of(optarg);
            break;
        case 'r':
            *ret_token = optarg;
            break;
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    p.workers = p.workers < 1 ? 1 : p.workers > WORKERS_MAX ? WORKERS_MAX : p.workers;
    return p;
}

static bool is_whole(const struct plan *p)
{
    return p->only == NULL && p->options.until == 0 && p->options.per_mille == PER_MILLE;
}

int main(int argc, char **argv)
{
    const char *token = NULL;
    struct tally tally = {0};
    sim_memory_keep();
    static struct plan p;
    p = plan_from(argc, argv, &token);
    struct sim_kit *kits[KITS] = {sim_kit_make(even_cuts, 0), sim_kit_make(odd_cuts, 1024),
                                  sim_kit_make_bytes()};
    make_subjects(&p, kits);
    int status;
    if (p.count == 0) {
        fprintf(stderr, "crash: no life has '%s' in its name (see tests/sim/lives.c)\n", p.only);
        status = 2;
    } else if (token != NULL) {
        status = replay(&p, token);
    } else {
        bool good = work_in_parallel(&p, &tally);
        status = print_tally(&tally, p.options.seed) > 0 || !good;
        if (is_whole(&p) && !is_enough(&tally)) {
            status = 1;
        }
    }
    for (size_t i = 0; i < KITS; i++) {
        sim_kit_free(kits[i]);
    }
    return status;
}
