package symbolize

import (
	"bytes"
	"os"
	"strconv"
)

// program tells the programs apart that a process runs one after the other: what the kernel noted when each began. Where
// the stack is, is random, unless that was turned off; the rest is where code and data of the file are.
type program struct {
	startCode, endCode, startStack, startData, endData, startBrk uint64
}

// readProgram returns which program the process runs; the zero program when it has ended, or must not be looked at.
func (i *Image) readProgram() program {
	stat, err := os.ReadFile(i.proc("stat"))
	if err != nil {
		return program{}
	}
	return parseProgram(stat)
}

// parseProgram reads /proc/PID/stat (proc_pid_stat(5), where the fields have these numbers).
func parseProgram(stat []byte) program {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	const first = 3 // behind the name, which may hold anything
	number := func(field int) uint64 {
		if field-first >= len(fields) {
			return 0
		}
		n, err := strconv.ParseUint(string(fields[field-first]), 10, 64)
		if err != nil {
			return 0
		}
		return n
	}
	return program{number(26), number(27), number(28), number(45), number(46), number(47)}
}

// hash returns what program_of() of bpf/stack.h makes of a program.
func (p program) hash() (hash uint64) {
	hash = p.startCode
	for _, value := range [...]uint64{p.endCode, p.startStack, p.startData, p.endData, p.startBrk} {
		hash = (hash ^ value) * 0x9e3779b97f4a7c15
		hash ^= hash >> 32
	}
	return hash
}
