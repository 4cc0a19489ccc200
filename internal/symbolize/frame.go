// Package symbolize turns the return addresses of a process's user stack into functions, files and lines: Go programs by
// the table that every Go binary carries, C, C++ and Rust by symbol tables and DWARF, just-in-time code by perf maps.
//
// A process may be gone when its stack is looked up, so Capture keeps what is needed: the mappings, and descriptors of
// the mapped files, shared between processes and bounded in number. A file is never taken for another of the same path.
//
// Everything here comes from the processes looked at, and they may be hostile: files are read in pieces of bounded
// size, and one that makes no sense costs its own names and nothing else. Names and paths are returned as they are:
// they may hold any byte but NUL, and who prints them escapes them.
package symbolize

// Stack is a user stack as the kernel captures it.
type Stack struct {
	// PCs are, innermost first, the instruction pointer at the system call and the return addresses that the chain of
	// frame pointers leads to. A zero ends them.
	PCs []uint64
	// Words are the words at the user stack pointer, lowest address first; none where they are not known. The caller
	// of a C library's system call wrapper, which has no frame, is found in them (on arm64 only if the wrapper has
	// saved it: it is in a register otherwise).
	Words []uint64
	// Program is a hash of what /proc/PID/stat says of the program whose stack it is: see program.hash.
	Program uint64
}

// Frame is one function call of a stack. What is not known is empty or zero.
type Frame struct {
	Function string // as its language writes it, without parameters; a symbol as it stands if it cannot be demangled
	File     string // the source file, as the compiler was told of it
	Line     int    // in File; 0 when unknown

	// Module is the path of the mapped file in the process's own root, also when it is deleted by now. [vdso] and other
	// names in brackets are the kernel's; [anon] is memory without a file, as a just-in-time compiler's; empty where
	// nothing is mapped.
	Module string
	// Offset is where in Module the instruction is, in the form that addr2line and objdump take: a virtual address of
	// the ELF file, of the call and not of what follows it. For a module that could not be read it is the offset in
	// the file, and for what is no file it is 0.
	Offset uint64
	PC     uint64 // as captured: for all but the innermost frame, the address behind the call

	Kind    Kind
	Guess   bool // found among words of the stack without proof that it is a return address
	Inlined bool // inlined into the next frame: both have the same PC
}

// Kind is whose code a function is.
type Kind uint8

// The kinds of code. A module without symbols that is none of the others is the user's.
const (
	KindUnknown  Kind = iota // in no mapping, or just-in-time code that nothing describes
	KindUser                 // the program's own and its libraries'
	KindStandard             // the standard library of its language
	KindRuntime              // the runtime or interpreter that runs the language
	KindSystem               // the C library, the dynamic linker, the vdso
)

// String returns the kind in a word.
func (k Kind) String() string {
	switch k {
	case KindUser:
		return "user"
	case KindStandard:
		return "standard library"
	case KindRuntime:
		return "runtime"
	case KindSystem:
		return "system"
	}
	return "unknown"
}

// Headline returns the frame that says best where in the program the stack comes from: the innermost one of the user's
// own code. Without one, as in a goroutine of net/http, it is the outermost of the standard library; without that, as
// in an interpreter that does not tell its own stack, the innermost outside the C library. False if there is none.
func Headline(frames []Frame) (Frame, bool) {
	var standard, other *Frame
	for i := range frames {
		switch f := &frames[i]; f.Kind {
		case KindUser:
			return *f, true
		case KindStandard:
			standard = f
		case KindRuntime:
			if other == nil {
				other = f
			}
		}
	}
	switch {
	case standard != nil:
		return *standard, true
	case other != nil:
		return *other, true
	}
	return Frame{}, false
}

// place is what a module says of one address, innermost first if functions are inlined there.
type place struct {
	function, file string
	line           int
	kind           Kind
	inlined        bool
	short          bool // function is the last part of its name alone
}
