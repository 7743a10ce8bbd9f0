# SPDX-License-Identifier: Apache-2.0
# The front door.  Developers use ./dev, which has more.

.PHONY: all run check install deb clean help

all:   ; @./dev build
run:   ; @./dev run
check: ; @./dev check
install: ; @PREFIX='$(PREFIX)' SYSCONFDIR='$(SYSCONFDIR)' LIBDIR='$(LIBDIR)' UNITDIR='$(UNITDIR)' \
	DESTDIR='$(DESTDIR)' tools/install
deb:   ; @tools/deb
clean: ; rm -rf build

help:
	@echo 'make        build the programs into build/release'
	@echo 'make run    start a living demo on this machine; Ctrl-C ends it'
	@echo 'make check  run every test; ends with "N passed, N failed"'
	@echo 'make install  install below PREFIX (/usr/local); DESTDIR and SYSCONFDIR are heeded'
	@echo 'make deb    build the Debian packages into build/deb'
	@echo 'make clean  remove all that was built'
