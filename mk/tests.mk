# Tests.  tests/{unit,golden,exhaustive}/ROOM_thing.c is one cmocka program that links the archive of ROOM and those below it.
UNIT_SRC := $(wildcard tests/unit/*.c tests/golden/*.c tests/exhaustive/*.c)
UNIT_BIN := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
room_of   = $(firstword $(subst _, ,$(notdir $(1))))

define unit_program
$(B)/tests/$(1): $(B)/tests/$(1).o $(LIBS_$(call room_of,$(1)))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(EXT_$(call room_of,$(1))) $$(CMOCKA_LIBS) $$(LDLIBS)
endef
$(foreach t,$(patsubst tests/%.c,%,$(UNIT_SRC)),$(eval $(call unit_program,$(t))))

# Benchmarks: each prints one line of figures, beside a reference measured in the same run.
BENCH_BIN := $(patsubst tests/%.c,$(B)/tests/%,$(wildcard tests/bench/*.c))
$(B)/tests/bench/%: $(B)/tests/bench/%.o $(LIBS_bench)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_bench) $(LDLIBS)

# The simulator: the node's own object code over the memory backend.
$(B)/tests/simulate: $(B)/tests/sim/main.o $(LIBS_sim)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_sim) $(LDLIBS)

# Promise 4: canaries in every frame before CURVE and in every foreign store; and the same with a leak planted in the node, which must
# be found.
$(B)/tests/canary: $(B)/tests/sim/canary.o $(LIBS_sim)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_sim) $(LDLIBS)
$(B)/tests/canary-leak: $(B)/tests/sim/canary.o $(B)/tests/leak/share.o $(LIBS_sim)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_sim) $(LDLIBS)
$(B)/tests/leak/share.o: daemon/node/share.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -DCAIRN_PLANT_LEAK -c -o $@ $<
.PHONY: canary
canary: $(B)/tests/canary $(B)/tests/canary-leak
	@tests/run-canary $(B)/tests

# Fuzz targets: libFuzzer where clang is there.
FUZZ_SRC := $(wildcard tests/fuzz/*.c)
FUZZ_BIN := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(FUZZ_SRC))
$(B)/fuzz/%: $(B)/tests/fuzz/%.o $(LIBS_daemon)
	@mkdir -p $(@D)
	$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer,address,undefined -o $@ $^ $(EXT_daemon) $(LDLIBS)

.PHONY: deps deps-test demo check check-run unit layers fuzz fuzz-programs sim sim-run bench e2e binaries
deps:
	@tests/apt-need $(APT_BUILD)
deps-test:
	@tests/apt-need $(APT_BUILD) $(APT_TEST)

# What was just installed must be looked up afresh: hence another make.
demo: deps
	@$(MAKE) --no-print-directory all
	@tests/demo $(B)
check: deps-test
	@$(MAKE) --no-print-directory check-run
check-run:
	@tests/check

unit: $(UNIT_BIN)
	@tests/run-unit $(UNIT_BIN)
layers:
	@tests/layers
binaries: $(B)/cairnd $(B)/cairn

SECONDS_EACH ?= 60
fuzz:
	@$(MAKE) --no-print-directory VARIANT=fuzz fuzz-programs
	@tests/run-fuzz $(SECONDS_EACH) build/fuzz/fuzz
fuzz-programs: $(FUZZ_BIN)

# make sim SEED=7 repeats one run and prints its story; without SEED the pinned seeds and some more.
sim:
	@$(MAKE) --no-print-directory VARIANT=$(VARIANT) $(B)/tests/simulate
	@tests/run-sim $(B)/tests/simulate $(SEED)
e2e: binaries
	@tests/run-e2e $(B)
bench:
	@$(MAKE) --no-print-directory all $(BENCH_BIN)
	@tests/run-bench $(B)
