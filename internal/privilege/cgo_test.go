//go:build cgo

package privilege

// cgo says that the test binary may hold C code; under the race detector it does.
const cgo = true
