package kernel

import (
	"errors"
	"fmt"
	"io"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	socketRowSize    = int(unsafe.Sizeof(snapshotSocketRow{}))
	fullRowSize      = int(unsafe.Sizeof(snapshotFullRow{}))
	holderRowSize    = int(unsafe.Sizeof(snapshotHolderRow{}))
	namespaceRowSize = int(unsafe.Sizeof(snapshotNamespaceRow{}))

	// rowBuffer is more than a read of an iterator returns: eight pages (kernel/bpf/bpf_iter.c, bpf_seq_read).
	rowBuffer = 64 << 10
	// rowAlign is the alignment of every row, and divides the size of each.
	rowAlign = 8
)

// rowSink takes rows, which it must not keep.
type rowSink interface {
	full(*snapshotFullRow)
	bare(*snapshotSocketRow) // a minisock or a request
	holder(*snapshotHolderRow)
	namespace(*snapshotNamespaceRow)
}

// readRows reads an iterator to its end. A walk over a million objects without output stops with EAGAIN and goes on
// where it was (kernel/bpf/bpf_iter.c, MAX_ITER_OBJECTS).
func readRows(r io.Reader, sink rowSink) error {
	words := make([]uint64, rowBuffer/rowAlign) // for the alignment
	buf := unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), rowBuffer)
	held := 0
	for {
		n, err := r.Read(buf[held:])
		used, bad := parseRows(buf[:held+n], sink)
		if bad != nil {
			return bad
		}
		held = copy(buf, buf[used:held+n])
		switch {
		case errors.Is(err, io.EOF) && held > 0:
			return fmt.Errorf("last row is cut after %d bytes", held)
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		case err != nil:
			return err
		}
	}
}

// parseRows hands out the rows that b, aligned, begins with, and returns how many bytes they take.
func parseRows(b []byte, sink rowSink) (used int, err error) {
	for used < len(b) {
		size := rowSize(b[used])
		if size == 0 {
			return used, fmt.Errorf("row of unknown kind %d", b[used])
		}
		if len(b)-used < size {
			break
		}
		row := unsafe.Pointer(&b[used])
		switch snapshotRowKind(b[used]) {
		case snapshotRowKindROW_FULL:
			sink.full((*snapshotFullRow)(row))
		case snapshotRowKindROW_MINISOCK, snapshotRowKindROW_REQUEST:
			sink.bare((*snapshotSocketRow)(row))
		case snapshotRowKindROW_HOLDER:
			sink.holder((*snapshotHolderRow)(row))
		case snapshotRowKindROW_NAMESPACE:
			sink.namespace((*snapshotNamespaceRow)(row))
		}
		used += size
	}
	return used, nil
}

func rowSize(kind byte) int {
	switch snapshotRowKind(kind) {
	case snapshotRowKindROW_FULL:
		return fullRowSize
	case snapshotRowKindROW_MINISOCK, snapshotRowKindROW_REQUEST:
		return socketRowSize
	case snapshotRowKindROW_HOLDER:
		return holderRowSize
	case snapshotRowKindROW_NAMESPACE:
		return namespaceRowSize
	}
	return 0
}
