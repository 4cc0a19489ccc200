package cli

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// eventually waits until yes says so. The kernel frees programs from a work queue, which nobody can wait for.
func eventually(t *testing.T, what string, yes func() bool) {
	t.Helper()
	for stop := time.Now().Add(patience); !yes(); time.Sleep(time.Millisecond) {
		if time.Now().After(stop) {
			t.Fatalf("never: %s", what)
		}
	}
}

// programsOf returns the ids of the BPF programs that a process holds descriptors of, directly or by a link.
func programsOf(t *testing.T, pid int) []uint32 {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join("/proc", strconv.Itoa(pid), "fdinfo", "*"))
	if err != nil {
		t.Fatal(err)
	}
	var ids []uint32
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if errors.Is(err, os.ErrNotExist) {
			continue // closed meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		var id uint32
		_, after, found := strings.Cut(string(text), "prog_id:")
		if _, err := fmt.Sscan(after, &id); found && err == nil {
			ids = append(ids, id)
		}
	}
	return ids
}

// programExists asks the kernel for a program by its id, with the system call alone.
func programExists(t *testing.T, id uint32) bool {
	t.Helper()
	const progGetFDByID = 13 // BPF_PROG_GET_FD_BY_ID of enum bpf_cmd
	attr := struct{ id, next, flags uint32 }{id: id}
	fd, _, errno := syscall.Syscall(uintptr(sysBPF), progGetFDByID, uintptr(unsafe.Pointer(&attr)), unsafe.Sizeof(attr))
	switch errno {
	case 0:
		if err := syscall.Close(int(fd)); err != nil {
			t.Fatal(err)
		}
		return true
	case syscall.ENOENT:
		return false
	}
	t.Fatalf("ask for program %d: %v", id, errno)
	return false
}
