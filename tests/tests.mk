# tests/tests.mk - testing, checking, measuring.

# Unit tests: tests/unit/<room>/<name>_test.c, one program each, TAP on stdout.
UNIT_SRC := $(wildcard tests/unit/*/*_test.c tests/unit/*/*/*_test.c)
UNIT_BIN := $(patsubst tests/%.c,$(BUILD)/tests/%,$(UNIT_SRC))
UNIT_PKGS := cmocka $(ALL_PKGS)
SCRIPT_TESTS := $(wildcard tests/integration/*.sh tests/e2e/*.sh \
                  tests/integration/*.test.js tests/e2e/*.test.js)

$(BUILD)/tests/unit/%: $(BUILD)/obj/tests/unit/%.o $(LIBS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $(LDOPT) $(COVER) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(call pkg_libs,$(UNIT_PKGS)) $(LDLIBS)

# Fuzzers: tests/fuzz/<name>_fuzz.c, with all rooms, by clang.
FUZZ_DIR := $(BUILD)/fuzz
FUZZ_CC := $(shell command -v clang 2>/dev/null)
FUZZ_SRC := $(wildcard tests/fuzz/*_fuzz.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(FUZZ_DIR)/%,$(FUZZ_SRC))
FUZZ_ROOMS := $(foreach r,$(ROOMS),$(call room_src,$(r)))
FUZZ_FLAGS := -O1 -g -fsanitize=address,undefined \
              -fno-sanitize-recover=undefined -fno-omit-frame-pointer
FUZZ_SECONDS ?= 60

$(FUZZ_DIR)/obj/%.o: %.c Makefile
	@mkdir -p $(@D)
	@$(if $(V),,echo "  CC    $< (fuzz)")
	$(Q)$(FUZZ_CC) $(CPPFLAGS) $(PKG_CPPFLAGS) $(BASE_CFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer-no-link -MMD -MP -c -o $@ $<
$(FUZZ_DIR)/rooms.a: $(patsubst %.c,$(FUZZ_DIR)/obj/%.o,$(FUZZ_ROOMS))
	$(Q)rm -f $@ && $(AR) rcs $@ $^
$(FUZZ_DIR)/obj/pipelines/library.o: $(wildcard pipelines/library/*.yml)
$(FUZZ_DIR)/obj/cli/doctor_rights.o: deploy/redis-acl.conf
$(FUZZ_DIR)/obj/cli/setup.o: cli/opencode/package-lock.json
$(FUZZ_DIR)/obj/scheduler/queue/scripts.o: $(wildcard scheduler/queue/lua/*.lua scheduler/queue/lua/lib/*.lua)
$(FUZZ_DIR)/%_fuzz: $(FUZZ_DIR)/obj/tests/fuzz/%_fuzz.o $(FUZZ_DIR)/rooms.a
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(FUZZ_CC) $(LDFLAGS) $(FUZZ_FLAGS) -fsanitize=fuzzer -o $@ $^ $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)
-include $(wildcard $(FUZZ_DIR)/obj/*/*.d $(FUZZ_DIR)/obj/*/*/*.d $(FUZZ_DIR)/obj/*/*/*/*.d)

.PHONY: unit-tests test test-run test-quick fresh fresh-vm
unit-tests: $(UNIT_BIN) programs

# TESTS=pattern runs only those whose name (unit/base/err, e2e/run…) has it.
test: ## run every test; TESTS=pattern for some
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) test-programs
	@$(MAKE) --no-print-directory $(JOBS) test-run

TEST_ENV = BERTH_TOOLS='$(abspath $(BUILD))/tests/tools' \
           BERTH_BIN='$(abspath $(BUILD))/bin/berth' \
           BERTH_LIBEXEC='$(abspath $(BUILD))/libexec/berth' \
           BERTH_FUZZERS='$(abspath $(FUZZ_DIR))' TESTS='$(TESTS)'
.PHONY: test-programs
test-programs: programs tools $(UNIT_BIN) $(if $(FUZZ_CC),$(FUZZ_BIN))
test-run:
	@$(TEST_ENV) tests/run $(UNIT_BIN) $(SCRIPT_TESTS) tests/fuzz/seeds.sh

.PHONY: test-docker
test-docker: ## one suite over every driver of sandboxes, Docker's too
	@deploy/deps.sh build run test docker
	@$(MAKE) --no-print-directory $(JOBS) programs $(filter %/worker/sandbox/docker_test %/worker/sandbox/oci%_test,$(UNIT_BIN))
	@bash -c '. tests/lib/docker.sh && docker_image_make'
	@$(TEST_ENV) TESTS= ALL_SUITES=1 DRIVERS='oci:crun oci:runc docker' \
	    tests/run tests/integration/sandbox_conformance.sh

.PHONY: test-opencode
test-opencode: programs ## steps of opencode, with what takes minutes
	@deploy/deps.sh build run test
	@OPENCODE_SLOW=1 $(TEST_ENV) TESTS= tests/run \
	    $(filter %/opencode.test.js %/opencode_hostile.test.js %/review.test.js %/review_hosts.test.js %/eval.test.js,$(SCRIPT_TESTS))

fresh: ## try it in a bare Debian; DIST=bookworm|trixie
	@tests/fresh/run.sh $(or $(DIST),bookworm)

fresh-vm: ## try cgroup v2 in a virtual machine (long)
	@tests/fresh/vm.sh

# ---- fuzzing ---------------------------------------------------------------
.PHONY: fuzz fuzz-programs
fuzz-programs: $(FUZZ_BIN)
fuzz: ## run every fuzzer for FUZZ_SECONDS (60)
	@deploy/deps.sh build test
	@$(MAKE) --no-print-directory $(JOBS) fuzz-programs
	@BERTH_FUZZERS='$(abspath $(FUZZ_DIR))' FUZZ_SECONDS=$(FUZZ_SECONDS) \
	    TEST_TIMEOUT=100000 tests/run tests/fuzz/seeds.sh

# ---- breaking it ------------------------------------------------------------
# Programs of a test that are linked with all rooms.
TOOLS := $(BUILD)/tests/chaos/load $(BUILD)/tests/tools/findings \
         $(BUILD)/tests/tools/webhook_read
$(TOOLS): $(BUILD)/tests/%: $(BUILD)/obj/tests/%.o $(LIBS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $(LDOPT) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)
$(BUILD)/tests/torture/fail.so: tests/torture/fail.c
	@mkdir -p $(@D)
	$(Q)$(CC) $(CPPFLAGS) $(PKG_CPPFLAGS) $(BASE_CFLAGS) -O1 -g -shared -fPIC -o $@ $< -ldl

# Hostile programs for the inside of a sandbox: static, on whatever image.
ATTACK := $(BUILD)/tests/security/attack
$(ATTACK): $(patsubst %.c,$(BUILD)/static/%.o,$(wildcard tests/security/*.c))
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@ (static)")
	$(Q)$(CC) -static $(STATIC_OPT) -o $@ $^
-include $(wildcard $(BUILD)/static/tests/security/*.d)

.PHONY: chaos kill-sandboxes hosts failover torture security tools
tools: programs $(TOOLS) $(BUILD)/tests/torture/fail.so $(ATTACK)

# With release programs: sanitizers and a faked clock do not go together.
chaos: ## kill and cut off everything; CHAOS_JOBS= CHAOS_SECONDS= CHAOS_SEED=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    node tests/chaos/chaos.js

kill-sandboxes: ## kill -9 of all that runs jobs; KILL_JOBS= KILL_SEED=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    node tests/chaos/kill.js

hosts: ## Git hosts go wrong, berth is killed; HOSTS_CHANGES= HOSTS_SEEDS= HOSTS_SEED=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    node tests/chaos/hosts.js

failover: ## Sentinel and Cluster fail over under load; FAILOVER_JOBS=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release tools
	@FAILOVER_LOAD='$(CURDIR)/build/release/tests/chaos/load' \
	    node tests/chaos/failover.js

torture: ## make each call fail in turn; TORTURE_PROGRAMS= TORTURE_KINDS=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) tools
	@$(TEST_ENV) TORTURE_FAIL='$(abspath $(BUILD))/tests/torture/fail.so' \
	    sh -c 'export TEST_TMP="$$(mktemp -d)"; bash tests/torture/run.sh; \
        rc=$$?; rm -rf "$$TEST_TMP"; exit $$rc'

SECURITY_RUNTIMES ?= crun runc
security: ## hostile programs and jobs; SECURITY_RUNTIMES='crun runc docker'
	@deploy/deps.sh build run test $(filter docker,$(SECURITY_RUNTIMES))
	@$(MAKE) --no-print-directory $(JOBS) tools
	@$(if $(filter docker,$(SECURITY_RUNTIMES)),bash -c '. tests/lib/docker.sh && docker_image_make')
	@$(TEST_ENV) SECURITY_RUNTIMES='$(SECURITY_RUNTIMES)' \
	    node tests/security/run.js

# ---- checking --------------------------------------------------------------
OWN_C := $(sort $(wildcard *.c $(addsuffix /*.[ch],$(ROOMS)) \
           worker/sandbox/agent/*.[ch] tests/unit/*/*.[ch] \
           tests/unit/*/*/*.[ch] tests/fuzz/*.[ch] tests/fakes/*.[ch] \
           tests/lib/*.[ch] tests/bench/*.[ch] tests/tools/*.[ch] \
           tests/chaos/*.[ch] tests/torture/*.[ch] \
           tests/security/*.[ch]))
CHECKS := check-format check-scripts check-text layers check-clang \
          check-release tidy coverage
.PHONY: check $(CHECKS) format

check: ## format, layers, clang-tidy, shellcheck, both compilers, coverage
	@deploy/deps.sh build test check
	@failed=; for c in $(CHECKS); do \
	    echo "== $$c"; $(MAKE) --no-print-directory $(JOBS) $$c || failed="$$failed $$c"; \
	done; \
	if [ -n "$$failed" ]; then echo "check: failed:$$failed"; exit 1; fi; \
	echo "check: all of $(CHECKS) passed"

format: ## rewrite the C sources with clang-format
	@clang-format -i $(OWN_C)

# Versions of clang-format disagree with each other.
CLANG_FORMAT_VERSION := 14
check-format:
	@if clang-format --version | grep -q 'version $(CLANG_FORMAT_VERSION)\.'; \
	then clang-format --dry-run -Werror $(OWN_C); \
	else echo "not compared: this is not clang-format $(CLANG_FORMAT_VERSION)"; fi

check-scripts:
	@tests/checks/scripts

check-text:
	@tests/checks/text

layers: ## the rules of who may include whom
	@tests/checks/layers

check-clang:
	@$(MAKE) --no-print-directory $(JOBS) CC=clang BUILD=build/clang programs unit-tests

BENCH_BIN := $(patsubst tests/%.c,build/release/tests/%,$(wildcard tests/bench/*.c))
check-release:
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs $(BENCH_BIN)

# Only what changed is looked at again.
TIDY_SRC := $(filter %.c,$(OWN_C))
TIDY_OK := $(patsubst %.c,build/tidy/%.ok,$(TIDY_SRC))
build/tidy/%.ok: %.c .clang-tidy $(filter %.h,$(OWN_C))
	@mkdir -p $(@D)
	@$(if $(V),,echo "  TIDY  $<")
	$(Q)clang-tidy --quiet $< -- $(CPPFLAGS) $(PKG_CPPFLAGS) -std=gnu17 2>$@.err >$@.out || { cat $@.out; grep -v 'warnings\? \(generated\|treated\)\|^Suppressed\|^Use' $@.err; exit 1; }
	@rm -f $@.err $@.out; touch $@
tidy: $(TIDY_OK) ## clang-tidy over everything

COVERAGE_MIN := 85
.PHONY: coverage-run
coverage: ## table of the unit tests' line coverage
	@deploy/deps.sh build test check
	@$(MAKE) --no-print-directory $(JOBS) BUILD=build/coverage SANITIZE= COVER=--coverage coverage-run
COVERAGE_BIN := $(filter $(BUILD)/tests/unit/base/% $(BUILD)/tests/unit/pipelines/%,$(UNIT_BIN))
coverage-run: $(COVERAGE_BIN)
	@find $(BUILD) -name '*.gcda' -delete
	@$(TEST_ENV) tests/run $(COVERAGE_BIN) >$(BUILD)/tests.log || { cat $(BUILD)/tests.log; exit 1; }
	@gcovr --root . --filter '$(CURDIR)/base/' --filter '$(CURDIR)/pipelines/' \
	    --object-directory $(BUILD) --fail-under-line $(COVERAGE_MIN) $(BUILD)/obj

# ---- measuring -------------------------------------------------------------
.PHONY: bench
bench: ## run tests/bench against a release build
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@for b in tests/bench/*.sh; do \
	    BERTH_BIN=$(CURDIR)/build/release/bin/berth \
	    BERTH_LIBEXEC=$(CURDIR)/build/release/libexec/berth bash $$b || exit 1; \
	done

$(BUILD)/tests/bench/%: $(BUILD)/obj/tests/bench/%.o $(LIBS)
	@mkdir -p $(@D)
	@$(if $(V),,echo "  LINK  $@")
	$(Q)$(CC) $(LDFLAGS) $(LDOPT) -o $@ $< -Wl,--start-group $(LIBS) -Wl,--end-group $(call pkg_libs,$(ALL_PKGS)) $(LDLIBS)

.PHONY: bench-queue
bench-queue: ## the queue against BullMQ; BENCH_JOBS= BENCH_ROUNDS=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs build/release/tests/bench/queue
	@BENCH_QUEUE='$(CURDIR)/build/release/tests/bench/queue' \
	    BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/queue.bash

.PHONY: bench-sandbox
bench-sandbox: ## a command in a sandbox against bwrap, crun, Docker; BENCH_ROUNDS=
	@deploy/deps.sh build run bench
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs build/release/tests/bench/sandbox
	@BENCH_SANDBOX='$(CURDIR)/build/release/tests/bench/sandbox' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/sandbox.bash

.PHONY: bench-scale
bench-scale: ## a hundred thousand waiting jobs, ten thousand running
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) MODE=release build/release/tests/bench/queue_scale
	@build/release/tests/bench/queue_scale

.PHONY: bench-checkout
bench-checkout: ## the checkout step against git; BENCH_FILES= BENCH_ROUNDS=
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs build/release/tests/bench/checkout
	@BENCH_CHECKOUT='$(CURDIR)/build/release/tests/bench/checkout' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/checkout.bash

.PHONY: bench-install
bench-install: ## install: npm against npm ci; BENCH_PACKAGES= BENCH_ROUNDS=
	@deploy/deps.sh build run
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/install.bash

.PHONY: bench-report
bench-report: ## webhooks to jobs, findings to a host; BENCH_DELIVERIES=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/report.bash

.PHONY: bench-review
bench-review: ## reviews against opencode by itself, the relay; BENCH_ROUNDS=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    bash tests/bench/review.bash

# Variables: tests/eval/eval.js tells them.
.PHONY: eval-review
eval-review: ## how good a model's reviews are; EVAL_CONFIG= EVAL_MODEL= EVAL_CASES=
	@deploy/deps.sh build run test
	@$(MAKE) --no-print-directory $(JOBS) MODE=release programs
	@BERTH_BIN='$(CURDIR)/build/release/bin/berth' \
	    BERTH_LIBEXEC='$(CURDIR)/build/release/libexec/berth' \
	    node tests/eval/eval.js
