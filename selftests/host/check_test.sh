#!/bin/bash
# kvmwatch check: a kvm.ko that is made here with planted lies, and the kernels in the cache.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
lies=selftests/lies
tool=$top/tools/kvmwatch
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT

# Build an object with types, from SOURCE with what is in $2 and so on: build NAME SOURCE OPTION...
build() {
	name=$1 source=$2
	shift 2
	gcc -c -g -gdwarf-4 -O2 -std=gnu11 -mcmodel=kernel -fno-pic -fcf-protection=none \
		-pg -mfentry -mrecord-mcount "$@" -o "$tmp/$name" "$lies/$source"
}

vmlinux() {
	build "$1" vmlinux.c "${@:2}" && pahole -J "$tmp/$1"
}

kvm() {
	build "$1" kvm.c "${@:2}" && pahole -J --btf_base "$tmp/vmlinux" "$tmp/$1"
}

seen() {
	head -n 40 "$tmp/out"
}

# Run a command: its output goes to $tmp/out, its status to $status.
check() {
	status=0
	"$tool" check "$@" >"$tmp/out" 2>&1 || status=$?
}

# The hooks that are not proven, one line each: name, trust.
others() {
	"$tool" check --json "$@" | jq -r \
		'select(.type == "hook" and .trust != "proven") | "\(.name)=\(.trust)"' |
		grep -vE '^(dirty_mark_vm|dirty_mark_vcpu|rmap_repoint)=absent$' |
		sort | paste -sd ' '
}

# Plant a lie, and compare what check says of the hooks: lie WHAT "HOOK=TRUST..." OPTION...
lie() {
	rm -f "$tmp/kvm.ko"	# of an earlier case
	kvm kvm.ko "${@:3}"
	check "$tmp/kvm.ko" "$tmp/vmlinux"
	code=0
	case $2 in
	*unavailable*) code=3 ;;
	esac
	[ "$(others "$tmp/kvm.ko" "$tmp/vmlinux")" = "$2" ] && [ "$status" = "$code" ]
	case_is $? "$1"
}

# The command fails, and prints these words: refused WHAT WORDS ARGUMENT...
refused() {
	check "${@:3}"
	[ "$status" = 1 ] && grep -qE "$2" "$tmp/out"
	case_is $? "$1"
}

pages="rmap_add=unavailable rmap_zap=unavailable rmap_zap_all=unavailable spte_change=unavailable"
vmlinux vmlinux && vmlinux vmlinux-other -DOTHER || exit

lie "all of a kvm.ko that is right is proven" ""
lie "a page of the page table in place of the address space is another form" "" -DPAGE
lie "the later name of the function is known" "" -DNEWNAME
lie "the kernel's copy in the loop may be missing" "" -DCALLING
lie "a kernel without the loop needs no hook on it" "rmap_zap_all=absent" -DONEBYONE
lie "a count of 8 bytes is as good" "" -DWIDE
lie "a counter's place in the index is found" "" -DFOLDED
lie "an event with one argument more is known" "" -DENTRY1
lie "an event's older arguments are known" "" -DEXIT3
lie "a halt that returns something is another function" "" -DOLDHALT
lie "older arguments of a slot's commit are known" "" -DMEM
lie "leaves of 5.15 are added by another function" "" -DSET -DGFNS
lie "and by one of other arguments up to 5.19" "" -DSET_SLOT -DGFNS
lie "which are seen by their names when in another order" "$pages" -DSET -DSET_SWAPPED
lie "also those of the latter" "$pages" -DSET_SLOT -DSET_SWAPPED
lie "no dirty rings: no proof that each mark is seen" \
	"dirty_mark=unavailable ring_full=absent ring_push=absent ring_reset=absent" -DNORING
lie "arguments of one type in another order are seen by their names" "$pages" -DSWAPPED
lie "arguments of other names are not believed" "$pages" -DUNNAMED
lie "arguments in another order are seen" "$pages" -DLEVELFIRST
lie "an argument of another type is seen" "$pages" -DROLE
lie "a copy of a hooked function is found by what it counts" "$pages" -DCOPY
lie "a copy is found with the counter's place in the index" "$pages" -DCOPY -DFOLDED
lie "an exchange at an index is a bitmap's" "" -DEXCHANGES
lie "a comparison behind what looks like a lock is none" "" -DCOMPARES
lie "one in the counts is found" "$pages" -DEXCHANGES_PAGES
lie "who adds 512 and splits nothing is found" "$pages" -DBULK
lie "KVM that counts no leaves proves nothing" "$pages" -DUNCOUNTED
lie "a member that has moved is seen" "$pages" -DMOVED
lie "a part that has the function's arguments is proven with it" "" -DPART
lie "one whose arguments are in other places is not" "dirty_mark=unavailable" -DPART -DPART_SHIFTED
lie "one with another argument is not" "dirty_mark=unavailable" -DPART -DPART_COUNTED
lie "one that the function calls and goes on is not" "dirty_mark=unavailable" -DPART -DPART_CALLED
lie "a function that marks as its part does is seen" "dirty_mark=unavailable" -DPART -DPART_PUSHES
lie "a clone besides the part is seen" "dirty_mark=unavailable" -DPART -DPART_OTHER
lie "a copy of the marking function is found by whom it calls" "dirty_mark=unavailable" -DPUSHES
lie "a jump to it from near by is found" "dirty_mark=unavailable" -DJUMPS_NEAR
lie "what looks like one inside of an instruction is none" "" -DLOOKS_NEAR
lie "a function that the compiler changed is not taken" "log_get=unavailable" -DRENAMED
lie "a function that was put into its caller is missing" "log_get=unavailable" -DINLINED
lie "without the function that ends a VM, leaves are proven all the same" \
	"vm_destroy=unavailable" -DDESTROYED
lie "what it calls tells of the end, too" "" -DDESTROYED -DPREDESTROY
lie "a function that is in all of its callers is never hit" "vm_free=unavailable" -DFREED
lie "a number that looks like a call of it is none" "vm_free=unavailable" -DFREED -DFREED_LOOKS
lie "nor like a call of another function, which calls it" "vm_free=unavailable" \
	-DFREED -DFREED_BETWEEN
lie "nor all of one that is in one of them" "vm_free=unavailable" -DFREED_ONCE
lie "then VMs that came to be are seen to begin and end" "" -DFREED -DCOME_TO_BE
"$tool" check --json "$tmp/kvm.ko" "$tmp/vmlinux" | jq -r '.target // empty' >"$tmp/out"
grep -qx kvm_uevent_notify_change "$tmp/out" && grep -qx kvm_mmu_uninit_vm "$tmp/out" &&
	! grep -qx kvm_arch_init_vm "$tmp/out"
case_is $? "both by functions that failed creations do not pass"
lie "a caller that has a copy of the load is found" "load_cost=unavailable vcpu_load=unavailable" \
	-DLOADED
lie "an event with other arguments is seen" "exit=unavailable" -DEXIT4

kvm kvm.ko
check "$tmp/kvm.ko" "$tmp/vmlinux"
[ "$status" = 0 ]
case_is $? "it ends with 0 when nothing is unavailable"
for packer in xz gzip zstd; do
	case $packer in
	xz)	xz -c --check=crc32 "$tmp/kvm.ko" ;;
	gzip)	gzip -c "$tmp/kvm.ko" ;;
	zstd)	zstd -qc "$tmp/kvm.ko" ;;
	esac >"$tmp/packed"
	check "$tmp/packed" "$tmp/vmlinux"
	[ "$status" = 0 ]
	case_is $? "a kvm.ko packed by $packer is the same"
	head -c 3000 "$tmp/packed" >"$tmp/cut"
	refused "one that is cut off is refused, of $packer" "broken, or not all there" "$tmp/cut" \
		"$tmp/vmlinux"
done
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$tmp/vmlinux" "$tmp/btf"
check "$tmp/kvm.ko" "$tmp/btf"
[ "$status" = 0 ]
case_is $? "vmlinux's types alone will do"
refused "vmlinux of another build is refused" "not based on these" "$tmp/kvm.ko" "$tmp/vmlinux-other"
refused "without vmlinux it says which is needed" "vmlinuz of Linux 6.8.0-45-generic" "$tmp/kvm.ko"
refused "no vmlinux but something else is refused" "no kernel, and no BTF" "$tmp/kvm.ko" \
	"$lies/kvm.c"
refused "what is not there is said" "No such file" "$tmp/nothing"
refused "no module is refused" "no module" "$lies/kvm.c"
refused "no file is refused" "Is a directory" "$tmp"

objcopy -R .BTF "$tmp/kvm.ko" "$tmp/kvm-untyped.ko"
check "$tmp/kvm-untyped.ko"
[ "$status" = 3 ] && grep -q "^spte_change *unavailable .* no types (BTF), and the tests were not" \
	"$tmp/out" && grep -q "^load_cost *proven" "$tmp/out"
case_is $? "without types nothing is proven that reads arguments"
kvm kvm-tested.ko '-DRELEASE="6.1.0-57-amd64"' && objcopy -R .BTF "$tmp/kvm-tested.ko"
check "$tmp/kvm-tested.ko"
[ "$status" = 0 ] && grep -q "^spte_change *tested " "$tmp/out"
case_is $? "on a build that the tests were run on it is believed"
kvm kvm-vendor.ko '-DRELEASE="6.1.0-57-vendor-amd64"' && objcopy -R .BTF "$tmp/kvm-vendor.ko"
check "$tmp/kvm-vendor.ko"
[ "$status" = 3 ] && ! grep -q " tested " "$tmp/out"
case_is $? "a vendor's of the same number is not"
kvm kvm-swapped.ko '-DRELEASE="6.1.0-57-amd64"' -DSWAPPED
check "$tmp/kvm-swapped.ko" "$tmp/vmlinux"
[ "$status" = 3 ] && grep -q "^spte_change *unavailable .*u64 new_spte, u64 old_spte" "$tmp/out"
case_is $? "types that say otherwise count more than that, and are shown"

# The types of a kvm.ko with a function that this one lacks.
kvm kvm-copy.ko -DCOPY
objcopy -O binary --only-section=.BTF --set-section-flags .BTF=alloc "$tmp/kvm-copy.ko" "$tmp/btf"
objcopy --update-section ".BTF=$tmp/btf" "$tmp/kvm.ko" "$tmp/kvm-foreign.ko"
refused "types of another kvm.ko are refused" "of another build: they" "$tmp/kvm-foreign.ko" \
	"$tmp/vmlinux"
kvm kvm-amd.ko '-DNAME="kvm_amd"'
refused "another module is refused" "another module" "$tmp/kvm-amd.ko" "$tmp/vmlinux"
check a b c
[ "$status" = 2 ]
case_is $? "three paths are too many"

# The output with --json is valid by the schema.
valid() {
	/usr/bin/python3 - tools/kvmwatch.schema.json <<-'END'
	import json, os, sys
	from jsonschema import Draft202012Validator as Validator
	schema = json.load(open(sys.argv[1]))
	schema["$ref"] = "#/$defs/check"
	lines = open(os.environ["lines"]).read().splitlines()
	bad = [e for line in lines for e in Validator(schema).iter_errors(json.loads(line))]
	sys.exit(bool(bad) or len(lines) < 20)
	END
}

export lines=$tmp/lines
for kvm in kvm kvm-untyped kvm-tested kvm-swapped; do
	"$tool" check --json "$tmp/$kvm.ko" "$tmp/vmlinux" >"$lines"
	valid
	case_is $? "--json keeps to the schema, of $kvm.ko"
done
sed -i 's/"trust":"[a-z]*"/"trust":"believed"/' "$lines"
! valid
case_is $? "another word for trust does not"

# With any byte changed, check may refuse the file or judge differently, but it ends.
crashes() {
	size=$(stat -c %s "$tmp/kvm.ko")
	for ((i = 0; i < 60; i++)); do
		cp "$tmp/kvm.ko" "$tmp/broken.ko"
		printf '\xff\xff\xff\x7f' | dd of="$tmp/broken.ko" bs=1 conv=notrunc status=none \
			seek=$((i * (size - 4) / 60))
		timeout 20 "$tool" check "$tmp/broken.ko" "$tmp/vmlinux" >"$tmp/out" 2>&1
		[ $? -le 3 ] || return 0
	done
	return 1
}
! crashes
case_is $? "it survives what is broken"

# The rules name hooks that exist.
rules=$("$tool" check --json "$tmp/kvm-untyped.ko" | jq -r 'select(.type == "hook").name' | sort)
hooks=$(cat module/hooks/hook_table.h module/kernel/kvm_functions.h |
	sed -nE 's/^[[:space:]]*(HOT|RARE|KVMW_SHADOW\(HOT, RARE\)|RET|TP|TP_OR_MORE)\(([a-z_]+),.*/\2/p' | sort -u)
[ "$rules" = "$hooks" ]
case_is $? "there is a rule for each hook, and for no other"

# Real kvm.ko files: those of the tests' kernels, if they are in the cache.
expected=selftests/vm/checked-kernels.expected
for kernel in 5.10 6.1 6.12-gcc12 7.2; do
	KVM_FETCH=no selftests/vm/check-kernels "$kernel" >"$tmp/out" 2>&1
	case $? in
	0)	case_is 0 "Debian's $kernel is judged as $expected has it" ;;
	4)	number=$((number + 1))
		echo "ok $number # SKIP no kvm.ko of $kernel in the cache" ;;
	*)	case_is 1 "Debian's $kernel is judged as $expected has it" ;;
	esac
done
echo "1..$number"
