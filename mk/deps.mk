# Finds the libraries.  `make demo` and `make check` install what is missing first (targets deps, deps-test).
# After an install make starts itself again, so that the answers below are fresh.
PKG_CONFIG ?= pkg-config
HAVE_PC    := $(shell command -v $(PKG_CONFIG) 2>/dev/null)
MSGPACK_PC := $(shell $(PKG_CONFIG) --exists msgpack-c 2>/dev/null && echo msgpack-c || echo msgpack)
pc = $(if $(HAVE_PC),$(shell $(PKG_CONFIG) --$(1) $(2) 2>/dev/null))
PKGS := lmdb libsodium libzmq $(MSGPACK_PC) libuv libmicrohttpd jansson libconfuse popt smartcols
PKG_CFLAGS := $(call pc,cflags,$(PKGS))
SODIUM_LIBS    := $(call pc,libs,libsodium)
MSGPACK_LIBS   := $(call pc,libs,$(MSGPACK_PC))
LMDB_LIBS      := $(call pc,libs,lmdb)
ZMQ_LIBS       := $(call pc,libs,libzmq)
UV_LIBS        := $(call pc,libs,libuv)
MHD_LIBS       := $(call pc,libs,libmicrohttpd)
JANSSON_LIBS   := $(call pc,libs,jansson)
CONFUSE_LIBS   := $(call pc,libs,libconfuse)
POPT_LIBS      := $(call pc,libs,popt)
SMARTCOLS_LIBS := $(call pc,libs,smartcols)
CMOCKA_LIBS    := $(call pc,libs,cmocka)
UNISTRING_LIBS := -lunistring
# cairn is started for every command: what it takes into itself need not be looked for and relocated each time.  $(call inside,libx,LIBS):
# the archive in VARIANT=rel, if there is one, else LIBS.  (Not libunistring: it is LGPL.)
inside = $(or $(if $(filter rel,$(VARIANT)),$(filter /%,$(shell $(CC) -print-file-name=$(1).a 2>/dev/null))),$(2))
CLI_LIBS := $(call inside,libsodium,$(SODIUM_LIBS)) $(call inside,libjansson,$(JANSSON_LIBS)) $(call inside,libpopt,$(POPT_LIBS)) \
	$(UNISTRING_LIBS) $(SMARTCOLS_LIBS)
