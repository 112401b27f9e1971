# Tests.  tests/unit/ROOM_thing.c is one cmocka program that links the archive of ROOM and those below it.
UNIT_SRC := $(wildcard tests/unit/*.c tests/golden/*.c tests/exhaustive/*.c)
UNIT_BIN := $(patsubst tests/%.c,$(B)/tests/%,$(UNIT_SRC))
room_of   = $(firstword $(subst _, ,$(notdir $(1))))

define unit_program
$(B)/tests/$(1): $(B)/tests/$(1).o $(LIBS_$(call room_of,$(1)))
	$$(CC) $$(ALL_LDFLAGS) -o $$@ $$^ $$(EXT_$(call room_of,$(1))) $$(CMOCKA_LIBS) $$(LDLIBS)
endef
$(foreach t,$(patsubst tests/%.c,%,$(UNIT_SRC)),$(eval $(call unit_program,$(t))))

.PHONY: unit
unit: $(UNIT_BIN)
	@tests/run-unit $(UNIT_BIN)
