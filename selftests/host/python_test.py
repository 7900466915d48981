# SPDX-License-Identifier: GPL-2.0
"""The Python module against a device that played_device.c plays. For python_test.sh."""
import ctypes
import errno
import os
import re
import subprocess
import sys
import tempfile
import unittest

import kvmwatch

TOP = sys.argv.pop(1)


def c_layout(checks):
    """Offset and size of each (structure, member), as a C compiler has them; of each structure."""
    lines = [f'\tprintf("%zu %zu\\n", offsetof(struct {s}, {m}), sizeof(((struct {s} *)0)->{m}));'
             if m else f'\tprintf("0 %zu\\n", sizeof(struct {s}));' for s, m in checks]
    code = ("#include <stdio.h>\n#include <stddef.h>\n#include <libkvmwatch.h>\n"
            "int main(void)\n{\n" + "\n".join(lines) + "\n}\n")
    with tempfile.TemporaryDirectory() as tmp:
        subprocess.run(["cc", "-x", "c", "-", f"-I{TOP}/lib", f"-I{TOP}/include/uapi",
                        "-o", f"{tmp}/layout"], input=code.encode(), check=True)
        out = subprocess.run([f"{tmp}/layout"], capture_output=True, check=True).stdout
    return [tuple(map(int, line.split())) for line in out.decode().splitlines()]


class Module(unittest.TestCase):
    def setUp(self):
        self.dev = kvmwatch.Device("/dev/null")

    def tearDown(self):
        self.dev.close()

    def test_structures_are_those_of_the_header(self):
        checks, expected = [], []
        for struct, name in ((kvmwatch.Info, "info"), (kvmwatch.Vm, "vm"),
                             (kvmwatch.Vcpu, "vcpu"), (kvmwatch.Slot, "slot"),
                             (kvmwatch.Hook, "hook"), (kvmwatch.Stat, "stat"),
                             (kvmwatch.Bucket, "bucket"), (kvmwatch.Audit, "audit"),
                             (kvmwatch._Item, "all_item"), (kvmwatch.Value, "value"),
                             (kvmwatch._Stats, "stats"), (kvmwatch._All, "all"),
                             (kvmwatch._Guest, "guest")):
            checks.append(("kvmwatch_" + name, None))
            expected.append((0, ctypes.sizeof(struct)))
            for member, _ in struct._fields_:
                field = getattr(struct, member)
                checks.append(("kvmwatch_" + name, member))
                expected.append((field.offset, field.size))
        for check, want, got in zip(checks, expected, c_layout(checks)):
            self.assertEqual(want, got, check)

    def test_constants_are_those_of_the_header(self):
        with open(f"{TOP}/include/uapi/linux/kvmwatch.h", encoding="ascii") as file:
            header = file.read()
        values = dict(re.findall(r"#define KVMWATCH_(KIND_\w+|VENDOR_\w+)\s+(\d+)", header))
        bits = dict(re.findall(r"#define KVMWATCH_((?:PID|TID|VM|VCPU|SLOT|ITEM|HOOK|STAT|INFO)_"
                               r"\w+)\s+\(1U << (\d+)\)", header))
        self.assertTrue(len(values) >= 8 and len(bits) >= 18)
        values.update((name, 1 << int(bit)) for name, bit in bits.items())
        for name, value in values.items():
            self.assertEqual(int(value), getattr(kvmwatch, name), name)

    def test_names_are_those_of_the_library(self):
        with open(f"{TOP}/lib/libkvmwatch.map", encoding="ascii") as file:
            names = re.findall(r"\tkvmwatch_(\w+);", file.read())
        called = re.sub("_sized$", "", "\n".join(names), flags=re.M).split("\n")
        with open(kvmwatch.__file__, encoding="ascii") as file:
            there = set(re.findall(r"_lib\.kvmwatch_(\w+?)(?:_sized)?\b", file.read()))
        self.assertEqual([], [name for name in called if name not in there and
                              not re.match("mapping_|heat_|open_heat_|predict|all_update", name)])
        methods = [name for name in vars(kvmwatch.Device) if not name.startswith("_")]
        for name in methods:
            if name not in ("info",) and not name.startswith("list_"):
                self.assertTrue({name, name + "_sized"} & set(names), name)

    def test_info_and_errors(self):
        info = self.dev.info()
        self.assertEqual((2, 5, "for a test"), (info.abi, info.instance, info.why))
        with self.assertRaises(FileNotFoundError):
            kvmwatch.Device("/nonexistent")
        with self.assertRaises(FileNotFoundError):
            self.dev.open_vm(100)

    def test_lists(self):
        vms = self.dev.list_vms()
        self.assertEqual([(1, 42, "42-5"), (2, 0, "43-5")],
                         [(vm.id, vm.pid, vm.name) for vm in vms])
        self.assertEqual("vm\ufffd", vms[1].comm)
        self.assertEqual([7], [vcpu.id for vcpu in self.dev.list_vcpus()])
        self.assertEqual([], self.dev.list_vcpus(1))
        self.assertEqual([(1, 5, 11)],
                         [(slot.as_id, slot.id, slot.life) for slot in self.dev.list_slots()])
        self.assertEqual("tracepoint", self.dev.list_hooks()[0].via)
        stat = self.dev.list_stats()[0]
        self.assertEqual(("on_cpu_ns", "seconds", -9), (stat.name, stat.unit, stat.exponent))
        self.assertEqual((0x78, "hlt"), (lambda b: (b.number, b.name))(
            self.dev.list_buckets()[0]))
        self.assertEqual(9, self.dev.list_generation(kvmwatch.KIND_VM))
        self.assertEqual(3, self.dev.audit_vm(1).audits)

    def test_by_fds_of_kvm(self):
        self.assertEqual(2, len(self.dev.list_vms_by_fd(0)))
        self.assertEqual([7], [vcpu.id for vcpu in self.dev.list_vcpus_by_fd(0)])
        self.assertEqual([11], [slot.life for slot in self.dev.list_slots_by_fd(0)])
        for stats in (self.dev.open_vm_fd(0), self.dev.open_vcpu_fd(0),
                      self.dev.open_slot_fd(0, 0, 5)):
            self.assertGreater(stats.get("loads"), 0)
        self.assertGreater(len(self.dev.open_all_fd(kvmwatch.KIND_VCPU, 0).read()), 0)
        self.assertEqual(kvmwatch.KIND_SLOT,
                         self.dev.open_chosen_fd(kvmwatch.KIND_SLOT, 0, ["npages"]).read().kind)
        with self.assertRaises(OSError) as caught:
            kvmwatch.open_kvm(0)
        self.assertEqual(errno.ENOTTY, caught.exception.errno)

    def test_catalog(self):
        catalog = self.dev.catalog_read()
        self.assertEqual(0, catalog.vendor)
        self.assertEqual(["on_cpu_ns"], [stat.name for stat in catalog])
        stat = catalog.find(kvmwatch.KIND_VM, "on_cpu_ns")
        self.assertEqual(("time between load and put", "seconds", 1e-9),
                         (stat.help, stat.unit, stat.unit_scale))
        self.assertIsNone(catalog.find(kvmwatch.KIND_SLOT, "on_cpu_ns"))
        self.assertIsNone(catalog.bucket("on_cpu_ns", 0))

    def test_guests(self):
        guest = kvmwatch.guest_parse(b"vm\0-name\0guest=w\xff,,b\0-uuid\0"
                                     b"4F1F2F6C7D5F4A0F9D3A0C7F1D2E3B4A\0", "/usr/bin/qemu-kvm")
        self.assertEqual(("w\udcff,b", "4f1f2f6c-7d5f-4a0f-9d3a-0c7f1d2e3b4a", None, None),
                         (guest.name, guest.uuid, guest.unit, guest.user_unit))
        self.assertIsNone(kvmwatch.guest_parse(b"vm\0-name\0web1\0").name)
        self.assertIsNone(kvmwatch.guest_read(os.getpid()).name)
        with self.assertRaises(ProcessLookupError):
            kvmwatch.guest_read(0)

    def test_statistics_of_one_object(self):
        with self.dev.open_vm(1) as stats:
            self.assertTrue(stats.id.startswith("kvmwatch-"))
            self.assertIn("loads", list(stats))
            self.assertGreater(stats.get("loads"), 0)
            self.assertIsNone(stats.get("no_such"))
            reasons = stats.get("exit_reasons")
            self.assertEqual(sum(reasons), stats.get("exits"))
            hist = stats.find("on_cpu_hist")
            bucket = hist.quantile(0.5)
            self.assertGreater(hist.number[bucket], 0)
            self.assertEqual((2 ** (bucket - 1), 2 ** bucket - 1), hist.bucket_range(bucket))
            stats.update()
        value = self.dev.open_vm(1).find("loads")   # keeps what it lies in
        self.assertGreater(value.number, 0)

    def test_all_objects(self):
        with self.dev.open_all(kvmwatch.KIND_VCPU) as fd:
            every = fd.read()
        self.assertEqual(kvmwatch.KIND_VCPU, every.kind)
        self.assertEqual(len(every), len(list(every)))
        item = list(every)[0]
        self.assertEqual("4242-5", item.name)
        self.assertGreater(item.get("loads"), 0)
        self.assertIsNone(item.get("exit_reasons"))
        with self.dev.open_chosen(kvmwatch.KIND_SLOT, ["npages"]) as fd:
            self.assertEqual(kvmwatch.KIND_SLOT, fd.read().kind)
            self.assertTrue(fd.wait(0))     # a file is always readable


if __name__ == "__main__":
    unittest.main()
