# The scoring API. `make help` lists the targets. The tools and flags below can be
# set on the command line or in the environment.

# Without the built-in rules, for which make would search with each header.
MAKEFLAGS += -r

ifeq ($(origin CC),default)
CC := gcc
endif
CFLAGS ?= -O2 -g
WERROR ?= -Werror
V ?=
PREFIX ?= /usr/local
VARIANT ?= release

B := build/$(VARIANT)
Q := $(if $(V),,@)
# Without a program for each file.
SAY = $(if $(V),,$(info $()  $(1) $@))
MAKE_FOLDER = $(if $(wildcard $(@D)/.),,@mkdir -p $(@D))

# The first use replaces these by their value: each program runs once, not for each file,
# and not at all for a target that does not need its output.
VERSION = $(eval VERSION := $(shell sed -n '/^## \[\([0-9.]*\)\].*/{s//\1/p;q}' CHANGELOG.md 2>/dev/null))$(VERSION)
# From git in a checkout, from the file .commit in copies of the sources.
COMMIT = $(eval COMMIT := $(shell { [ -e .git ] && git --no-optional-locks describe --always --abbrev=12 --dirty \
    --exclude='*' || cat .commit; } 2>/dev/null))$(COMMIT)
# rediss:// needs a hiredis with TLS, which it has from 1.0.
HAS_TLS = $(eval HAS_TLS := $(shell pkg-config --exists hiredis_ssl 2>/dev/null && echo yes))$(HAS_TLS)
LIBS = json-c hiredis libcrypto libcares $(if $(HAS_TLS),hiredis_ssl libssl)
CPPFLAGS_TLS = $(if $(HAS_TLS),-DHAVE_HIREDIS_SSL)
CPPFLAGS_LIBS = $(eval CPPFLAGS_LIBS := $(shell pkg-config --cflags $(LIBS)))$(CPPFLAGS_LIBS)
LDLIBS_LIBS = $(eval LDLIBS_LIBS := $(shell pkg-config --libs $(LIBS)))$(LDLIBS_LIBS)

CPPFLAGS_ALL = -D_GNU_SOURCE -DSCORING_VERSION='"$(or $(VERSION),0.0.0)"' -Isrc -Itests -MMD -MP \
    $(CPPFLAGS_TLS) $(CPPFLAGS_COMMIT) $(CPPFLAGS_LIBS) $(CPPFLAGS)
CFLAGS_ALL = $(CFLAGS) -std=c11 -Wall -Wextra -Wshadow -Wconversion \
    -Wstrict-prototypes -Wmissing-prototypes -Wvla $(WERROR) $(CFLAGS_$(VARIANT))
LDFLAGS_ALL = $(LDFLAGS) $(LDFLAGS_$(VARIANT)) $(WRAPPED:%=-Wl,--wrap=%)
LDLIBS_ALL = -lfcgi -lev $(LDLIBS_LIBS) $(LDLIBS)

# Hardening of the release; `make check-hardening` checks the binary.
HARDEN_C = -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection \
    -fcf-protection -fPIE
HARDEN_LD = -pie -Wl,-z,relro,-z,now,-z,noexecstack
SANITIZE = -O1 -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer

# Without the path of the folder, so that each folder builds the same program.
CFLAGS_release = $(HARDEN_C) -ffile-prefix-map=$(CURDIR)=.
LDFLAGS_release = $(HARDEN_LD)
# The release uses mimalloc: see docs/performance.md. Empty: the C library's.
ALLOCATOR ?= -lmimalloc
ALLOCATOR_release = $(ALLOCATOR)
# The code of tests is not optimized: half of the time to build everything would be for
# this. Fortified functions need optimization.
CFLAGS_release_tests = $(CFLAGS_release) -O0 -U_FORTIFY_SOURCE
CFLAGS_asan = $(SANITIZE)
LDFLAGS_asan = $(SANITIZE)
# Atomic, because several processes update the same counts.
CFLAGS_coverage = -O0 --coverage -fprofile-update=atomic
LDFLAGS_coverage = --coverage
CFLAGS_fuzz = $(SANITIZE) -fsanitize=fuzzer-no-link
LDFLAGS_fuzz = $(SANITIZE)

# Switched off: checks that warn of every memcpy(), and those that version 14 gets
# wrong for va_start() and <sys/queue.h> (ASan covers these).
TIDY = -*,clang-analyzer-*,bugprone-*,misc-*,performance-*,-bugprone-easily-swappable-parameters,-misc-no-recursion,-bugprone-assignment-in-if-condition,-clang-analyzer-security.insecureAPI.DeprecatedOrUnsafeBufferHandling,-clang-analyzer-valist.Uninitialized,-clang-analyzer-unix.Malloc,-clang-analyzer-optin.performance.Padding,-bugprone-implicit-widening-of-multiplication-result,-bugprone-suspicious-missing-comma,-bugprone-sizeof-expression

# Wildcards: a new file needs no change here.
SOURCES := $(sort $(wildcard src/*/*.c))
UNIT := $(sort $(wildcard tests/unit/*.c tests/unit/*/*.c))
INTEGRATION := $(sort $(wildcard tests/integration/*.c))
CASES := $(sort $(wildcard tests/cases/*.c))
MEMORY := $(sort $(wildcard tests/memory/*.c))
FUZZ := $(sort $(wildcard tests/fuzz/*.c))
# The code that tests share is an archive, of which each program links what it uses.
# Files that replace functions of a library are linked explicitly: those of WRAPPED for
# calls by the program, allocators, clock and waits for calls by libraries, too.
INTERPOSERS := $(addprefix tests/support/,calls.c memory.c names.c shared_clock.c)
WRAPPED_calls = alarm recv send read __read_chk open open64 socket accept4 connect fork fsync sendfile sendfile64 \
    memfd_create fallocate fallocate64 mmap mmap64 EVP_DigestInit_ex2 EVP_DigestUpdate EVP_DigestFinal_ex \
    EVP_MAC_init EVP_MAC_update EVP_MAC_final CRYPTO_memcmp OPENSSL_cleanse explicit_bzero __explicit_bzero_chk
WRAPPED_names = ares_init_options
WRAPPED_memory = tzset
SUPPORT := $(sort $(filter-out $(INTERPOSERS),$(wildcard tests/support/*.c)))

OBJECTS = $(SOURCES:%.c=$B/%.o)
UNIT_O = $(UNIT:%.c=$B/%.o) $(addprefix $B/tests/support/,calls.o names.o shared_clock.o)
INTEGRATION_O = $(INTEGRATION:%.c=$B/%.o) $B/tests/support/names.o
MEMORY_O = $(MEMORY:%.c=$B/%.o) $B/tests/support/memory.o
CASES_O = $(CASES:%.c=$B/%.o)
SUPPORT_O = $(SUPPORT:%.c=$B/%.o)
SUPPORT_A = $B/tests/support.a
SCRIPTS = $(wildcard deploy/*.sh deploy/*/*.sh deploy/*/*/*.sh deploy/*/*.bash tests/*.sh tests/*/*.sh) .ci/run
PYTHON = $(wildcard docs/web/*.py tests/*.py tests/*/*.py)
C_FILES = $(wildcard docs/*.c src/*.[ch] src/*/*.[ch] tests/*/*.[ch] tests/unit/*/*.[ch])
BENCH_TOOLS = $(addprefix $B/tests/bench/,delay echo rate)

all: $B/scoring

$B/scoring: $B/src/main.o $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(ALLOCATOR_$(VARIANT)) $(LDLIBS_ALL)

$B/unit: WRAPPED = $(WRAPPED_calls) $(WRAPPED_names)
$B/unit: $(UNIT_O) $(SUPPORT_A) $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcunit $(LDLIBS_ALL)

$B/integration: WRAPPED = $(WRAPPED_names)
$B/integration: $(INTEGRATION_O) $(SUPPORT_A) $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcunit -lcurl -lpthread $(LDLIBS_ALL)

$(BENCH_TOOLS): %: %.o
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lfcgi -lev

$B/memory: WRAPPED = $(WRAPPED_memory)
$B/memory: $(MEMORY_O) $(SUPPORT_A) $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcunit $(LDLIBS_ALL)

$B/cases: $(CASES_O) $(SUPPORT_A)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ -lcunit $(LDLIBS_ALL)

# Prints the tables that `make docs` writes into the documents.
$B/tables: $B/docs/tables.o $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$B/decode: $B/tests/differential/decode.o $(OBJECTS)
	$(call SAY,LD)
	$(Q)$(CC) $(CFLAGS_ALL) $(LDFLAGS_ALL) -o $@ $^ $(LDLIBS_ALL)

$(FUZZ:tests/fuzz/%.c=$B/%): $B/%: $B/tests/fuzz/%.o $(SUPPORT_A) $(OBJECTS)
	$(call SAY,LD)
	$(Q)clang $(LDFLAGS_ALL) -fsanitize=fuzzer -o $@ $^ $(LDLIBS_ALL)

$(SUPPORT_A): $(SUPPORT_O)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

build/release/tests/%.o: CFLAGS_release := $(CFLAGS_release_tests)
build/release/tests/bench/%.o: CFLAGS_release := $(CFLAGS_release)
$B/%.o: %.c Makefile
	$(MAKE_FOLDER)
	$(call SAY,CC)
	$(Q)$(CC) $(CPPFLAGS_ALL) $(CFLAGS_ALL) -c -o $@ $<

# Files that contain the version or the commit are compiled again when it changes.
$B/src/telemetry/metrics_text.o: CPPFLAGS_COMMIT = -DSCORING_COMMIT='"$(or $(COMMIT),unknown)"'
$B/src/main.o $B/src/serve/supervisor.o $B/src/telemetry/metrics_text.o: $B/version
$B/version: FORCE
	@mkdir -p $(@D)
	@echo '$(VERSION) $(COMMIT)' | cmp -s - $@ || echo '$(VERSION) $(COMMIT)' >$@
FORCE:

version:
	@echo $(VERSION)

packages:
	@deploy/install-packages.sh build page run
packages-check: packages
	@deploy/install-packages.sh unit test bench

run: packages
	@$(MAKE) --no-print-directory -s all web
	@exec setpriv --pdeathsig TERM deploy/run.sh

check: packages-check
	@MAKE="$(MAKE)" tests/check.sh
check-sanitized: packages-check
	@MAKE="$(MAKE)" tests/check.sh --sanitized
quick: packages-check
	@MAKE="$(MAKE)" tests/check.sh --quick

# The test programs of one variant.
tests: $B/tables $B/unit $B/memory $B/integration $B/decode $B/cases

# One word for the shell; no word without a filter.
FILTER_WORD = $(if $(FILTER),'$(FILTER)')

unit: all $B/unit
	$B/unit $(FILTER_WORD)

# Lets every allocation fail once.
memory: $B/memory
	$B/memory $(FILTER_WORD)

# Tests the test runner, with tests that fail, crash or hang.
cases: $B/cases
	tests/cases/check.sh $B/cases

# Finds uninitialised values, which ASan does not. One suite at a time, because
# everything takes some thirty times longer. Not the supervisor's: its rows limit time
# and descriptors, and valgrind needs both.
VALGRIND_SUITES = base/,cli/,config/,fcgi/,redis/,scoring/,store/,telemetry/,$(subst $(space),$(comma),$(patsubst tests/unit/serve/test_%.c,serve/%/,$(filter-out %/test_supervisor.c,$(wildcard tests/unit/serve/*.c))))
comma := ,
space := $() $()
valgrind: all $B/unit
	JOBS=1 ROW_LIMIT_S=300 valgrind -q --error-exitcode=99 --leak-check=full \
	    --suppressions=tests/valgrind.supp \
	    --show-leak-kinds=definite,possible --errors-for-leak-kinds=definite,possible \
	    $B/unit $(or $(FILTER_WORD),$(VALGRIND_SUITES))

integration: all web $B/integration
	RUN_BINARY="$$PWD/$B/scoring" tests/sanitized.sh $B/reports $B/integration $(FILTER_WORD)

asan:
	$(MAKE) unit VARIANT=asan

# Load while random faults happen; SOAK_SEED repeats the faults of an earlier run.
SOAK_SECONDS ?= 300
SOAK_SEED ?=
soak: all
	@tests/soak/soak.py $B/scoring $(SOAK_SECONDS) $(SOAK_SEED)

# Faults of a master, two replicas and three sentinels. SENTINEL_SCENARIOS: only these.
SENTINEL_SCENARIOS ?=
sentinel: all
	@tests/sentinel/sentinel.py $B/scoring $(SENTINEL_SCENARIOS)

# Faults of a Cluster of three masters, each with a replica.
cluster: all $B/integration
	@$(MAKE) --no-print-directory integration FILTER=cluster/

# The lines and branches of src/ that tests reach; fails under COVERAGE_LINES or
# COVERAGE_BRANCHES per cent. Only the branches of assert() are excluded, because no
# test can make them fail. A process with another user cannot write its counts, hence
# GCOV_ERROR_FILE. COVERAGE_FILTER selects integration tests.
COVERAGE_FILTER ?=
COVERAGE_LINES ?= 95
COVERAGE_BRANCHES ?= 90
coverage:
	@find build/coverage -name '*.gcda' -delete 2>/dev/null || true
	@for tests in unit memory 'integration FILTER=$(COVERAGE_FILTER)'; do \
	    GCOV_ERROR_FILE=/dev/null \
	    $(MAKE) --no-print-directory VARIANT=coverage $$tests || exit 1; done
	@gcovr --root . --filter src/ --object-directory build/coverage --sort-percentage \
	    --exclude-branches-by-pattern '\s*assert\(' --txt build/coverage/lines.txt \
	    --html-details build/coverage/report.html --print-summary \
	    --fail-under-line $(COVERAGE_LINES) --fail-under-branch $(COVERAGE_BRANCHES) build/coverage/src; \
	    status=$$?; cat build/coverage/lines.txt; exit $$status

# Changes src/ at one place at a time; MUTANTS_SEED repeats an earlier sample.
# MUTANTS_GOAL: the percentage of changes that a test must notice.
MUTANTS ?= 300
MUTANTS_GOAL ?= 90
MUTANTS_SEED ?=
MUTANTS_FILES ?=
mutants:
	@tests/mutants/mutants.py --count $(MUTANTS) --goal $(MUTANTS_GOAL) --verbose $(MUTANTS_SEED:%=--seed %) $(MUTANTS_FILES:%=--files %)
# Whether each entry of equivalent.txt still matches a change.
check-mutants:
	@tests/mutants/mutants.py --check

# Linked by clang, because gcc has no libFuzzer. FUZZ_SECONDS: for all targets together.
# fuzz-known searches for nothing, and so needs no other build.
FUZZ_TARGETS = $(FUZZ:tests/fuzz/fuzz_%.c=%)
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz CC=clang fuzz-targets
	@tests/fuzz/run.sh build/fuzz $(FUZZ_TARGETS)
fuzz-known: fuzz-targets
	@FUZZ_SECONDS=0 tests/fuzz/run.sh $B $(FUZZ_TARGETS)
fuzz-targets: $(FUZZ:tests/fuzz/%.c=$B/%)

# Compares the JSON decoder with Python's, over DIFF_TEXTS generated texts.
differential: $B/decode
	@tests/differential/compare.py $B/decode

# Each version of clang-format and clang-tidy has other results: one version is used,
# and without it these targets are skipped.
LLVM = $(eval LLVM := $(shell sed -n 's/.* clang-format-\([0-9]*\).*/\1/p' deploy/packages.txt 2>/dev/null))$(LLVM)
CLANG_FORMAT ?= clang-format-$(LLVM)
CLANG_TIDY ?= clang-tidy-$(LLVM)
SKIP_WITHOUT = command -v $(1) >/dev/null || { echo 'skipped: there is no $(1) here'; \
    echo '0 passed, 0 failed, 1 skipped'; exit 0; }

# One target for each file, so that -j runs several.
tidy:
	@$(call SKIP_WITHOUT,$(CLANG_TIDY)); $(MAKE) --no-print-directory tidy-files
tidy-files: $(SOURCES:%=tidy/%) tidy/src/main.c
tidy/%:
	@$(CLANG_TIDY) --quiet --warnings-as-errors='*' --checks='$(TIDY)' $* -- \
	    $(CPPFLAGS_ALL) -std=c11

format:
	$(CLANG_FORMAT) -i $(C_FILES)
format-check:
	@$(call SKIP_WITHOUT,$(CLANG_FORMAT)); $(CLANG_FORMAT) --dry-run --Werror $(C_FILES)
# Python is always Debian's: the one that PATH has lacks the modules of its packages.
shellcheck:
	@shellcheck -S warning $(SCRIPTS)
	@! grep -nE '(^|[^/])python3?( |$$)' Makefile $(SCRIPTS) $(PYTHON)
check-deps:
	@tests/check-deps.sh
docs: all $B/tables
	@tests/docs.py $B/tables $B/scoring
check-docs: all $B/tables
	@tests/check-docs.sh $B/scoring $B/tables
# The alerts by promtool, and the dashboard by the list of metrics.
check-alerts: $B/tables
	@tests/alerts.sh $B/tables
# nginx's configuration, rendered from settings of every kind.
check-nginx: all
	@tests/nginx.sh $B/scoring
# What is installed, and scoring-nginx.
check-install: all
	@tests/install.sh $B/scoring
# Odd lines of .env, read by the service and by docker compose, if that is installed.
check-dotenv: all
	@tests/dotenv.py $B/scoring
# The configurations for HAProxy, in front of two stacks and of a Sentinel group.
check-haproxy: all
	@tests/haproxy/haproxy.py $B/scoring
# The manifests for Kubernetes. check-pod starts their pods in a container engine and in
# namespaces; it is skipped where this is impossible.
check-kubernetes: all
	@tests/kubernetes/manifests.py $B/scoring
check-pod: all
	@tests/kubernetes/pod.sh $B/scoring
	@tests/kubernetes/group.sh $B/scoring
check-completion: all
	@tests/completion.sh $B/scoring
check-hardening: all
	@tests/check-hardening.sh $B/scoring
# The description of the API, the code, and the running service.
check-openapi: all $B/tables
	@tests/openapi.py $B/scoring $B/tables

# The documentation page.
PAGE = build/web/index.html.gz
web: $(PAGE)
$(PAGE): deploy/web.sh docs/api.md docs/openapi.json $(wildcard docs/web/* docs/web/samples/*)
	@deploy/web.sh $(@D)
check-web: packages all
	@tests/web/check.sh $B/scoring $(PICTURES)

# Measures the release; see tests/bench/bench.py for the settings.
packages-bench:
	@deploy/install-packages.sh build run bench
bench-tools: $(BENCH_TOOLS)
bench: packages-bench
	@$(MAKE) --no-print-directory -s all bench-tools
	@tests/bench/bench.py $B/scoring $B/tests/bench
bench-scaling:
	@BENCH_SCALING=1 $(MAKE) --no-print-directory bench
# Handshakes and kept connections of HTTPS, against HTTP and nginx alone.
bench-tls: packages-bench
	@$(MAKE) --no-print-directory -s all
	@tests/bench/tls.py $B/scoring
# Checks that the tools work; the figures of so short a run mean nothing.
bench-smoke:
	@BENCH_SECONDS=1 BENCH_ROUNDS=1 BENCH_ONLY='alone,echo,hot' $(MAKE) --no-print-directory bench

# Instructions per request of nginx and the service, counted by callgrind; also those of
# the binaries in BENCH_AGAINST.
instructions: packages-bench all
	@tests/bench/instructions.py $B/scoring $(BENCH_AGAINST)

# The functions, and their files, that a cached score passes through. TRACE_MOST: fails
# above these numbers. The time, the date or a check of the idle connection may fall into
# the request: up to 5 functions.
TRACE_MOST ?= 208 28
trace: packages-bench
	@$(MAKE) --no-print-directory -s VARIANT=trace CFLAGS='-O0 -g' all
	@tests/bench/way.py build/trace/scoring $(TRACE_MOST)

up:
	docker compose up -d --build
down:
	docker compose down

# Builds and tests in a minimal root folder of the other one of Debian 12 and 13; creates
# the folder if it is missing.
other-debian:
	@tests/other-debian.sh

# In a copy of the checkout; skipped without a container engine.
compose-check:
	@tests/compose/check.sh

# Run the examples of README.md and docs/, letter by letter, and those of CONTRIBUTING.md.
readme-check: all
	@COMMIT='$(COMMIT)' tests/readme.sh
contributing-check:
	@COMMIT='$(COMMIT)' tests/contributing.sh

# Installs the same files as the package, without creating the user or starting units.
SYSCONFDIR ?= /etc
UNITDIR ?= $(PREFIX)/lib/systemd/system
NGINX_SITES ?= /etc/nginx/sites-available
NGINX_ENABLED ?= /etc/nginx/sites-enabled
NGINX_GROUP ?= www-data
NGINX_PID ?= /run/nginx.pid
INSTALL_TO = DESTDIR='$(DESTDIR)' PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' UNITDIR='$(UNITDIR)' \
    NGINX_SITES='$(NGINX_SITES)' NGINX_ENABLED='$(NGINX_ENABLED)' NGINX_GROUP='$(NGINX_GROUP)' NGINX_PID='$(NGINX_PID)' BINARY='$B/scoring'
install: all
	@$(INSTALL_TO) deploy/install.sh install
uninstall:
	@$(INSTALL_TO) deploy/install.sh uninstall

# build/scoring_VERSION_ARCH.deb, for this Debian.
deb:
	@deploy/install-packages.sh build deb
	@VERSION='$(or $(DEB_VERSION),$(VERSION))' COMMIT='$(COMMIT)' deploy/deb.sh

# build/scoring-VERSION.tar.gz; the same bytes from each folder.
dist:
	@VERSION='$(VERSION)' COMMIT='$(COMMIT)' deploy/dist.sh
check-dist:
	@tests/dist.sh
# Replaces the last release under load; skipped where that cannot be built.
check-upgrade: all
	@tests/upgrade/upgrade.py $B/scoring
check-image: $B/unit
	@tests/image.sh $B/unit
check-version:
	@tests/check-version.sh

# Tests the package on a minimal Debian that is booted; skipped where this is impossible.
check-package:
	@tests/package.sh

clean:
	rm -rf build

define HELP
Build and run
  make                     build the service: build/release/scoring
  make run                 start the whole stack in the foreground
  make up, make down       start and end the stack with docker compose
  make web                 build the documentation page: build/web
  make clean               remove build/

Test
  make quick               first after a change: build, unit, memory, lint, a smoke test
  make check               install what is needed and run every test
  make check-sanitized     run them again under ASan, UBSan and valgrind
  make unit                unit tests
  make integration         tests with real nginx, spawn-fcgi and Redis
      FILTER=phone         names with a word that begins with "phone"
      FILTER=redis/url/    one suite
      JOBS=                suites at a time
      ROW_LIMIT_S=         seconds for one row
      AGAIN=               number of failures that are tried once more
  make memory              let every allocation fail in turn
  make asan                unit tests under ASan and UBSan
  make valgrind            unit tests under valgrind
  make soak                load while parts fail (SOAK_SECONDS=300 SOAK_SEED=)
  make sentinel            load while masters and sentinels fail (SENTINEL_SCENARIOS=)
  make cluster             load while a Redis Cluster fails and is resharded
  make fuzz                every fuzz target (FUZZ_SECONDS=60 FUZZ_SEED=); make
                           fuzz-known only repeats the known inputs
  make differential        compare the JSON decoder with another
                           (DIFF_TEXTS=100000 DIFF_SEED=)
  make coverage            lines and branches of src/ that the tests reach
                           (COVERAGE_FILTER=part of an integration test's name)
  make mutants             break the code and see whether a test notices
                           (MUTANTS=300 MUTANTS_GOAL=90 MUTANTS_SEED= MUTANTS_FILES=)
  make check-mutants       whether each change known to be harmless still exists
  make cases               test the test runner
  make other-debian        build and test on the other one of Debian 12 and 13

Check code and documents
  make tidy                clang-tidy
  make format              format the code; make format-check only compares
  make shellcheck          shell scripts
  make check-deps          directions of calls and includes between folders
  make check-hardening     hardening of the binary
  make docs                generate the tables of the documents; make check-docs compares
  make check-openapi       compare docs/openapi.json with the code and the service
  make check-web           try the page in headless Chromium (PICTURES=folder)
  make check-nginx         test nginx's configuration with settings of every kind
  make check-install       make install and uninstall; run scoring-nginx with stubs
  make check-alerts        fire each alert with promtool; check the dashboard's queries
  make check-dotenv        read strange lines of .env as docker compose does
  make check-completion    complete command lines as bash does
  make check-haproxy       run hosts, and a Sentinel group, behind deploy/haproxy
  make check-kubernetes    check the manifests of deploy/kubernetes
  make check-pod           start their pods with podman
  make check-image         run the unit tests among the files of the image only
  make compose-check       try the docker compose stack, if there is an engine
  make readme-check        run the examples of the documents
  make contributing-check  run the examples of CONTRIBUTING.md
  make check-upgrade       replace the last release under load
  make check-version       compare version, tag, documents and CHANGELOG.md

Measure
  make bench               throughput, latency and CPU
                           (BENCH_SECONDS= BENCH_ROUNDS= BENCH_CONNECTIONS= BENCH_JSON=file
                           BENCH_ONLY=part,part BENCH_AGAINST=binary BENCH_SLEEP=1)
  make bench-scaling       by workers, connections, bodies and ids (BENCH_MILLIONS=)
  make bench-tls           handshakes, and HTTPS against HTTP
  make instructions        instructions per request (BENCH_AGAINST=binary)
  make trace               functions that a cached score passes through

Install and release
  make install             PREFIX=/usr/local DESTDIR=; make uninstall removes it
  make deb                 the Debian package: build/scoring_VERSION_ARCH.deb
  make check-package       try the package on a Debian that is booted for it
  make dist                the sources: build/scoring-VERSION.tar.gz; make check-dist
                           tries them
  make version             print the version

Variants: VARIANT=release (default), asan, or a name of your own; CC=, CFLAGS=, WERROR=
endef
export HELP
help:
	@printf '%s\n' "$$HELP"

.PHONY: all packages packages-check run quick check check-sanitized tests unit memory cases valgrind integration asan \
    soak sentinel cluster coverage mutants check-mutants fuzz fuzz-known fuzz-targets differential tidy tidy-files other-debian \
    format format-check shellcheck check-deps \
    packages-bench bench-tools bench instructions trace bench-scaling bench-tls bench-smoke \
    docs check-openapi web check-web check-docs check-alerts check-nginx check-install check-haproxy check-kubernetes check-pod check-dotenv check-completion check-hardening check-image up down compose-check readme-check contributing-check install uninstall deb dist check-dist check-upgrade version check-version FORCE check-package clean help
-include $(shell find $B -name '*.d' 2>/dev/null)
