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
}

// kindOfFunction tells whose code a function of C, C++ or Rust is; KindUnknown if its name does not say.
func kindOfFunction(name string) Kind {
	bare := strings.TrimLeft(name, "_")
	bare = strings.TrimPrefix(bare, "libc_")
	if wrappers[bare] || wrappers[name] {
		return KindSystem
	}
	for _, prefix := range []string{"std::", "core::", "alloc::", "__gnu_cxx::", "<std::", "<core::", "<alloc::"} {
		if strings.HasPrefix(name, prefix) {
			return KindStandard
		}
	}
	return KindUnknown
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
