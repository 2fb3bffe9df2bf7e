# berth: one Makefile for the whole tree. `make help` lists the targets.
# Options: MODE=debug|release  CC=gcc|clang  BUILD=directory  V=1

MODE ?= debug
ifeq ($(origin CC),default)
CC := gcc
endif
BUILD ?= build/$(MODE)
PREFIX ?= /usr/local
DESTDIR ?=
PKG_CONFIG ?= pkg-config
Q := $(if $(V),,@)

export BERTH_VERSION := 0.1.0

# ---- flags -----------------------------------------------------------------
WARN := -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wmissing-prototypes \
        -Wstrict-prototypes -Wvla -Wformat=2 -Wundef -Wwrite-strings -Werror
HARDEN := -fstack-protector-strong -fcf-protection -D_FORTIFY_SOURCE=2
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=undefined \
            -fno-omit-frame-pointer
ifeq ($(MODE),release)
OPT := -O2 -g $(HARDEN) -fPIE
LDOPT := -pie -Wl,-z,relro,-z,now,-z,noexecstack
STATIC_OPT := -Os -g $(HARDEN) -fno-pie
else
OPT := -O1 -g $(SANITIZE)
LDOPT := $(SANITIZE)
# The agent is static, which ASan is not made for: UBSan traps.
STATIC_OPT := -O1 -g -fsanitize=undefined -fsanitize-undefined-trap-on-error
endif
CPPFLAGS += -D_GNU_SOURCE -I. -DBERTH_VERSION='"$(BERTH_VERSION)"'
BASE_CFLAGS := -std=gnu17 $(WARN) $(CFLAGS)
LDFLAGS += -Wl,--as-needed
LDLIBS := -lm

pkg_cflags = $(shell $(PKG_CONFIG) --cflags $(1) 2>/dev/null)
pkg_libs = $(shell $(PKG_CONFIG) --libs $(1) 2>/dev/null)

# ---- rooms -----------------------------------------------------------------
ROOMS := base pipelines pipelines/diff pipelines/findings pipelines/review \
         scheduler/queue scheduler/forge scheduler/forge/api scheduler/intake \
         scheduler/report scheduler/report/post scheduler/daemon \
         worker/logs worker/logs/s3 worker/artifacts worker/artifacts/store \
         worker/secrets worker/supervisor worker/job \
         worker/checkout worker/cache worker/cache/far worker/findings \
         worker/gateway worker/gateway/relay worker/opencode \
         worker/sandbox worker/sandbox/launch \
         worker/sandbox/docker worker/sandbox/fetch cli
room_src = $(filter-out $(1)/main.c,$(wildcard $(1)/*.c))
room_lib = $(BUILD)/lib/$(subst /,-,$(1)).a
objs = $(patsubst %.c,$(BUILD)/obj/%.o,$(1))
LIBS := $(foreach r,$(ROOMS),$(if $(call room_src,$(r)),$(call room_lib,$(r))))

# hiredis has TLS since 1.0, and OpenSSL to do it with.
REDIS_PKGS := hiredis $(shell $(PKG_CONFIG) --exists hiredis_ssl openssl 2>/dev/null && echo hiredis_ssl openssl)

# Which rooms and libraries a program is linked with: no more than it uses.
PROGRAMS := berth run-job checkout cache gateway relay launch log-store \
            log-store-s3 artifact-store cache-store \
            docker-client image-fetch findings-read forge
MAIN_berth := cli
ROOMS_berth := cli scheduler/daemon scheduler/intake scheduler/report \
               scheduler/forge \
               worker/supervisor worker/artifacts worker/secrets worker/logs \
               worker/gateway scheduler/queue pipelines \
               pipelines/review pipelines/findings pipelines/diff base
PKGS_berth := $(sort $(REDIS_PKGS) openssl) yaml-0.1 jansson expat libzstd libmicrohttpd
MAIN_run-job := worker/job
ROOMS_run-job := worker/job worker/artifacts worker/checkout worker/cache \
                 worker/gateway/relay worker/gateway worker/sandbox \
                 pipelines base
PKGS_run-job := yaml-0.1 jansson
MAIN_checkout := worker/checkout
ROOMS_checkout := worker/checkout base
PKGS_checkout := libgit2 jansson
MAIN_cache := worker/cache
ROOMS_cache := worker/cache base
PKGS_cache := jansson
MAIN_cache-store := worker/cache/far
ROOMS_cache-store := worker/cache/far worker/cache base
PKGS_cache-store := jansson libzstd libcurl expat
MAIN_gateway := worker/gateway
ROOMS_gateway := worker/gateway base
PKGS_gateway := jansson libcares openssl libseccomp
MAIN_relay := worker/gateway/relay
ROOMS_relay := worker/gateway/relay pipelines base
PKGS_relay := jansson libcurl libseccomp
MAIN_launch := worker/sandbox/launch
ROOMS_launch := worker/sandbox/launch base
PKGS_launch :=
MAIN_log-store := worker/logs
ROOMS_log-store := worker/logs scheduler/queue base
PKGS_log-store := libzstd
MAIN_log-store-s3 := worker/logs/s3
ROOMS_log-store-s3 := worker/logs scheduler/queue base
PKGS_log-store-s3 := libzstd libcurl expat
MAIN_artifact-store := worker/artifacts/store
ROOMS_artifact-store := worker/artifacts/store worker/artifacts base
PKGS_artifact-store := jansson libcurl expat
MAIN_docker-client := worker/sandbox/docker
ROOMS_docker-client := worker/sandbox/docker worker/sandbox base
PKGS_docker-client := libcurl jansson
MAIN_image-fetch := worker/sandbox/fetch
ROOMS_image-fetch := worker/sandbox/fetch worker/sandbox base
PKGS_image-fetch :=
MAIN_findings-read := worker/findings
ROOMS_findings-read := worker/findings pipelines/findings pipelines/diff base
PKGS_findings-read := jansson expat libseccomp
MAIN_forge := scheduler/report/post
ROOMS_forge := scheduler/report/post scheduler/forge/api scheduler/forge \
               pipelines/findings pipelines/diff base
PKGS_forge := jansson libcurl openssl expat
ALL_PKGS := $(REDIS_PKGS) yaml-0.1 jansson libseccomp libgit2 libzstd libcares \
            libcurl openssl libmicrohttpd expat

BERTH := $(BUILD)/bin/berth
LIBEXEC := $(foreach p,$(filter-out berth,$(PROGRAMS)),$(if $(wildcard $(MAIN_$(p))/main.c),$(BUILD)/libexec/berth/$(p)))
ifneq ($(wildcard worker/sandbox/agent/main.c),)
AGENT := $(BUILD)/libexec/berth/agent
OPENCODE := $(BUILD)/libexec/berth/opencode
endif

.PHONY: all help run install install-data clean deps programs
.DELETE_ON_ERROR:
.SECONDARY:

all: programs
programs: $(if $(wildcard cli/main.c),$(BERTH)) $(LIBEXEC) $(AGENT) $(OPENCODE)

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' Makefile tests/*.mk | sort

# ---- compiling -------------------------------------------------------------
$(BUILD)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $<")
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CPPFLAGS) $(BASE_CFLAGS) $(OPT) $(COVER) -MMD -MP -c -o $@ $<
# Security updates gave libgit2 this option without a new version.
GIT2_OPTIONS = $(shell $(PKG_CONFIG) --variable=includedir libgit2 2>/dev/null)/git2/common.h
# Newer ones of expat count lines in 64 bits, and warn of the old name.
EXPAT_H = $(shell $(PKG_CONFIG) --variable=includedir expat 2>/dev/null)/expat.h
PKG_CPPFLAGS := $(call pkg_cflags,$(ALL_PKGS)) \
    $(shell grep -qs XML_GetCurrentLineNumber64 $(EXPAT_H) && echo -DHAVE_EXPAT_LINE64) \
    $(shell grep -qs SET_PACK_MAX_OBJECT_SIZE $(GIT2_OPTIONS) && echo -DHAVE_GIT_PACK_MAX_OBJECT_SIZE) \
    $(if $(filter hiredis_ssl,$(REDIS_PKGS)),-DHAVE_REDIS_TLS)

# Embedded files: the compiler does not see what .incbin reads.
$(BUILD)/obj/scheduler/queue/scripts.o: $(wildcard scheduler/queue/lua/*.lua scheduler/queue/lua/lib/*.lua)
$(BUILD)/obj/pipelines/library.o: $(wildcard pipelines/library/*.yml)
$(BUILD)/obj/cli/doctor_rights.o: deploy/redis-acl.conf
$(BUILD)/obj/cli/setup.o: cli/opencode/package-lock.json

define room_rule
$(call room_lib,$(1)): $(call objs,$(call room_src,$(1)))
	@mkdir -p $$(@D)
	$$(Q)rm -f $$@ && $(AR) rcs $$@ $$^
endef
$(foreach r,$(ROOMS),$(eval $(call room_rule,$(r))))

define program_rule
$(2): $(BUILD)/obj/$(MAIN_$(1))/main.o $(foreach r,$(ROOMS_$(1)),$(if $(call room_src,$(r)),$(call room_lib,$(r))))
	@mkdir -p $$(@D)
	@$$(if $$(V),,echo "  LINK  $$@")
	$$(Q)$$(CC) $$(LDFLAGS) $$(LDOPT) $$(COVER) -o $$@ $$^ $$(call pkg_libs,$$(PKGS_$(1))) $(LDLIBS)
endef
$(eval $(call program_rule,berth,$(BERTH)))
$(foreach p,$(filter-out berth,$(PROGRAMS)),$(eval $(call program_rule,$(p),$(BUILD)/libexec/berth/$(p))))

# The agent: pid 1 of every sandbox, static, on whatever image there is.
AGENT_SRC := $(wildcard worker/sandbox/agent/*.c) base/frame.c base/glob.c
AGENT_OBJ := $(patsubst %.c,$(BUILD)/static/%.o,$(AGENT_SRC))
$(BUILD)/static/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $< (static)")
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CPPFLAGS) $(BASE_CFLAGS) $(STATIC_OPT) -ffunction-sections -MMD -MP -c -o $@ $<
$(BUILD)/libexec/berth/agent: $(AGENT_OBJ)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@ (static)")
	$(Q)$(CC) -static -Wl,--gc-sections -Wl,-z,relro,-z,noexecstack $(STATIC_OPT) -o $@ $^


# Inside as well: `opencode` and `berth-review`.
OPENCODE_SRC := $(wildcard worker/opencode/*.c pipelines/review/*.c \
                  pipelines/findings/*.c pipelines/diff/*.c) \
                $(patsubst %,base/%.c,arena clock err fd glob mem proc \
                  sha1 sha256 strbuf utf8 xml)
OPENCODE_OBJ := $(patsubst %.c,$(BUILD)/static/%.o,$(OPENCODE_SRC))
$(BUILD)/libexec/berth/opencode: $(OPENCODE_OBJ)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@ (static)")
	$(Q)$(CC) -static -Wl,--gc-sections -Wl,-z,relro,-z,noexecstack $(STATIC_OPT) -o $@ $^ $(shell $(PKG_CONFIG) --static --libs jansson expat) -lm

-include $(wildcard $(BUILD)/obj/*.d $(BUILD)/obj/*/*.d $(BUILD)/obj/*/*/*.d $(BUILD)/obj/*/*/*/*.d $(BUILD)/obj/*/*/*/*/*.d $(BUILD)/static/*/*.d $(BUILD)/static/*/*/*.d $(BUILD)/static/*/*/*/*.d)

# ---- using it --------------------------------------------------------------
# A make that has no -j of its own gets one job a processor.
JOBS = $(if $(filter -j% --jobserver%,$(MAKEFLAGS)),,-j$(shell nproc))

# Every target that needs packages installs them first, then starts make again:
# what pkg-config says is read when make starts.
run: ## build, and take an example project through berth run
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@deploy/run-example.sh build/release

deps: ## install the Debian packages for building and running
	@deploy/deps.sh build run

install: ## install a release build below PREFIX (and DESTDIR)
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	install -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/libexec/berth
	install -m 755 build/release/bin/berth $(DESTDIR)$(PREFIX)/bin
	install -m 755 build/release/libexec/berth/* \
	    $(DESTDIR)$(PREFIX)/libexec/berth
	@$(MAKE) --no-print-directory install-data

# The units name the place of the program.
install-data:
	install -d $(DESTDIR)$(PREFIX)/share/doc/berth/examples \
	    $(DESTDIR)$(PREFIX)/share/berth/schemas \
	    $(DESTDIR)$(PREFIX)/share/berth/systemd
	install -m 644 README.md CHANGELOG.md SECURITY.md LICENSE docs/*.md \
	    $(DESTDIR)$(PREFIX)/share/doc/berth
	install -m 644 pipelines/library/*.yml \
	    $(DESTDIR)$(PREFIX)/share/doc/berth/examples
	install -m 644 schemas/*.json $(DESTDIR)$(PREFIX)/share/berth/schemas
	install -m 644 deploy/redis-acl.conf deploy/berth.yml \
	    $(DESTDIR)$(PREFIX)/share/berth
	for unit in berth-worker berth-scheduler; do \
	    sed 's|/usr/local|$(PREFIX)|' deploy/systemd/$$unit.service \
	        >$(DESTDIR)$(PREFIX)/share/berth/systemd/$$unit.service; \
	done

clean: ## remove what was built
	rm -rf build

# ---- the rest --------------------------------------------------------------
include tests/tests.mk
