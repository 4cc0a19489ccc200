package cli

import "runtime/debug"

// heapLimit is up to what a command that ends soon lets garbage lie: a snapshot of two million sockets.
const heapLimit = 1 << 30

// collectLater puts off garbage collection until the memory of a large host's snapshot is used up. What list and count
// make, they need until they end: a collector would look through all of it several times and find nothing. It returns
// how to go back, for who lives on.
func collectLater() (restore func()) {
	percent := debug.SetGCPercent(-1)
	limit := debug.SetMemoryLimit(heapLimit)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
