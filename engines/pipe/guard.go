package pipe

import (
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// ExitMemory is the exit code of a process that ended itself because it used more memory than it may.
const ExitMemory = 86

// EndWith ends this process when the one that started it (by its id) is gone, even in the middle of a request.
func EndWith(parent int) {
	for range time.Tick(time.Second) {
		if os.Getppid() != parent {
			os.Exit(0)
		}
	}
}

// Guard keeps this process within limit bytes: the collector works harder near it, and beyond it the process ends.
// Nothing else works alike on Linux and macOS: Go reserves far more address space than it uses, so a limit on that
// says little.
func Guard(limit int64) {
	if limit <= 0 {
		return
	}
	debug.SetMemoryLimit(limit * 9 / 10)
	sample := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	go func() {
		runtime.LockOSThread()
		for range time.Tick(10 * time.Millisecond) {
			metrics.Read(sample)
			used := int64(sample[0].Value.Uint64()) - int64(sample[1].Value.Uint64())
			if used > limit {
				fmt.Fprintf(os.Stderr, "memory: %d bytes in use, %d allowed\n", used, limit)
				os.Exit(ExitMemory)
			}
		}
	}()
}
