# SPDX-License-Identifier: LGPL-2.1-or-later
"""Read kvmwatch from Python: libkvmwatch(3) with the same names, without its prefix.

    with kvmwatch.Device() as dev:
        for vm in dev.list_vms():
            stats = dev.open_vm(vm.id)
            print(vm.name, stats.get("mapped_bytes"))
        for item in dev.open_all(kvmwatch.KIND_VCPU).read():
            print(item.name, item.number, item.get("exits"))

What a function of the library returns as -errno is raised as OSError. A statistic that is
unavailable is None, which is not 0; a histogram is a list. The threads' rules are the library's.
Mapped stats fds, per-page heat, forecasts and kvmwatch_all_update() are for C only.
"""
import ctypes
import os

KIND_VM, KIND_VCPU, KIND_SLOT, KIND_HOOK, KIND_STAT, KIND_BUCKET = range(1, 7)
DEVICE = "/dev/kvmwatch"
OPEN_NO_HISTOGRAMS = 1 << 1
INFO_BLIND = 1 << 0
PID_GONE, PID_HIDDEN, TID_GONE, TID_HIDDEN = (1 << bit for bit in range(16, 20))
VM_DIRTY_LOG, VM_DIRTY_RING = 1 << 0, 1 << 1
VCPU_LOADED, VCPU_HALTED = 1 << 0, 1 << 1
SLOT_INTERNAL = 1 << 16
ITEM_ENDED = 1 << 0
STAT_AVAILABLE = 1 << 0
STAT_LEFT_OUT = 1 << 1
HOOK_ATTACHED, HOOK_PROVEN, HOOK_TESTED, HOOK_ABSENT = (1 << bit for bit in range(4))
HOOK_LEFT_OUT, HOOK_NEEDLESS = 1 << 4, 1 << 5
VENDOR_VMX, VENDOR_SVM = 1, 2
WITHDRAWN = (1 << 64) - 1

_lib = ctypes.CDLL("libkvmwatch.so.1")
_libc = ctypes.CDLL(None)
_libc.free.argtypes = [ctypes.c_void_p]

_NAME = ctypes.c_char * 48
_U16, _U32, _U64 = ctypes.c_uint16, ctypes.c_uint32, ctypes.c_uint64
_I16, _I32 = ctypes.c_int16, ctypes.c_int32


class _Struct(ctypes.Structure):
    """A structure of the interface, whose strings are str."""

    def __getattribute__(self, name):
        value = super().__getattribute__(name)
        return value.decode(errors="replace") if isinstance(value, bytes) else value

    def as_dict(self):
        return {field[0]: getattr(self, field[0]) for field in self._fields_}

    def __repr__(self):
        return f"{type(self).__name__}({self.as_dict()})"


class Info(_Struct):
    _fields_ = [("size", _U32), ("abi", _U32), ("features", _U64), ("generation", _U64),
                ("flags", _U32), ("vendor", _U32), ("why", ctypes.c_char * 96),
                ("instance", _U64)]


class Vm(_Struct):
    _fields_ = [("id", _U64), ("memory", _U64), ("footprint", _U64), ("pid", _I32),
                ("flags", _U32), ("vcpus", _U32), ("slots", _U32), ("name", _NAME),
                ("comm", ctypes.c_char * 16)]


class Vcpu(_Struct):
    _fields_ = [("id", _U64), ("vm", _U64), ("vcpu_id", _U32), ("tid", _I32), ("flags", _U32),
                ("reserved", _U32)]


class Slot(_Struct):
    _fields_ = [("vm", _U64), ("base_gfn", _U64), ("npages", _U64), ("userspace_addr", _U64),
                ("as_id", _U16), ("id", _U16), ("flags", _U32), ("life", _U64)]


class Hook(_Struct):
    _fields_ = [("hits", _U64), ("misses", _U64), ("flags", _U32), ("reserved", _U32),
                ("name", _NAME), ("target", _NAME), ("via", ctypes.c_char * 16),
                ("reason", ctypes.c_char * 96), ("by", ctypes.c_char * 32),
                ("why", ctypes.c_char * 320)]


class Stat(_Struct):
    _fields_ = [("kind", _U32), ("flags", _U32), ("desc_flags", _U32), ("exponent", _I16),
                ("buckets", _U16), ("name", _NAME), ("hooks", ctypes.c_char * 96),
                ("help", ctypes.c_char * 160), ("nr", _U32), ("bucket_size", _U32)]

    @property
    def unit(self):
        return _unit(self.desc_flags)

    @property
    def unit_scale(self):
        """The number of such units that a value of 1 stands for."""
        return _lib.kvmwatch_unit_scale(self.desc_flags, self.exponent)


class Bucket(_Struct):
    _fields_ = [("buckets", _U32), ("number", _U32), ("name", _NAME)]


class Audit(_Struct):
    _fields_ = [("size", _U32), ("agrees", _U32), ("vm", _U64), ("audits", _U64),
                ("failures", _U64)]


class _Item(_Struct):
    _fields_ = [("vm", _U64), ("id", _U64), ("number", _U32), ("flags", _U32), ("pid", _I32),
                ("tid", _I32), ("name", _NAME)]


class Value(_Struct):
    """A statistic: struct kvmwatch_value, which never grows."""
    _fields_ = [("name", ctypes.c_char_p), ("flags", _U32), ("exponent", _I16), ("size", _U16),
                ("bucket_size", _U32), ("data", ctypes.POINTER(_U64))]

    def bucket_range(self, bucket):
        """First and last value that a bucket of a histogram counts."""
        first, last = _U64(), _U64()
        _lib.kvmwatch_bucket_range(ctypes.byref(self), bucket, ctypes.byref(first),
                                   ctypes.byref(last))
        return first.value, last.value

    def quantile(self, part):
        """The bucket that this part of all values lie in or below; None: it is empty."""
        bucket = ctypes.c_uint()
        err = _lib.kvmwatch_quantile(ctypes.byref(self), part, ctypes.byref(bucket))
        return None if err else bucket.value

    @property
    def number(self):
        return _numbers(self, self.data)

    @property
    def unit(self):
        return _unit(self.flags)

    @property
    def unit_scale(self):
        return _lib.kvmwatch_unit_scale(self.flags, self.exponent)


class _Guest(ctypes.Structure):
    _fields_ = [("name", ctypes.c_char_p), ("uuid", ctypes.c_char_p),
                ("unit", ctypes.c_char_p), ("user_unit", ctypes.c_char_p)]


class _Stats(ctypes.Structure):
    _fields_ = [("id", ctypes.c_char_p), ("nr", ctypes.c_size_t),
                ("values", ctypes.POINTER(Value))]


class _All(ctypes.Structure):
    _fields_ = [("kind", _U32), ("vendor", _U32), ("generation", _U64), ("begin_ns", _U64),
                ("end_ns", _U64), ("nr_stats", ctypes.c_size_t),
                ("stats", ctypes.POINTER(Value)), ("nr", ctypes.c_size_t), ("instance", _U64),
                ("changed", _U32)]


def _declare():
    stats, every = ctypes.POINTER(_Stats), ctypes.POINTER(_All)
    pointer, text, size = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_size_t
    number = ctypes.c_int
    for name, result, *arguments in (
            ("device_open_sized", number, text, pointer, size),
            ("device_info_sized", number, number, pointer, size),
            ("list_sized", number, number, _U32, _U64, pointer, size, pointer),
            ("list_by_fd_sized", number, number, _U32, number, pointer, size, pointer),
            ("list_generation", number, number, _U32, _U64, pointer),
            ("audit_vm_sized", number, number, _U64, pointer, size),
            ("open_vm", number, number, _U64), ("open_vcpu", number, number, _U64),
            ("open_slot", number, number, _U64, _U16, _U16),
            ("open_vm_fd", number, number, number), ("open_vcpu_fd", number, number, number),
            ("open_slot_fd", number, number, number, _U16, _U16), ("open_kvm", number, number),
            ("open_all", number, number, _U32, _U64, _U32),
            ("open_all_fd", number, number, _U32, number, _U32),
            ("open_chosen", number, number, _U32, _U64, pointer, size),
            ("open_chosen_fd", number, number, _U32, number, pointer, size),
            ("catalog_read", number, number, pointer), ("catalog_free", None, pointer),
            ("catalog_vendor", _U32, pointer),
            ("catalog_at", ctypes.POINTER(Stat), pointer, size),
            ("catalog_find", ctypes.POINTER(Stat), pointer, _U32, text),
            ("catalog_bucket", text, pointer, text, ctypes.c_uint),
            ("wait", number, number, number),
            ("stats_read", number, number, ctypes.POINTER(stats)),
            ("stats_update", number, number, stats),
            ("stats_find", ctypes.POINTER(Value), stats, text),
            ("stats_free", None, stats),
            ("all_read", number, number, ctypes.POINTER(every)),
            ("all_update", number, number, every), ("all_free", None, every),
            ("all_at", ctypes.POINTER(_Item), every, size),
            ("all_find", number, every, text),
            ("all_value", ctypes.POINTER(_U64), every, size, number),
            ("guest_read", number, number, pointer), ("guest_free", None, pointer),
            ("guest_parse", number, pointer, size, text, pointer),
            ("bucket_range", None, pointer, ctypes.c_uint, pointer, pointer),
            ("quantile", number, pointer, ctypes.c_double, pointer),
            ("unit", text, _U32), ("unit_scale", ctypes.c_double, _U32, number)):
        function = getattr(_lib, "kvmwatch_" + name)
        function.restype = result
        function.argtypes = arguments


_declare()


def _check(result):
    if result < 0:
        raise OSError(-result, os.strerror(-result))
    return result


def _unit(flags):
    unit = _lib.kvmwatch_unit(flags)
    return unit.decode() if unit is not None else None


def _numbers(value, data):
    return data[0] if value.size == 1 else data[:value.size]


def _texts(names):
    return (ctypes.c_char_p * len(names))(*[name.encode() for name in names])


class Guest:
    """What those who started a VM call it; each is None if it is not known.

    A name is for whoever starts the VM to choose: bytes that are not UTF-8 become surrogates.
    """

    def __init__(self, handle):
        guest = ctypes.cast(handle, ctypes.POINTER(_Guest)).contents
        for name, _ in _Guest._fields_:
            value = getattr(guest, name)
            setattr(self, name, value if value is None else os.fsdecode(value))
        _lib.kvmwatch_guest_free(handle)


def guest_read(pid):
    """The Guest of a VMM's process. It may block as long as that process does."""
    handle = ctypes.c_void_p()
    _check(_lib.kvmwatch_guest_read(pid, ctypes.byref(handle)))
    return Guest(handle)


def guest_parse(cmdline, exe=None):
    """The Guest in a command line: bytes, as /proc/PID/cmdline has them."""
    handle = ctypes.c_void_p()
    _check(_lib.kvmwatch_guest_parse(cmdline, len(cmdline), exe and os.fsencode(exe),
                                     ctypes.byref(handle)))
    return Guest(handle)


def open_kvm(kvm_fd):
    """The Stats of KVM's own stats fd, by KVM's fd of a VM or vCPU."""
    return Stats(_check(_lib.kvmwatch_open_kvm(kvm_fd)))


class Catalog:
    """Units and meanings of all statistics, and the names of buckets."""
    _catalog = None

    def __init__(self, dev):
        self._catalog = ctypes.c_void_p()
        _check(_lib.kvmwatch_catalog_read(dev, ctypes.byref(self._catalog)))

    @property
    def vendor(self):
        return _lib.kvmwatch_catalog_vendor(self._catalog)

    def __iter__(self):
        at = 0
        while stat := _lib.kvmwatch_catalog_at(self._catalog, at):
            yield Stat.from_buffer_copy(stat.contents)
            at += 1

    def find(self, kind, name):
        """The Stat of that name, or None."""
        stat = _lib.kvmwatch_catalog_find(self._catalog, kind, name.encode())
        return Stat.from_buffer_copy(stat.contents) if stat else None

    def bucket(self, name, bucket):
        """The name of a bucket of a statistic; None: it has none."""
        found = _lib.kvmwatch_catalog_bucket(self._catalog, name.encode(), bucket)
        return found.decode() if found is not None else None

    def __del__(self):
        if self._catalog:
            _lib.kvmwatch_catalog_free(self._catalog)


class _Fd:
    """An open file descriptor: a context manager."""

    def __init__(self, fd):
        self.fd = fd

    def fileno(self):
        return self.fd

    def close(self):
        if self.fd >= 0:
            os.close(self.fd)
        self.fd = -1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Stats(_Fd):
    """The statistics of one object, by a stats fd of kvmwatch or of KVM."""
    _stats = None

    def __init__(self, fd):
        super().__init__(fd)
        self._stats = ctypes.POINTER(_Stats)()
        _check(_lib.kvmwatch_stats_read(fd, ctypes.byref(self._stats)))

    @property
    def id(self):
        return self._stats.contents.id.decode()

    def update(self):
        """Read the numbers again."""
        _check(_lib.kvmwatch_stats_update(self.fd, self._stats))

    def find(self, name):
        """The statistic of that name, or None. It belongs to this object."""
        value = _lib.kvmwatch_stats_find(self._stats, name.encode())
        if not value:
            return None
        found = value.contents
        found.of = self     # which its numbers lie in
        return found

    def get(self, name):
        """Its number, of a histogram a list of numbers; None: it is unavailable."""
        value = self.find(name)
        return None if value is None else value.number

    def __iter__(self):
        stats = self._stats.contents
        return iter([stats.values[i].name for i in range(stats.nr)])

    def __del__(self):
        if self._stats:
            _lib.kvmwatch_stats_free(self._stats)
        self.close()


class Item:
    """An object of a read of all: its members are those of struct kvmwatch_all_item."""

    def __init__(self, every, at):
        self._every, self._at = every, at
        self._item = _lib.kvmwatch_all_at(every.handle, at).contents

    def __getattr__(self, name):
        return getattr(self._item, name)

    def get(self, name):
        """As Stats.get()."""
        return self._every.value(self._at, name)


class All:
    """What one read of all objects of a kind said; items as in a list."""
    handle = None

    def __init__(self, fd):
        self.handle = ctypes.POINTER(_All)()
        _check(_lib.kvmwatch_all_read(fd, ctypes.byref(self.handle)))

    def __getattr__(self, name):
        return getattr(self.handle.contents, name)

    def __len__(self):
        return self.nr

    def __getitem__(self, at):
        if not 0 <= at < len(self):
            raise IndexError(at)
        return Item(self, at)

    def value(self, at, name):
        stat = _lib.kvmwatch_all_find(self.handle, name.encode())
        data = _lib.kvmwatch_all_value(self.handle, at, stat)
        return _numbers(self.stats[stat], data) if data else None

    def __del__(self):
        if self.handle:
            _lib.kvmwatch_all_free(self.handle)


class AllFd(_Fd):
    """An fd of all objects of a kind."""

    def read(self):
        return All(self.fd)

    def wait(self, timeout_ms=-1):
        """Wait until the objects change; False: they have not in that time."""
        return bool(_check(_lib.kvmwatch_wait(self.fd, timeout_ms)))


class Device(_Fd):
    """/dev/kvmwatch."""

    def __init__(self, path=DEVICE):
        info = Info()
        super().__init__(_check(_lib.kvmwatch_device_open_sized(
            path.encode(), ctypes.byref(info), ctypes.sizeof(info))))

    def info(self):
        info = Info()
        _check(_lib.kvmwatch_device_info_sized(self.fd, ctypes.byref(info),
                                               ctypes.sizeof(info)))
        return info

    def _list(self, struct, kind, vm=0, function=_lib.kvmwatch_list_sized):
        items, nr = ctypes.POINTER(struct)(), ctypes.c_size_t()
        _check(function(self.fd, kind, vm, ctypes.byref(items), ctypes.sizeof(struct),
                        ctypes.byref(nr)))
        try:
            return [struct.from_buffer_copy(items[i]) for i in range(nr.value)]
        finally:
            _libc.free(items)

    def list_vms(self):
        return self._list(Vm, KIND_VM)

    def list_vcpus(self, vm=0):
        return self._list(Vcpu, KIND_VCPU, vm)

    def list_slots(self, vm=0):
        return self._list(Slot, KIND_SLOT, vm)

    def list_vms_by_fd(self, vm_fd):
        """The VM whose KVM fd that is, which is all the right that this takes."""
        return self._list(Vm, KIND_VM, vm_fd, _lib.kvmwatch_list_by_fd_sized)

    def list_vcpus_by_fd(self, vm_fd):
        return self._list(Vcpu, KIND_VCPU, vm_fd, _lib.kvmwatch_list_by_fd_sized)

    def list_slots_by_fd(self, vm_fd):
        return self._list(Slot, KIND_SLOT, vm_fd, _lib.kvmwatch_list_by_fd_sized)

    def list_hooks(self):
        return self._list(Hook, KIND_HOOK)

    def list_stats(self):
        return self._list(Stat, KIND_STAT)

    def list_buckets(self):
        return self._list(Bucket, KIND_BUCKET)

    def list_generation(self, kind, vm=0):
        generation = _U64()
        _check(_lib.kvmwatch_list_generation(self.fd, kind, vm, ctypes.byref(generation)))
        return generation.value

    def open_vm(self, vm):
        return Stats(_check(_lib.kvmwatch_open_vm(self.fd, vm)))

    def open_vcpu(self, vcpu):
        return Stats(_check(_lib.kvmwatch_open_vcpu(self.fd, vcpu)))

    def open_slot(self, vm, as_id, slot):
        return Stats(_check(_lib.kvmwatch_open_slot(self.fd, vm, as_id, slot)))

    def open_vm_fd(self, vm_fd):
        return Stats(_check(_lib.kvmwatch_open_vm_fd(self.fd, vm_fd)))

    def open_vcpu_fd(self, vcpu_fd):
        return Stats(_check(_lib.kvmwatch_open_vcpu_fd(self.fd, vcpu_fd)))

    def open_slot_fd(self, vm_fd, as_id, slot):
        return Stats(_check(_lib.kvmwatch_open_slot_fd(self.fd, vm_fd, as_id, slot)))

    def open_all(self, kind, vm=0, flags=0):
        return AllFd(_check(_lib.kvmwatch_open_all(self.fd, kind, vm, flags)))

    def open_all_fd(self, kind, vm_fd, flags=0):
        return AllFd(_check(_lib.kvmwatch_open_all_fd(self.fd, kind, vm_fd, flags)))

    def open_chosen(self, kind, names=(), vm=0):
        array = _texts(names)
        return AllFd(_check(_lib.kvmwatch_open_chosen(self.fd, kind, vm, array, len(array))))

    def open_chosen_fd(self, kind, vm_fd, names=()):
        array = _texts(names)
        return AllFd(_check(_lib.kvmwatch_open_chosen_fd(self.fd, kind, vm_fd, array,
                                                         len(array))))

    def catalog_read(self):
        return Catalog(self.fd)

    def audit_vm(self, vm):
        audit = Audit()
        _check(_lib.kvmwatch_audit_vm_sized(self.fd, vm, ctypes.byref(audit),
                                            ctypes.sizeof(audit)))
        return audit
