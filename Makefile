# Cairn.  make demo: see it work.  make check: prove it.  Both install what is missing.
#   VARIANT=rel|asan|tsan|cov|fuzz   objects live in build/$(VARIANT)/
VARIANT ?= rel
PREFIX  ?= /usr/local
B       := build/$(VARIANT)
VERSION := 0.1.0

.DEFAULT_GOAL := all
.DELETE_ON_ERROR:
.SUFFIXES:

# ---- what is needed from Debian ------------------------------------------------------------------
APT_BUILD := gcc libc6-dev pkg-config liblmdb-dev libsodium-dev libzmq3-dev libmsgpack-dev libuv1-dev libmicrohttpd-dev \
	libjansson-dev libconfuse-dev libpopt-dev libsmartcols-dev libunistring-dev
APT_TEST  := libcmocka-dev python3 clang libclang-rt-14-dev curl procps
ifneq ($(filter-out clean deps deps-test demo check layers,$(or $(MAKECMDGOALS),all)),)
include mk/deps.mk
endif

# ---- compiler ------------------------------------------------------------------------------------
WARN := -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wvla -Wconversion
ifdef CI
WARN += -Werror
endif
OPT_rel  := -O2 -g -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
OPT_asan := -O1 -g -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
OPT_tsan := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
OPT_cov  := -O0 -g --coverage
OPT_fuzz := -O1 -g -fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
LINK_rel := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
LINK_asan := -fsanitize=address,undefined
LINK_tsan := -fsanitize=thread
LINK_cov  := --coverage
LINK_fuzz := -fsanitize=address,undefined
ifeq ($(VARIANT),fuzz)
CC := clang
endif
ALL_CPPFLAGS := -I. -D_GNU_SOURCE -DCAIRN_VERSION='"$(VERSION)"' $(PKG_CFLAGS) $(DEFS) $(CPPFLAGS)
ALL_CFLAGS   := -std=gnu11 $(WARN) $(OPT_$(VARIANT)) -MMD -MP $(CFLAGS)
ALL_LDFLAGS  := $(LINK_$(VARIANT)) $(LDFLAGS)

# ---- rooms: one archive each, linked in this order -------------------------------------------------
src = $(wildcard $(addsuffix /*.c,$(1)))
obj = $(patsubst %.c,$(B)/%.o,$(call src,$(1)))
MAINS := daemon/main.c cli/main.c tests/sim/main.c tests/sim/canary.c
lib = $(B)/lib$(1).a
LIBS_base   := $(call lib,base)
LIBS_crdt   := $(call lib,crdt) $(LIBS_base)
LIBS_org    := $(call lib,org) $(LIBS_crdt)
LIBS_store  := $(call lib,store) $(LIBS_crdt)
LIBS_net    := $(call lib,net) $(LIBS_crdt)
LIBS_node   := $(call lib,node) $(call lib,net) $(call lib,store) $(call lib,org) $(LIBS_crdt)
LIBS_daemon := $(call lib,daemon) $(LIBS_node)
LIBS_cli    := $(call lib,cli) $(LIBS_base)
LIBS_sim    := $(call lib,sim) $(LIBS_node)
# every test links the libraries of the room that its name begins with; sim and bench see all
LIBS_bench  := $(call lib,sim) $(LIBS_daemon)

# What each room links, foreign.  Static archives: only what is used is pulled in.
EXT_base   := $(SODIUM_LIBS) $(MSGPACK_LIBS) $(UNISTRING_LIBS)
EXT_crdt   := $(EXT_base)
EXT_org    := $(EXT_base)
EXT_store  := $(EXT_base) $(LMDB_LIBS)
EXT_net    := $(EXT_base) $(ZMQ_LIBS) $(UV_LIBS)
EXT_node   := $(EXT_store)
EXT_sim    := $(EXT_store)
EXT_daemon := $(EXT_store) $(ZMQ_LIBS) $(UV_LIBS) $(MHD_LIBS) $(JANSSON_LIBS) $(CONFUSE_LIBS)
EXT_cli    := $(CLI_LIBS)
EXT_bench  := $(EXT_daemon)

.PHONY: all
all: $(B)/cairnd $(B)/cairn

$(B)/cairnd: $(B)/daemon/main.o $(LIBS_daemon)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_daemon) $(LDLIBS)
$(B)/cairn: $(B)/cli/main.o $(LIBS_cli)
	$(CC) $(ALL_LDFLAGS) -o $@ $^ $(EXT_cli) $(LDLIBS)

define archive
$(call lib,$(1)): $(filter-out $(patsubst %.c,$(B)/%.o,$(MAINS)),$(call obj,$(2)))
	@rm -f $$@
	$(AR) rcs $$@ $$^
endef
$(eval $(call archive,base,base))
$(eval $(call archive,crdt,crdt))
$(eval $(call archive,org,org))
$(eval $(call archive,store,store))
$(eval $(call archive,net,net))
$(eval $(call archive,node,daemon/node))
$(eval $(call archive,daemon,daemon))
$(eval $(call archive,cli,cli))
$(eval $(call archive,sim,tests/sim))

$(B)/%.o: %.c
	@mkdir -p $(@D)
	$(CC) $(ALL_CPPFLAGS) $(ALL_CFLAGS) -c -o $@ $<

include mk/tests.mk
include mk/install.mk

.PHONY: clean
clean:
	rm -rf build

-include $(shell [ -d $(B) ] && find $(B) -name '*.d')
