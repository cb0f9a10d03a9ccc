# SPDX-License-Identifier: Apache-2.0
# vv-update and vv-image: one makefile, no recursion but into itself after `deps`.
# `make help` lists the targets.

VERSION    := 0.1.0
BUILD_TIME ?= $(or $(SOURCE_DATE_EPOCH),$(shell git log -1 --format=%ct 2>/dev/null),0)

CROSS_COMPILE ?=
CC            := $(CROSS_COMPILE)$(if $(filter default undefined,$(origin CC)),gcc,$(CC))
AR            := $(CROSS_COMPILE)$(if $(filter default undefined,$(origin AR)),ar,$(AR))
# A cross compiler's name begins with its triplet, which is also where Debian keeps the libraries of
# a foreign architecture; products lie apart from the native ones.
TRIPLET       := $(patsubst %-,%,$(notdir $(CROSS_COMPILE)))
PKG_CONFIG    ?= pkg-config
PKG_CONFIG_LIBDIR ?= $(if $(TRIPLET),/usr/lib/$(TRIPLET)/pkgconfig:/usr/share/pkgconfig)
DESTDIR       ?=
PREFIX        ?= /usr
BINDIR        ?= $(PREFIX)/bin
MANDIR        ?= $(PREFIX)/share/man
DOCDIR        ?= $(PREFIX)/share/doc/vv-update
UNITDIR       ?= $(PREFIX)/lib/systemd/system
VARIANT       := $(if $(filter thread,$(SAN)),tsan,$(if $(SAN),san,release))
BUILD         ?= build/$(addsuffix /,$(TRIPLET))$(VARIANT)

# mke2fs, debugfs and nginx stand where an ordinary user's PATH does not look.
export PATH := $(PATH):/usr/sbin:/sbin

Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(2);)

WARNINGS := -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wvla -Wformat=2 \
  -Wundef -Wcast-qual -Wwrite-strings -Wstrict-prototypes -Wmissing-prototypes -Wswitch-enum \
  -Wimplicit-fallthrough -Wnull-dereference $(if $(WERROR),-Werror)
HARDENING := -O2 -fPIE -fstack-protector-strong -fstack-clash-protection -D_FORTIFY_SOURCE=3
# SAN=thread: for races between threads; else for memory and undefined behaviour.
SANITIZE  := $(if $(filter thread,$(SAN)),-O1 -fsanitize=thread, \
  -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined) \
  -fno-omit-frame-pointer

# Asked when the first recipe needs it, not when the file is read: `deps` may have to install it.
LIBS = libcurl libcrypto zlib libzstd jansson
lazy = $(eval $(1) := $(2))$($(1))
# Not every make hands its variables to $(shell).
pkg_config = $(shell $(addprefix PKG_CONFIG_LIBDIR=,$(PKG_CONFIG_LIBDIR)) $(PKG_CONFIG) $(1) \
  $(LIBS))
PKG_CFLAGS = $(call lazy,PKG_CFLAGS,$(call pkg_config,--cflags))
PKG_LIBS   = $(call lazy,PKG_LIBS,$(call pkg_config,--libs))

ALL_CFLAGS  = -std=c17 -D_GNU_SOURCE -I. -g $(WARNINGS) $(if $(SAN),$(SANITIZE),$(HARDENING)) \
  -MMD -MP $(PKG_CFLAGS) $(CFLAGS)
ALL_LDFLAGS = $(if $(SAN),$(SANITIZE),-pie -Wl$(comma)-z$(comma)relro$(comma)-z$(comma)now) \
  -pthread $(LDFLAGS)
comma := ,

# Rooms. A program's main stands beside its room's library, so that tests link the rest.
ROOMS   := base format keys bootloader updater updater/agent image-tools
sources  = $(wildcard $(1)/*.c)
MAINS   := updater/main.c image-tools/main.c bootloader/bootsim.c
objects  = $(patsubst %.c,$(BUILD)/%.o,$(filter-out $(MAINS),$(call sources,$(1))))
archive  = $(BUILD)/lib$(subst /,-,$(1)).a

PROGRAMS := vv-update vv-image vv-bootsim
BINARIES := $(PROGRAMS:%=$(BUILD)/%)

UNIT_SOURCES := $(foreach r,$(ROOMS) sim board,$(wildcard tests/$(r)/test_*.c))
UNIT_TESTS   := $(UNIT_SOURCES:%.c=$(BUILD)/%)
SUPPORT      := $(patsubst %.c,$(BUILD)/%.o,$(wildcard tests/support/*.c))
# The crash simulator stands in front of some functions, by the linker's --wrap.
SIMULATOR    := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/sim/crash.c tests/sim/test_%.c, \
  $(wildcard tests/sim/*.c)))
SIM_WRAPS    := $(wildcard tests/sim/wraps_*.txt)
CRASH        := $(BUILD)/tests/sim/crash
# What checks the card of the virtual board after a cut.
CARD_CHECK   := $(patsubst %.c,$(BUILD)/%.o,$(filter-out tests/board/cuts.c tests/board/test_%.c, \
  $(wildcard tests/board/*.c)))
CUTS         := $(BUILD)/tests/board/cuts
TEST_PROGRAMS := $(UNIT_TESTS) $(CRASH) $(CUTS)
FUZZERS      := $(patsubst tests/fuzz/%.c,build/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))

.PHONY: all help deps host-deps check check-run unit e2e valgrind tsan tsan-run crash crash-run \
  mutants mutants-run bench bench-run idle idle-run demo demo-run lint lint-run fuzz cov \
  board board-run board-programs board-uboot check-board check-board-run check-board-slice \
  check-board-slice-run board-cuts board-cuts-run \
  board-transcript check-scripts check-scripts-run check-recorded check-recorded-run \
  board-recorded install install-init install-docs dist clean
.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SECONDARY:

all: $(BINARIES)

help:
	@printf '%s\n' \
	  'make            build vv-update, vv-image and vv-bootsim into $(BUILD)' \
	  'make demo       from nothing to a confirmed update and a rolled-back one, on plain files' \
	  'make check      install what is missing, build, run all tests (SAN=1: under sanitizers)' \
	  'make unit e2e   the two halves of check, nothing installed' \
	  'make valgrind   the unit tests under valgrind' \
	  'make tsan       those that start threads under ThreadSanitizer' \
	  'make crash      the crash sweep: a million cuts and failures (check has a slice of it)' \
	  'make mutants    planted bugs, each of which the crash sweep or a unit test must catch' \
	  'make lint       structure, format, static analysis, both compilers without warnings' \
	  'make board      U-Boot and the images of the virtual board (BOARD=small or debian)' \
	  'make board-uboot  U-Boot for the virtual board, from its source; kept in build/board' \
	  'make check-board  updates on it, from power-on to the verdict; -slice: some of them' \
	  'make board-cuts  N=300 power cuts during updates (SEED=1)' \
	  'make check-recorded  power cuts at every point of a recorded update, some of them booted' \
	  'make check-scripts  the boot scripts in U-Boot against the model, state by state; and what' \
	  '                of the tests of the board needs no board' \
	  'make board-transcript  docs/board-transcript.txt: what the console shows of two updates' \
	  'make bench      what updates take, beside other updaters; writes docs/benchmarks.md, which' \
	  '                says what PARTS=, BENCH_SIZE=, PAIRS=, FS=, TOOLS=, ROUNDS= and VV= choose' \
	  'make idle       what an idle agent costs, in IDLE_SECONDS (default 600)' \
	  'make fuzz       each parser fuzzed for FUZZ_SECONDS (default 60)' \
	  'make cov        line coverage of the unit tests' \
	  'make host-deps  install the Debian packages that building and testing need' \
	  'make deps       the same, and those of the virtual board' \
	  'make install    into DESTDIR (PREFIX=/usr)' \
	  'make dist       a source archive in dist/' \
	  'make clean' \
	  '' \
	  'make crash REPLAY=STATE plays one state again; make mutants ONLY=NAME plants one bug' \
	  'make board-recorded REPLAY=used:p123 looks at one cut of a recording; BOOT=1 boots it' \
	  'a test of the board that fails leaves card and console in build/board/failed' \
	  'V=1 shows commands; SAN=1 builds with ASan and UBSan; CROSS_COMPILE=aarch64-linux-gnu-'

# All that any target needs; and without the virtual board, which wants a foreign architecture.
deps:
	$(Q).ci/deps board
host-deps:
	$(Q).ci/deps

# --- building ---------------------------------------------------------------------------------

$(BUILD)/%.o: %.c
	@mkdir -p $(@D)
	$(call say,CC,$<)$(CC) $(ALL_CFLAGS) -c -o $@ $<

# Some tests put failing system calls in the place of the C library's, which the fortified headers
# define inline.
$(BUILD)/tests/%.o: ALL_CFLAGS += -U_FORTIFY_SOURCE

# The only file that knows version and build time.
$(BUILD)/base/version.o: ALL_CFLAGS += -DVV_VERSION='"$(VERSION)"' -DVV_BUILD_TIME=$(BUILD_TIME)
$(BUILD)/base/version.o: Makefile

define room_archive
$(call archive,$(1)): $(call objects,$(1))
	$$(call say,AR,$$@)rm -f $$@ && $$(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_archive,$(r))))

link = $(call say,LD,$@)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o %.a,$^) $(1) $(PKG_LIBS)

DEVICE_LIBS := $(foreach r,updater/agent updater bootloader keys format base,$(call archive,$(r)))
HOST_LIBS   := $(foreach r,image-tools keys format base,$(call archive,$(r)))

$(BUILD)/vv-update: $(BUILD)/updater/main.o $(DEVICE_LIBS)
	$(call link,-lubootenv -Wl$(comma)--export-dynamic-symbol=_gnutls_global_init_skip)
$(BUILD)/vv-image: $(BUILD)/image-tools/main.o $(HOST_LIBS)
	$(call link)
$(BUILD)/vv-bootsim: $(BUILD)/bootloader/bootsim.o $(call archive,bootloader) $(call archive,base)
	$(call link,-lubootenv)

# --- testing ----------------------------------------------------------------------------------

$(BUILD)/libsupport.a: $(SUPPORT)
	$(call say,AR,$@)rm -f $@ && $(AR) rcs $@ $^

$(BUILD)/tests/%: $(BUILD)/tests/%.o $(BUILD)/libsupport.a $(call archive,image-tools) \
  $(DEVICE_LIBS)
	$(call link,-lcmocka -lubootenv)

$(CRASH) $(filter $(BUILD)/tests/sim/%,$(UNIT_TESTS)): $(BUILD)/tests/sim/%: \
  $(BUILD)/tests/sim/%.o $(SIMULATOR) $(BUILD)/libsupport.a \
  $(call archive,image-tools) $(DEVICE_LIBS) $(SIM_WRAPS)
	$(call link,$(SIM_WRAPS:%=-Wl$(comma)@%) -lcmocka -lubootenv)

$(CUTS) $(filter $(BUILD)/tests/board/%,$(UNIT_TESTS)): $(BUILD)/tests/board/%: \
  $(BUILD)/tests/board/%.o $(CARD_CHECK) $(BUILD)/libsupport.a \
  $(call archive,image-tools) $(DEVICE_LIBS)
	$(call link,-lcmocka -lubootenv)

check: host-deps
	$(Q)$(MAKE) --no-print-directory check-run
check-run: $(BINARIES) $(TEST_PROGRAMS)
	$(Q)VV_BIN=$(abspath $(BUILD)) VV_SAN=$(SAN) python3 tests/run.py unit crash e2e
unit: $(UNIT_TESTS)
	$(Q)VV_BIN=$(abspath $(BUILD)) VV_SAN=$(SAN) python3 tests/run.py unit
e2e: $(BINARIES)
	$(Q)VV_BIN=$(abspath $(BUILD)) VV_SAN=$(SAN) python3 tests/run.py e2e
# Those of the unit tests that start threads.
THREADED := $(wildcard tests/updater/test_pipeline*.c tests/updater/test_fill_threads.c \
  tests/updater/test_deltas.c tests/updater/test_source_http_clone.c \
  tests/image-tools/test_*worker*.c)
tsan: host-deps
	$(Q)$(MAKE) --no-print-directory tsan-run SAN=thread
tsan-run: $(THREADED:%.c=$(BUILD)/%)
	$(Q)VV_BIN=$(abspath $(BUILD)) python3 tests/run.py threads
valgrind: $(UNIT_TESTS)
	$(Q)VV_BIN=$(abspath $(BUILD)) python3 tests/run.py valgrind

# All of the crash sweep, or one state of it as a violation named it; then a test that it can fail.
CRASH_SEED ?= 1
crash: host-deps
	$(Q)$(MAKE) --no-print-directory crash-run
crash-run: $(CRASH)
	$(Q)$(CRASH) --seed $(CRASH_SEED) $(if $(REPLAY),--replay '$(REPLAY)')
mutants: host-deps
	$(Q)$(MAKE) --no-print-directory mutants-run
mutants-run:
	$(Q)python3 tests/mutants.py $(ONLY)

# The virtual board: a QEMU machine with real U-Boot.
board-uboot: deps
	$(Q)python3 tests/board/uboot.py
# Its images. The time in the program is fixed, so that what did not change is not built anew.
BOARD     ?= small
BOARD_BIN := build/aarch64-linux-gnu/board
BOARD_ENV  = VV_BIN=$(abspath $(BUILD)) VV_BOARD_BIN=$(abspath $(BOARD_BIN))
board: board-uboot
	$(Q)$(MAKE) --no-print-directory board-run
# Its time stands in that file.
$(BOARD_BIN)/base/version.o: tests/board/images_cache.py
board-programs: $(BINARIES)
	$(Q)$(MAKE) --no-print-directory $(BOARD_BIN)/vv-update CROSS_COMPILE=aarch64-linux-gnu- SAN= \
	  BUILD=$(BOARD_BIN) BUILD_TIME=$$(sed -n 's/^EPOCH = //p' tests/board/images_cache.py)
board-run: board-programs
	$(Q)$(BOARD_ENV) python3 tests/board/images.py --board $(BOARD)
# Updates on it; cuts of the power at N instants, or those of one life that a failure named by its
# seed; a slice for every change.
BOARD_TESTS = $(patsubst tests/board/%.py,%.*,$(filter-out %/test_boot_scripts.py, \
  $(wildcard tests/board/test_*.py)))
# These start no board.
BOARDLESS   = test_card.* test_console.* test_folders.* test_images_cache.* test_qemu.* \
  test_screen.* test_uboot_source.*
BOARD_SLICE = *is_confirmed_with_contract_order *broken_service*contract_order \
  *without_a_kernel*contract_bootcount *rauc_is_updated* test_kills* \
  test_recorded_cuts.[!P]* test_uboot.*
N          ?= 300
SEED       ?= 1
check-board check-board-slice board-cuts: board-uboot
	$(Q)$(MAKE) --no-print-directory $@-run
check-board-run: board-programs $(CUTS)
	$(Q)$(BOARD_ENV) python3 tests/board/images.py --board small
	$(Q)$(BOARD_ENV) python3 tests/board/images.py --board debian
	$(Q)$(BOARD_ENV) KILLS=30 BOOTED=25 SEED=$(SEED) VV_TESTS='$(BOARD_TESTS)' VV_JOBS=2 \
	  python3 tests/run.py board
check-board-slice-run: board-run $(CUTS)
	$(Q)$(BOARD_ENV) KILLS=6 BOOTED=5 SEED=$(SEED) VV_TESTS='$(BOARD_SLICE)' VV_JOBS=2 \
	  python3 tests/run.py board
board-transcript: board
	$(Q)$(BOARD_ENV) python3 tests/board/transcript.py docs/board-transcript.txt
board-cuts-run: board-run
	$(Q)$(BOARD_ENV) KILLS=$(N) SEED=$(SEED) VV_TESTS='test_kills*' python3 tests/run.py board
# The power cuts in a recorded update, BOOTED of them for real; or one of them, told, and with
# BOOT=1 booted.
BOOTED     ?= 25
check-recorded: board
	$(Q)$(MAKE) --no-print-directory check-recorded-run
check-recorded-run: $(BINARIES) $(CUTS)
	$(Q)$(BOARD_ENV) BOOTED=$(BOOTED) VV_ONLY=test_recorded_cuts python3 tests/run.py board
board-recorded: $(BINARIES) $(CUTS)
	$(Q)$(BOARD_ENV) python3 tests/board/recorded_cuts.py $(REPLAY) $(if $(BOOT),boot)
check-scripts: deps
	$(Q)$(MAKE) --no-print-directory check-scripts-run
check-scripts-run: $(BINARIES)
	$(Q)VV_BIN=$(abspath $(BUILD)) VV_TESTS='test_boot_scripts.* $(BOARDLESS)' \
	  python3 tests/run.py board

# What updates take, of the programs in VV; inputs and what peers made of them lie in BENCH_CACHE.
# PARTS: install delta chunks cores, or document, which only writes DOC again; without DOC nothing
# is kept.
VV          ?= $(abspath $(BUILD))
BENCH_CACHE ?= $(CURDIR)/build/bench
ROUNDS      ?= 5
DOC         ?= docs/benchmarks.md
bench:
	$(Q).ci/deps bench
	$(Q)$(MAKE) --no-print-directory bench-run
bench-run: $(BINARIES)
	$(Q)VV=$(VV) BENCH_CACHE=$(BENCH_CACHE) python3 tests/bench/main.py --parts='$(PARTS)' \
	  --size='$(BENCH_SIZE)' --pairs='$(PAIRS)' --fs='$(FS)' --tools='$(TOOLS)' \
	  --rounds=$(ROUNDS) --doc='$(DOC)'

# Wake-ups, memory and context switches of an agent that has nothing to do.
IDLE_SECONDS ?= 600
idle: host-deps
	$(Q)$(MAKE) --no-print-directory idle-run
idle-run: $(BINARIES)
	$(Q)VV_BIN=$(abspath $(BUILD)) IDLE_SECONDS=$(IDLE_SECONDS) python3 tests/idle.py

demo: host-deps
	$(Q)$(MAKE) --no-print-directory demo-run
demo-run: $(BINARIES)
	$(Q)VV_BIN=$(abspath $(BUILD)) tests/demo/demo

lint: host-deps
	$(Q)$(MAKE) --no-print-directory lint-run
lint-run:
	$(Q)$(MAKE) --no-print-directory all $(TEST_PROGRAMS:$(BUILD)/%=build/lint-gcc/%) \
	  CC=gcc WERROR=1 BUILD=build/lint-gcc
	$(Q)$(MAKE) --no-print-directory all $(TEST_PROGRAMS:$(BUILD)/%=build/lint-clang/%) \
	  CC=clang WERROR=1 BUILD=build/lint-clang
	$(Q)python3 tests/lint.py build/lint-gcc

FUZZ_SECONDS ?= 60
FUZZED = $(call sources,format) $(call sources,base) \
  $(addprefix keys/,cms_profile.c der.c cert.c ossl.c)
build/fuzz/%: tests/fuzz/%.c $(FUZZED)
	@mkdir -p $(@D)
	$(call say,FUZZ,$@)clang -std=c17 -D_GNU_SOURCE -I. -g -O1 \
	  -DVV_VERSION='"fuzz"' -DVV_BUILD_TIME=0 -fsanitize=fuzzer$(comma)address$(comma)undefined \
	  $(PKG_CFLAGS) -o $@ $(filter %.c,$^) $(PKG_LIBS)
fuzz: $(FUZZERS)
	$(Q)for f in $(FUZZERS); do echo "== $$f"; mkdir -p $$f.corpus; \
	  $$f -max_total_time=$(FUZZ_SECONDS) -print_final_stats=1 -verbosity=0 $$f.corpus || exit 1; \
	  done

cov:
	$(Q)$(MAKE) --no-print-directory unit BUILD=build/cov LDFLAGS=--coverage \
	  CFLAGS='-O0 --coverage -U_FORTIFY_SOURCE'
	$(Q)python3 tests/coverage.py build/cov

# --- installing -------------------------------------------------------------------------------

install: all install-docs install-init
	install -D -m 0755 -t $(DESTDIR)$(BINDIR) $(BINARIES)
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man1 docs/man/*.1
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man5 docs/man/*.5
	install -D -m 0644 -t $(DESTDIR)$(MANDIR)/man8 docs/man/*.8

# What starts them, from where they are installed: units of systemd, scripts for other inits.
install-init:
	install -D -m 0644 -t $(DESTDIR)$(UNITDIR) updater/systemd/*.service updater/systemd/*.socket
	sed -i 's|^ExecStart=/usr/bin/vv-update |ExecStart=$(BINDIR)/vv-update |' \
	  $(DESTDIR)$(UNITDIR)/vv-update-*.service
	install -D -m 0755 -t $(DESTDIR)$(PREFIX)/lib/vv-update updater/init/*

# In the folders of the source tree, so that links between pages lead somewhere.
install-docs:
	install -D -m 0644 -t $(DESTDIR)$(DOCDIR) README.md LICENSE
	install -D -m 0644 -t $(DESTDIR)$(DOCDIR)/docs docs/*.md docs/board-transcript.txt
	install -D -m 0644 -t $(DESTDIR)$(DOCDIR)/docs/examples docs/examples/*
	install -D -m 0644 -t $(DESTDIR)$(DOCDIR)/bootloader bootloader/README.md bootloader/*.cmd \
	  bootloader/default.env bootloader/uboot.config bootloader/fw_env.config

dist:
	@mkdir -p dist
	git archive --prefix=vv-update-$(VERSION)/ -o dist/vv-update-$(VERSION).tar.gz HEAD

clean:
	rm -rf build dist

-include $(shell find $(BUILD) -name '*.d' 2>/dev/null)
