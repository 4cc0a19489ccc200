package symbolize

import (
	"path"
	"strings"
)

// kindOfModule tells whose code a file is, by its name alone; KindUser if that says nothing.
func kindOfModule(file string) Kind {
	name := path.Base(strings.TrimSuffix(file, deletedMark))
	for _, known := range []struct {
		prefixes []string
		kind     Kind
	}{
		{[]string{"libc.so", "libc-2.", "libpthread", "libresolv", "ld-linux", "ld-musl", "libc.musl", "ld-2.", "libanl"}, KindSystem},
		{[]string{"libstdc++", "libgcc_s", "libc++", "libstd-"}, KindStandard},
		{[]string{
			"python", "libpython", "_socket.", "_ssl.", "libjvm.so", "libnet.so", "libnio.so", "libjava.so", "ruby", "libruby",
			"php", "libphp", "perl", "libperl", "node", "libnode", "lua", "liblua",
		}, KindRuntime},
	} {
		for _, prefix := range known.prefixes {
			if strings.HasPrefix(name, prefix) {
				return known.kind
			}
		}
	}
	return KindUser
}

// wrappers are the C library's names for the system calls by which sockets are opened: in a static program they stand
// beside the user's functions.
var wrappers = map[string]bool{
	"connect": true, "accept": true, "accept4": true, "listen": true, "socket": true, "__syscall_cancel": true,
	"__syscall_cancel_arch": true, "__internal_syscall_cancel": true, "__syscall_cp_c": true, "__syscall_cp_asm": true, "__syscall_cp": true,
	"sccp": true, "__cp_begin": true, "__cp_end": true, // musl
}

// kindOfFunction tells whose code a function of C, C++ or Rust is; KindUnknown if its name does not say.
func kindOfFunction(name string) Kind {
	bare := strings.TrimLeft(name, "_")
	bare = strings.TrimPrefix(bare, "libc_")
	if wrappers[bare] || wrappers[name] {
		return KindSystem
	}
	if rest, ok := strings.CutPrefix(name, "<"); ok { // Rust: <TYPE>::function, <TYPE as TRAIT>::function
		self, trait, _ := strings.Cut(rest, " as ")
		if isStandard(self) && (trait == "" || isStandard(trait)) || !strings.Contains(self, "::") && isStandard(trait) {
			return KindStandard
		}
		return KindUnknown
	}
	if isStandard(name) {
		return KindStandard
	}
	return KindUnknown
}

// isStandard says whether a path of C++ or Rust begins in the standard library.
func isStandard(path string) bool {
	path = strings.TrimLeft(path, "&*[( ")
	path = strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(path, "mut "), "const "), "dyn ")
	for _, prefix := range []string{"std::", "core::", "alloc::", "__gnu_cxx::"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}

// kindOfGo tells whose code a Go function is, given the modules that the program is made of.
func kindOfGo(function string, modules []string) Kind {
	pkg := packageOf(function)
	first, _, _ := strings.Cut(pkg, "/")
	switch {
	case first == "runtime", strings.HasPrefix(pkg, "internal/runtime/"):
		return KindRuntime
	case pkg == "main", strings.Contains(first, "."):
		return KindUser
	}
	for _, module := range modules { // a module may have a name without a dot
		if pkg == module || strings.HasPrefix(pkg, module+"/") {
			return KindUser
		}
	}
	return KindStandard
}

// packageOf returns the import path of a Go function's package: up to the first dot behind the last slash, but for what
// stands in brackets of type parameters. In the path itself dots behind the last slash are written as %2e.
func packageOf(function string) string {
	function, _, _ = strings.Cut(function, "[")
	slash := strings.LastIndexByte(function, '/') + 1
	if dot := strings.IndexByte(function[slash:], '.'); dot >= 0 {
		return strings.ReplaceAll(function[:slash+dot], "%2e", ".")
	}
	return function
}

// kindOfJIT tells whose code a function is by the name that a just-in-time compiler gives it. CPython calls functions
// py::NAME:FILE (Python/perf_trampoline.c), the JVM's agents as Java or the JVM does, and V8 KIND:NAME FILE:LINE:COLUMN.
func kindOfJIT(name string) Kind {
	if rest, ok := strings.CutPrefix(name, "py::"); ok {
		_, file, _ := strings.Cut(rest, ":")
		if strings.HasPrefix(file, "<frozen ") || strings.Contains(file, "/lib/python3") && !strings.Contains(file, "-packages/") {
			return KindStandard
		}
		return KindUser
	}
	for _, known := range []struct {
		prefixes []string
		kind     Kind
	}{
		{[]string{"java.", "javax.", "jdk.", "sun.", "Ljava/", "Ljavax/", "Ljdk/", "Lsun/"}, KindStandard},
		{[]string{"Interpreter", "call_stub", "StubRoutines", "Builtin:", "Stub:", "BytecodeHandler:"}, KindRuntime},
	} {
		for _, prefix := range known.prefixes {
			if strings.HasPrefix(name, prefix) {
				return known.kind
			}
		}
	}
	if strings.Contains(name, " node:") {
		return KindStandard
	}
	return KindUser
}
