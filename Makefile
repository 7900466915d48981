# SPDX-License-Identifier: GPL-2.0
# The targets that people use; "make help" lists them. Kbuild lists the module's files.

KVMWATCH_VERSION := $(shell sed -n 's/^KVMWATCH_VERSION.*= *//p' Kbuild)

KDIR	?= /lib/modules/$(shell uname -r)/build
PREFIX	?= /usr/local
# The kernel of the test VM, one of selftests/vm/kernels
KERNEL	?= 6.1
export KERNEL
MAKEFLAGS += --no-print-directory
include lib/quiet.mk

VM	:= selftests/vm
INITRD	:= build/vm-$(KERNEL)/initrd
VM_LOG	:= build/vm-$(KERNEL)/kernel.log
# (Before make 4.4, exported variables do not reach $(shell).)
VM_KDIR	= $(eval VM_KDIR := $(shell KERNEL='$(KERNEL)' $(VM)/kernel-headers))$(VM_KDIR)

# Each kernel's objects have a directory of their own, build/RELEASE, so that building for one kernel
# never touches those of another. It has links to our sources; kbuild adds the rest.
release	= $(shell sed -n 's/.*UTS_RELEASE "\(.*\)"/\1/p' $(1)/include/generated/utsrelease.h 2>/dev/null)
objects	= $(CURDIR)/build/$(call release,$(1))
# A kernel that clang built needs modules that clang built.
llvm	= $(shell module/kernel/llvm.sh $(1))
sources	= find Kbuild module include
define link_sources
@mkdir -p $(1)
@find $(1) -xtype l -delete
@$(sources) -type d -exec mkdir -p $(1)/{} \;
@$(sources) -type f \( -name '*.[chS]' -o -name 'facts.*' -o -name Kbuild \) -exec ln -sf $(CURDIR)/{} $(1)/{} \;
endef

all: module tools ## module and tool: ./kvmwatch.ko, ./tools/kvmwatch (KDIR=headers of another kernel)

module: need-headers
	$(call link_sources,$(call objects,$(KDIR)))
	$(Q)$(MAKE) -C $(KDIR) M=$(call objects,$(KDIR)) $(call llvm,$(KDIR)) modules
	@cp $(call objects,$(KDIR))/kvmwatch.ko .

need-headers:
	@test -n "$(call release,$(KDIR))" || { \
		echo "$(KDIR): no kernel headers there."; \
		echo "Install linux-headers-$$(uname -r), or say make KDIR=<headers of another kernel>;"; \
		echo "'make demo' and 'make check' bring a kernel of their own."; exit 1; } >&2

tools:
	$(Q)$(MAKE) -C tools VERSION=$(KVMWATCH_VERSION)

install: all ## install them and libkvmwatch (PREFIX, DESTDIR; INSTALL_MOD_PATH for the module)
	$(MAKE) -C $(KDIR) M=$(call objects,$(KDIR)) $(call llvm,$(KDIR)) modules_install \
		INSTALL_MOD_PATH=$(or $(INSTALL_MOD_PATH),$(DESTDIR))
	$(if $(INSTALL_MOD_PATH)$(DESTDIR),,depmod $(call release,$(KDIR)))
	@$(MAKE) install-user

install-user: ## install the tool and libkvmwatch alone
	$(MAKE) -C lib install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) OUT=$(CURDIR)/build/lib
	$(MAKE) -C tools install PREFIX=$(PREFIX) DESTDIR=$(DESTDIR) \
		VERSION=$(KVMWATCH_VERSION)

# modules_install puts external modules into one or the other, by the kernel's version.
installed_modules = $(wildcard $(or $(INSTALL_MOD_PATH),$(DESTDIR))/lib/modules/$(1)/extra/kvmwatch.ko* \
			       $(or $(INSTALL_MOD_PATH),$(DESTDIR))/lib/modules/$(1)/updates/kvmwatch.ko*)
installed_for	= $(or $(call release,$(KDIR)),$(shell uname -r))

uninstall: ## remove what install has installed (PREFIX, DESTDIR, INSTALL_MOD_PATH, KDIR: as then)
	$(RM) $(call installed_modules,$(installed_for))
	$(if $(INSTALL_MOD_PATH)$(DESTDIR),,depmod $(installed_for))
	@$(MAKE) uninstall-user

uninstall-user: ## remove what install-user has installed
	$(MAKE) -C lib uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)
	$(MAKE) -C tools uninstall PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)

demo: ## show it: a VM with Debian's kernel, in it two KVM guests and kvmwatch
	@$(VM)/deps tool vm
	@$(VM)/show

demo-fleet: ## two such VMs as hosts, a Prometheus with our rules, and who of their guests waits most
	@$(VM)/deps tool vm
	@$(VM)/demo-fleet

picture: ## docs/top.svg: kvmwatch top with guests at work, in the test VM
	@$(VM)/deps tool vm
	@$(VM)/show screen

check: ## the tests that matter most, in some minutes: here and in the test VM (KERNEL=6.1)
	@$(VM)/deps tool vm unit host
	@SET=check $(VM)/suite build unit,host,vm | $(VM)/tap

check-all: check ## all tests on all kernels, and all other checks, in half an hour
	@$(MAKE) check-rest

check-rest: ## what check-all has beyond check
	@$(VM)/deps tool vm unit host npm lint kernel
	@SET=all $(VM)/suite build predict,vmms,cost,lint,host,vm | $(VM)/tap

results: export RESULTS_TO := $(or $(RESULTS_TO),docs/results/$(shell date +%F).md)
results: ## check-all, with its results in docs/results/DATE.md, the day on which it begins
	@mkdir -p $(dir $(RESULTS_TO))
	@$(MAKE) check-all

unit: ## tests of the tool's and the library's code; they need no kernel
	@$(VM)/deps tool unit
	@$(VM)/suite build_unit unit | $(VM)/tap

deps: ## install the Debian packages for check and lint, fetch or build KERNEL
	@$(VM)/deps tool vm unit host lint

vm-test: initrd ## one test in the VM: T=name, V=ftrace, direct or kprobe (VM_CPU=broadwell_ult: in Bochs)
	@test -n "$(T)" || { echo "which test? make vm-test T=name" >&2; exit 2; }
	@$(VM)/suite vm | $(VM)/tap

vmms: initrd ## real VMMs with Linux guests (SUITE=bookworm or trixie, KERNEL, V, T: which)
	@$(MAKE) -C selftests vmm
	@$(VM)/vmms | $(VM)/tap

storm: initrd ## storms and reloading for minutes: STORM_SECONDS=120 each (KERNEL=debug, V=ftrace)
	@STORM_SECONDS=$(or $(STORM_SECONDS),120) T=storm,reload VM_TIMEOUT=$(or $(VM_TIMEOUT),7200) \
		$(VM)/suite vm | $(VM)/tap

fuzz-vm: initrd ## random calls for minutes: FUZZ_SECONDS=120 as root, and as nobody (KERNEL=debug, V=ftrace)
	@FUZZ_SECONDS=$(or $(FUZZ_SECONDS),120) T=abuse VM_TIMEOUT=$(or $(VM_TIMEOUT),7200) \
		$(VM)/suite vm | $(VM)/tap

matrix: ## all tests on all kernels, ends with a table (KERNELS="5.10 7.2", T, V: some of it)
	@SET=check,all,more $(VM)/suite build vm | $(VM)/tap

kvm-selftests: initrd ## KVM's own selftests as load in the test VM, without and with kvmwatch (KERNEL=6.1, T)
	@$(VM)/deps kvm-selftests
	@$(VM)/suite load | $(VM)/tap

races: ## data races: tests on a kernel with KCSAN, which is built first (T: which)
	@$(MAKE) KERNEL=kcsan V=ftrace SHORT=yes T=$(or $(T),$(RACES)) vm-test

# Lists with commas need names, as $(or) would take each part for an argument.
RACES	= vcpu,dirty,mapped,storm,race
STALLED	= abi,heat,race
STALLS	= is_on_kvms_list,kvmw_heat_mark,kvmw_slot_lookup,kvmw_publish,kvmw_hide,raise_peak,make_data,sum_uncovered

# The second run holds up who counts a VM's leaves between two regions, so that leaves split there.
stalls: ## races: tests in which calls of some functions of kvmwatch are delayed (T, STALL: which)
	@STORM_SECONDS=$(or $(STORM_SECONDS),40) STALL=$(or $(STALL),$(STALLS)) \
		$(MAKE) KERNEL=debug V=ftrace SHORT=yes T=$(or $(T),$(STALLED)) vm-test
	@[ -n "$(T)$(STALL)" ] || STALL=kvmw_pools_fill STALL_US=30000 STALL_EVERY=1 \
		$(MAKE) KERNEL=debug V=ftrace SHORT=yes T=mapped vm-test

fresh: ## .ci/run as on a new machine: a Debian of its own, nothing in the cache (takes root)
	@$(VM)/fresh $(SUITE) $(RUN)

check-kernels: ## judge the kvm.ko of each kernel that Debian has, 19 of them (fetches up to 2 GB)
	@$(VM)/deps tool vm host
	$(Q)$(MAKE) -C tools VERSION=$(KVMWATCH_VERSION)
	@$(VM)/check-kernels | $(VM)/tap

check-changed: ## judge kvm.ko of Linux 6.1, built from sources with planted changes (T: which)
	@$(VM)/deps tool vm host
	$(Q)$(MAKE) -C tools VERSION=$(KVMWATCH_VERSION)
	@$(VM)/changed-kvm $(T) | $(VM)/tap

lockdown: ## a table of what a locked-down kernel lets users see of KVM
	@$(MAKE) KERNEL=debug initrd
	@KERNEL=debug $(VM)/suite lockdown | $(VM)/tap

secure-boot: ## sign the module with a key of one's own, enroll it, load it: firmware with Secure Boot
	@$(VM)/deps tool vm secure-boot
	$(call link_sources,$(call objects,$(VM_KDIR)))
	$(Q)$(VM)/build-module M=$(call objects,$(VM_KDIR)) modules
	@$(VM)/secure-boot $(call objects,$(VM_KDIR))/kvmwatch.ko | $(VM)/tap

check-intel: ## tests with Intel's VMX, EPT and PML, in Bochs, whose kernel is built first (T: which)
	@KERNEL=intel $(VM)/deps tool vm intel
	@SET=intel $(VM)/suite build vm | $(VM)/tap

debug-kernel: ## build the kernel with KASAN, lockdep and more into the cache: KERNEL=debug
	@$(MAKE) KERNEL=debug deps

vm: initrd ## a shell in the VM, with module, tool, tests and trace-cmd at hand
	@$(VM)/boot $(INITRD) $(VM_LOG) shell

bench: initrd ## instructions per event, and of eBPF for the same; with up to 1,000 VMs (BENCH_VMS)
	@$(VM)/deps bench
	$(call build_beside,bench_modules)
	@$(MAKE) -C selftests bpf
	@$(VM)/suite bench

bench-cycles: ## cycles of this processor that a hit of each handler takes (on KERNEL=6.1)
	@$(VM)/deps vm
	$(call link_sources,$(call objects,$(VM_KDIR)))
	$(Q)$(VM)/build-module M=$(call objects,$(VM_KDIR)) modules
	$(call build_beside,cycles,subject.o)
	@$(MAKE) -C selftests cycles OBJECTS=$(call objects,$(VM_KDIR))
	@build/selftests/cycles

bench-predict: initrd ## real migrations against their forecasts (T: which; SUITE, KERNEL)
	@$(MAKE) -C selftests predict
	@$(VM)/bench-predict $(T) | $(VM)/tap
	@selftests/predict/report.py table build/predict-$(KERNEL)$(addprefix -,$(SUITE)).json

packages: ## Debian packages of what is committed, in build/packages
	@$(VM)/deps tool packages
	@$(VM)/build-packages

try-packages: ## the same, and install, upgrade, boot, remove and purge them in new roots (SUITE)
	@$(VM)/deps tool vm packages
	@$(VM)/try-packages $(SUITE)

lint: ## checkpatch, sparse, shellcheck, layers, uapi header alone, documents and spelling
	@$(VM)/deps tool vm lint
	@$(VM)/suite lint | $(VM)/tap

# A target of its own, as make expands a whole recipe before its first line runs: the directory of a
# kernel's objects is known only when its headers have been fetched.
vm-deps:
	@$(VM)/deps tool vm

# The VM's root, with the programs that it runs: PROGRAMS, or all tests
initrd: vm-deps
	$(Q)$(MAKE) -C tools VERSION=$(KVMWATCH_VERSION)
	$(call link_sources,$(call objects,$(VM_KDIR)))
	$(Q)$(VM)/build-module M=$(call objects,$(VM_KDIR)) modules
	$(if $(PROGRAMS),,$(call beside))
	$(Q)$(MAKE) -C selftests vm
	@$(VM)/mkinitrd $(call objects,$(VM_KDIR)) tools/kvmwatch build/selftests/vm $(INITRD)

# Modules of the tests: planted faults for debug kernels, and what the benchmark needs
define beside
$(if $(filter debug% kcsan clang%,$(KERNEL)),$(call build_beside,planted))
$(if $(wildcard docs/bench-$(KERNEL).json),$(call build_beside,bench_modules))
endef

# Build a module of the tests beside ours, or a part of one.
define build_beside
@mkdir -p $(call objects,$(VM_KDIR))/$(1)
@ln -sf $(CURDIR)/selftests/$(1)/* $(call objects,$(VM_KDIR))/$(1)/
$(Q)$(VM)/build-module M=$(call objects,$(VM_KDIR))/$(1) $(or $(2),modules)
endef

# Check the module with gcc's W=1 and sparse.
sparse:
	$(call link_sources,$(CURDIR)/build/lint)
	$(Q)$(VM)/build-module M=$(CURDIR)/build/lint C=2 W=1 modules

clean: ## remove what was built
	rm -rf build kvmwatch.ko
	$(MAKE) -C tools clean

help: ## this list
	@sed -nE 's/^([a-z-]+):[^#]*## (.*)/\1\t\2/p' Makefile | expand -t 10

# With RESULTS_TO=FILE each command that runs tests adds its results to FILE.
RESULTS_OF = make $(MAKECMDGOALS) $(filter-out RESULTS_TO=%,$(MAKEOVERRIDES))
export T V KERNELS SUITE RESULTS_TO RESULTS_OF
.PHONY: all module need-headers tools install install-user uninstall uninstall-user deps demo \
	demo-fleet picture check check-all check-rest results unit vm-test vmms storm fuzz-vm \
	matrix races stalls fresh check-kernels check-changed lockdown secure-boot check-intel \
	debug-kernel kvm-selftests vm bench bench-cycles bench-predict packages try-packages lint \
	initrd sparse vm-deps clean help
