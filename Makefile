# llmtrace: traces of AI agents in PostgreSQL.
#
#   make && make install    build and install (PG_CONFIG=… chooses the server)
#   make installcheck       regression and TAP tests against a running server
#   make fuzz               the fuzz harnesses (needs clang)
#   make bench              the figures of docs/performance.md
#   make docs               docs/reference.md, from the COMMENTs of a running server
#
# Set WERROR=1 for warnings as errors, SANITIZE=1 for the address and
# undefined-behaviour sanitizers.

EXTENSION   = llmtrace
EXTVERSION  = 0.1.0
MODULE_big  = llmtrace

# The sources' folder, also in a VPATH build.
TOP := $(patsubst %/,%,$(dir $(firstword $(MAKEFILE_LIST))))

C_SOURCES := $(sort $(patsubst $(TOP)/%,%,$(wildcard $(TOP)/src/*.c $(TOP)/src/kernel/*.c $(TOP)/src/store/*.c)))
OBJS = $(filter-out %.pb-c.o,$(C_SOURCES:.c=.o)) src/kernel/otlp.pb-c.o

# The pieces of the install script, types before those who use them.
SQL_PIECES = trajectory canonical otlp tracequery trajectory_gin similarity dist cat drift dist_spans trace_rank sample plan latency call_context profile pictures grafana payload trace_summary

# The pieces of the script that makes a store, each after those it reads.
STORE_PIECES = \
	store/schema store/partitions store/prices store/ingest store/rollup store/fold store/mapping store/samples \
	catalogue/traces catalogue/spans catalogue/conversations catalogue/cohorts catalogue/cost \
	catalogue/drift catalogue/regression catalogue/behavior catalogue/spend catalogue/reliability catalogue/incident \
	catalogue/plans catalogue/latency catalogue/attempts catalogue/model_latency catalogue/concurrency \
	catalogue/messages catalogue/evals catalogue/governance catalogue/retention catalogue/reservoir \
	store/doctor catalogue/comments store/access

SCRIPTS = bin/llmtrace-load

DATA_built = $(EXTENSION)--$(EXTVERSION).sql

REGRESS = $(patsubst $(TOP)/sql/%.sql,%,$(sort $(wildcard $(TOP)/sql/*.sql)))
REGRESS_OPTS = --inputdir=$(TOP) --load-extension=$(EXTENSION)
TAP_TESTS = 1
PROVE_TESTS = $(sort $(wildcard $(TOP)/test/t/*.pl))

PG_CONFIG ?= pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)

# LLVM bitcode would only serve to inline our functions into JIT code: they
# are far too large for that.
override with_llvm = no

# PostgreSQL's own headers have unused parameters.
PG_CFLAGS = -Wall -Wextra -Wno-unused-parameter -Wno-missing-field-initializers -MMD -MP
ifdef WERROR
PG_CFLAGS += -Werror
endif
ifdef SANITIZE
PG_CFLAGS += -g -O1 -fno-omit-frame-pointer -fsanitize=address,undefined -fno-sanitize-recover=undefined
SHLIB_LINK += -fsanitize=address,undefined
endif

PG_CPPFLAGS = -I$(TOP)/src -Isrc
SHLIB_LINK += -lprotobuf-c

# LZ4 where the server has it, so that a datum is readable on every server
# built alike.
ifneq ($(filter '--with-lz4' --with-lz4,$(shell $(PG_CONFIG) --configure)),)
SHLIB_LINK += -llz4
endif

EXTRA_CLEAN = src/kernel/otlp.pb-c.c src/kernel/otlp.pb-c.h \
	$(OBJS:.o=.d) test/fuzz/out bench/generate bench/out

include $(PGXS)

-include $(OBJS:.o=.d)

# Objects live in the build folder under the names of their sources. Its
# folders have whole names: VPATH would find those of the sources.
OBJECT_FOLDERS = $(CURDIR)/src/kernel $(CURDIR)/src/store
$(OBJS): | $(OBJECT_FOLDERS)
$(OBJECT_FOLDERS):
	mkdir -p $@

src/kernel/otlp.pb-c.c: $(TOP)/src/kernel/otlp.proto | $(OBJECT_FOLDERS)
	protoc-c --proto_path=$(<D) --c_out=$(@D) $<
src/kernel/otlp.pb-c.h: src/kernel/otlp.pb-c.c ;

# What protoc-c writes is not ours to warn about.
src/kernel/otlp.pb-c.o: override CFLAGS += -w

src/kernel/otlp_protobuf.o: src/kernel/otlp.pb-c.h

EXTENSION_PARTS = $(SQL_PIECES:%=$(TOP)/src/kernel/%.sql) $(TOP)/src/store/store.sql $(TOP)/src/store/create.sql
STORE_SCRIPT = $(STORE_PIECES:%=$(TOP)/src/%.sql)

# The store is the user's, not the extension's: its script is a string in ours.
$(EXTENSION)--$(EXTVERSION).sql: $(EXTENSION_PARTS) $(STORE_SCRIPT)
	{ printf '%s\n' '\echo Use "CREATE EXTENSION llmtrace" to load this file. \quit'; \
	  cat $(EXTENSION_PARTS); \
	  printf '%s\n' '' 'CREATE FUNCTION store_script() RETURNS text LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$body$$ SELECT $$script$$'; \
	  cat $(STORE_SCRIPT); \
	  printf '%s\n' '$$script$$::text $$body$$;' \
	    "COMMENT ON FUNCTION store_script() IS 'internal: the statements that make a store';"; } > $@

# The generator of agent traces that tests, demo and bench share.
bench/generate: $(TOP)/bench/generate.c src/kernel/otlp.pb-c.c
	mkdir -p bench
	$(CC) -O2 -g -Wall -Wextra -Wno-missing-braces -Isrc -o $@ $^ -lprotobuf-c -lm

.PHONY: fuzz bench docs print-pieces
fuzz:
	$(MAKE) -C $(TOP)/test/fuzz PG_CONFIG=$(PG_CONFIG)
bench: bench/generate
	LLMTRACE_GENERATE=$(CURDIR)/bench/generate $(TOP)/bench/run
# For bin/reference.
print-pieces:
	@printf '%s\n' $(EXTENSION_PARTS) $(STORE_SCRIPT)
docs:
	reference=$$($(TOP)/bin/reference) && printf '%s\n' "$$reference" >$(TOP)/docs/reference.md
