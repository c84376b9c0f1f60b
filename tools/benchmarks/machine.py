"""What the machine says about the programs under test: processor time, resident memory, free ports."""
import os, socket, time


given = set()  # ports that the system would give a second time before somebody listens


def free_port():
    while True:
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            port = s.getsockname()[1]
        if port not in given:
            given.add(port)
            return port


def wait_until(met, what, process=None, seconds=15, every=0.02):
    """What `met` returned once it is not false or None; OSError counts as not yet."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if process is not None and process.poll() is not None:
            raise RuntimeError("a program under test ended at start: %s" % process.args)
        try:
            found = met()
            if found is not False and found is not None:
                return found
        except OSError:
            pass
        time.sleep(every)
    raise RuntimeError("%s did not happen within %g s" % (what, seconds))


def wait_for_port(port, process):
    wait_until(lambda: socket.create_connection(("127.0.0.1", port), 0.2).close() or True, "a listener on port %d" % port, process)


def tree(pid):
    pids = [pid]
    for p in pids:
        try:
            for task in os.listdir("/proc/%d/task" % p):
                pids += [int(c) for c in open("/proc/%d/task/%s/children" % (p, task)).read().split()]
        except OSError:
            pass
    return pids


def cpu_seconds(pid):
    """user+sys of a process, its threads and its children, from the scheduler's own nanoseconds."""
    total = 0
    for p in tree(pid):
        try:
            for task in os.listdir("/proc/%d/task" % p):
                total += int(open("/proc/%d/task/%s/schedstat" % (p, task)).read().split()[0])
        except OSError:
            pass
    return total / 1e9


def _field(path, name):
    with open(path) as f:
        for line in f:
            if line.startswith(name + ":"):
                return int(line.split()[1]) * 1024
    return 0


def resident_memory(pids):
    """Resident bytes of these processes; of a page that several share each counts its part."""
    return sum(_field("/proc/%d/smaps_rollup" % p, "Pss") for p in pids)


def memory_beyond(pid, file):
    """Resident bytes of one process without those of its mapping of `file`."""
    mapped, inside = 0, False
    with open("/proc/%d/smaps" % pid) as f:
        for line in f:
            first = line.split(None, 1)[0]
            if not first.endswith(":"):
                inside = line.rstrip().endswith(file)
            elif inside and first == "Rss:":
                mapped += int(line.split()[1]) * 1024
    return _field("/proc/%d/smaps_rollup" % pid, "Rss") - mapped


def reset_peak(pid):
    with open("/proc/%d/clear_refs" % pid, "w") as f:
        f.write("5")


def peak_memory(pid):
    """The most that was resident since reset_peak(); file pages do not count."""
    return _field("/proc/%d/status" % pid, "VmHWM") - _field("/proc/%d/status" % pid, "RssFile")
