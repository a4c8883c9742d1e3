package gpu

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// hostMemory returns how many bytes this process can still get and out of how many, by the
// tightest of its limits: ulimit -v and -d, its control group and the machine. objects is
// what it has taken already, written to or not, and idle what it has in addition.
func hostMemory(objects, idle int64) (free, limit int64) {
	var pages [7]int64 // size, resident, shared, text, library, data, dirty
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0, 0
	}
	for i, field := range strings.Fields(string(text)) {
		if i < len(pages) {
			pages[i], _ = strconv.ParseInt(field, 10, 64) // 0 for what is no number
			pages[i] *= int64(os.Getpagesize())
		}
	}
	size, resident, data := pages[0], pages[1], pages[5]
	free = math.MaxInt64
	tighten := func(total, used int64) {
		if left := max(0, total-used); left < free {
			free, limit = left, total
		}
	}
	// What is not asked for is left some, too: the runtime takes address space in pieces of
	// 64 MB, and little memory.
	const spareSpace, spare = 256 << 20, 16 << 20
	for resource, used := range map[int]int64{unix.RLIMIT_AS: size, unix.RLIMIT_DATA: data} {
		var r unix.Rlimit
		if unix.Getrlimit(resource, &r) == nil && r.Cur < math.MaxInt64 {
			tighten(int64(r.Cur), used-idle+spareSpace)
		}
	}
	taken := max(objects, resident) + spare
	for _, file := range []string{"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"} {
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		if total, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil {
			tighten(total, taken)
		}
	}
	if text, err := os.ReadFile("/proc/meminfo"); err == nil {
		kilobytes := map[string]int64{}
		for line := range strings.Lines(string(text)) {
			var name string
			var n int64
			if _, err := fmt.Sscan(line, &name, &n); err == nil {
				kilobytes[name] = n << 10
			}
		}
		if available, ok := kilobytes["MemAvailable:"]; ok {
			tighten(available+kilobytes["SwapFree:"]+resident, taken)
		}
	}
	return free, limit
}
