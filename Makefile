# echosync: a PGXS extension.
#
#   make            build
#   make install    into the server that PG_CONFIG names
#   make demo       the whole job on a throwaway cluster with fake CRMs
#   make check      every test, on throwaway clusters
#   make lint       the analysers; make check runs them too
#   make check-asan the tests on clusters, with AddressSanitizer and UBSan
#   make check-all  the tests on PostgreSQL 15, 17 and 18
#   make check-deb  the Debian package: built, and tried in a clean tree
#   make check-ha   a leader under Patroni that ends again and again
#   make coverage   the lines and branches that the tests run
#   make fuzz       libFuzzer on what parses foreign bytes
#   make bench      how fast it is, in ratios: a table, a text file, two curves
#
# From demo on, they install the Debian packages they need (script/packages.sh)
# and leave nothing else behind, but for what fuzzing found and what the bench
# measured.

EXTENSION = echosync
EXTVERSION := $(shell sed -n "s/^default_version *= *'\(.*\)'/\1/p" echosync.control)

MODULE_big = echosync
OBJS = $(patsubst %.c,%.o,$(sort $(wildcard src/*.c src/*/*.c)))

# The SQL half, joined in this order into the versioned install script.
SQL_PARTS = head tables identity integrations oauth leads queue logs views monitor policies
SQL_SOURCES = $(SQL_PARTS:%=src/sql/%.sql)
DATA_built = echosync--$(EXTVERSION).sql
DATA = $(wildcard src/sql/echosync--*--*.sql)
EXTRA_CLEAN = echosync--*.sql $(OBJS:.o=.d) src/*/*.bc src/*.bc

PG_CPPFLAGS = -I$(srcdir)/src -D_GNU_SOURCE -DECHOSYNC_VERSION='"$(EXTVERSION)"' -MMD
SHLIB_LINK = -lcurl -lcrypto -Wl,--version-script=$(srcdir)/src/exports.map

# WERROR=1 for the project's own checks; a user's newer compiler must not fail.
ifdef WERROR
PG_CFLAGS += -Wall -Wextra -Werror -Wno-unused-parameter -Wno-sign-compare
endif

# The targets below build by calling make again, when what they need is there:
# a fresh machine has no pg_config yet, and PGXS has a "check" of its own.
OWN_TARGETS = demo check lint check-asan check-all check-deb check-ha coverage fuzz bench

ifneq ($(filter $(OWN_TARGETS),$(MAKECMDGOALS)),)

.PHONY: $(OWN_TARGETS)
demo:
	@script/packages.sh
	@script/demo.sh

check:
	@script/packages.sh lint
	@script/check.sh

lint:
	@script/packages.sh lint
	@script/lint.sh

check-all:
	@script/packages.sh all
	@script/check-all.sh $(VERSIONS)

check-deb:
	@script/packages.sh deb
	@script/check-deb.sh

check-ha:
	@script/packages.sh ha
	@script/check-ha.sh

coverage:
	@script/packages.sh coverage
	@script/coverage.sh

check-asan:
	@script/packages.sh
	@SANITIZE=1 TAP_JOBS=$${TAP_JOBS:-1} script/check.sh corpus regress pgtap tap

fuzz:
	@script/packages.sh fuzz
	@script/fuzz.sh $(TARGETS)

bench:
	@script/packages.sh
	@script/bench.sh $(ROWS)

else

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs 2>/dev/null)
ifeq ($(PGXS),)
$(error pg_config was not found: install postgresql-server-dev-15 or set PG_CONFIG)
endif
override with_llvm = no
include $(PGXS)
-include $(OBJS:.o=.d)

$(DATA_built): $(SQL_SOURCES) echosync.control
	cat $(SQL_SOURCES) > $@

endif
