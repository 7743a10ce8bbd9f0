# SPDX-License-Identifier: Apache-2.0
# The front door.  Developers use ./dev, which has more.

.PHONY: all run check clean help

all:   ; @./dev build
run:   ; @./dev run
check: ; @./dev check
clean: ; rm -rf build

help:
	@echo 'make        build the programs into build/release'
	@echo 'make run    start a living demo on this machine; Ctrl-C ends it'
	@echo 'make check  run every test; ends with "N passed, N failed"'
	@echo 'make clean  remove all that was built'
