#!/bin/bash
# The output of commands with --json (unit/golden) is valid by the schema, and the schema refuses
# other output.
# shellcheck source=cases.sh
. "$(dirname "$0")/cases.sh"

cd "$top" || exit
schema=tools/kvmwatch.schema.json
commands="list stat doctor exits vcpu wakeups haltpoll haltpoll-what-if dirty collects pages huge huge-time statistics hooks audit dirty-hot dirty-windows dirty-rate top predict"

# Is each line of a file valid by the schema's definition for a command?
valid() {
	/usr/bin/python3 - "$schema" "$1" "$2" <<'END'
import json, sys
from jsonschema import Draft202012Validator as Validator
schema = json.load(open(sys.argv[1]))
Validator.check_schema(schema)
schema["$ref"] = "#/$defs/" + sys.argv[2]
lines = open(sys.argv[3]).read().splitlines()
errors = [e for line in lines for e in Validator(schema).iter_errors(json.loads(line))]
for e in errors:
    print("#", "/".join(map(str, e.path)), e.message[:200])
sys.exit(bool(errors) or not lines)
END
}

tmp=$(mktemp)
trap 'rm -f "$tmp"' EXIT
echo "1..46"
for command in $commands; do
	golden=selftests/unit/golden/$command.json
	valid "$command" "$golden"
	case_is $? "$command --json keeps to the schema"
	sed 's/"name":"[^"]*"/"name":5/' "$golden" >"$tmp"
	! valid "$command" "$tmp" >/dev/null
	case_is $? "a name that is a number does not, of $command"
done

valid huge selftests/unit/golden/huge-hidden.json
case_is $? "what is unknown of huge pages keeps to the schema"

valid haltpoll-what-if selftests/unit/golden/haltpoll-what-if-unknown.json
case_is $? "what is unknown of halt polling keeps to the schema"

# A VM without a directory in KVM's debugfs is named by kvmwatch.
sed 's/"name":"[^"]*"/"name":"4242-vm1"/' selftests/unit/golden/list.json >"$tmp"
valid list "$tmp"
case_is $? "the name of a VM without a directory of KVM's keeps to the schema"
sed 's/"name":"[^"]*"/"name":"4242-x1"/' selftests/unit/golden/list.json >"$tmp"
! valid list "$tmp" >/dev/null
case_is $? "no other letters do"
