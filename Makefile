# SPDX-License-Identifier: GPL-2.0-only
#
# Thin layers over scripts/, vm/ and the Makefiles of the parts; "make help".

PREFIX ?= /usr/local
build := $(CURDIR)/build

.PHONY: help demo check check-host check-guest check-debug check-races check-long fuzz bench lint programs \
	guest-programs demo-programs install deb clean
.DEFAULT_GOAL := help

help:
	@sed -n 's/^  //p' scripts/help.txt

# Everything: ALL=1
demo:
	@scripts/demo $(if $(ALL),--all)

check:
	@scripts/check

check-host:
	@scripts/check --only host

check-guest:
	@scripts/check --only guest

# Of which source: KERNEL=stable or newest
check-debug:
	@scripts/check --only debug --kernel $(or $(KERNEL),newest)

# Thousands of rounds of each race, on the debug kernel: ROUNDS=
check-races:
	@scripts/check --only races --rounds $(or $(ROUNDS),2000)

# Other IOMMUs and kernels, and DKMS: half an hour.
check-long:
	@scripts/check --only long

# As long as one likes, on the debug kernel: SECONDS=, KERNEL=
fuzz:
	@scripts/fuzz --seconds $(or $(SECONDS),600) --kernel $(or $(KERNEL),debug)

bench:
	@scripts/bench

lint:
	@scripts/lint

# The library, the command and the man pages for this machine.
programs:
	$(MAKE) -C lib O=$(build)/host-user
	$(MAKE) -C tools O=$(build)/host-user

# Run by scripts/build-guest in the guest's root tree.
guest-programs:
	$(MAKE) -C lib O=$(build)/guest
	$(MAKE) -C tools O=$(build)/guest
	$(MAKE) -C tests/guest O=$(build)/guest

demo-programs:
	$(MAKE) -C lib O=$(build)/guest
	$(MAKE) -C tests/guest O=$(build)/guest demo

install: programs
	$(MAKE) -C lib O=$(build)/host-user PREFIX=$(PREFIX) install
	$(MAKE) -C tools O=$(build)/host-user PREFIX=$(PREFIX) install

# Debian packages, in build/deb.
deb:
	@scripts/deb

clean:
	rm -rf build
