//go:build !cgo

package privilege

// cgo says that the test binary may hold C code.
const cgo = false
