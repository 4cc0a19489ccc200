package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// describeMachine says where figures come from: kernel, processors, load and versions.
func describeMachine(ctx context.Context, who []contender, missing []string) string {
	var b strings.Builder
	var name unix.Utsname
	if err := unix.Uname(&name); err == nil {
		fmt.Fprintf(&b, "Linux %s, ", unix.ByteSliceToString(name.Release[:]))
	}
	fmt.Fprintf(&b, "%d CPUs", runtime.NumCPU())
	if info, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		fmt.Fprint(&b, modelName(string(info)))
	}
	if load, err := os.ReadFile("/proc/loadavg"); err == nil {
		first, _, _ := strings.Cut(string(load), " ")
		fmt.Fprintf(&b, ", load %s at the start", first)
	}
	fmt.Fprintln(&b)
	last := ""
	for i := range who {
		if program := who[i].argv[0]; program != last {
			fmt.Fprintf(&b, "%s: %s\n", filepath.Base(program), who[i].versionLine(ctx))
			last = program
		}
	}
	for _, m := range missing {
		fmt.Fprintf(&b, "missing: %s\n", m)
	}
	return b.String()
}

// modelName finds the processor's name, which not every architecture tells.
func modelName(cpuinfo string) string {
	for line := range strings.Lines(cpuinfo) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == "model name" {
			return " (" + strings.TrimSpace(value) + ")"
		}
	}
	return ""
}

// countNetNS counts the network namespaces that the first thread of a process is in; those of mounts alone are not.
func countNetNS() int {
	paths, _ := filepath.Glob("/proc/[0-9]*/ns/net") // the pattern is good
	found := make(map[string]bool)
	for _, path := range paths {
		if link, err := os.Readlink(path); err == nil {
			found[link] = true
		}
	}
	return len(found)
}
