#!/bin/sh
# Make a header of facts.in: facts.sh FACTS.IN HEADER SYMVERS COMMAND..., which compiles facts.in.
# It has a macro KVMW_HAS_*, 1 or 0, for each fact. One does not hold if the compiler has an error
# in one of its lines, or if SYMVERS, the kernel's Module.symvers, lacks the function.
set -eu
facts=$1 header=$2 symvers=$3
shift 3
errors=$(LC_ALL=C "$@" -Wno-error -Werror=implicit-function-declaration \
	-Werror=incompatible-pointer-types -Werror=int-conversion 2>&1) || :
{
	echo "/* Made of facts.in by facts.sh */"
	printf '%s\n' "$errors" | sed -nE 's/^[^ ]*facts\.in:([0-9]+):([0-9]+: )?(fatal )?error: .*/\1/p' |
		awk 'NR == FNR { wrong[$1]; next }
			/^FACT\(/ { name = $0; sub(/^FACT\(/, "", name); sub(/,.*/, "", name)
				order[++n] = name; holds[name] = 1 }
			name && (FNR in wrong) { holds[name] = 0 }
			!name && (FNR in wrong) { early = 1 }
			END { for (i = 1; i <= n; i++)
				print "#define KVMW_HAS_" order[i], early ? 0 : holds[order[i]] }' \
			- "$facts"
	sed -nE 's/^EXPORTED\(([A-Z_0-9]+), (\w+)\)$/\1 \2/p' "$facts" |
		while read -r name function; do
			holds=0
			! awk '{ print $2 }' "$symvers" 2>/dev/null | grep -qx "$function" || holds=1
			echo "#define KVMW_HAS_$name $holds"
		done
} >"$header.new"
if ! grep -qx '#define KVMW_HAS_CONTROL_TRUE 1' "$header.new" ||
	! grep -qx '#define KVMW_HAS_CONTROL_FALSE 0' "$header.new"; then
	printf '%s\n' "$errors" | head -n 20 >&2
	echo "kvmwatch: cannot tell what these kernel headers have" >&2
	exit 1
fi
mv "$header.new" "$header"
