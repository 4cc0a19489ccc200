package main

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// reportSnapshot prints the tables that README shows.
func reportSnapshot(w io.Writer, who []contender, all []comparison) {
	fmt.Fprintf(w, "\nWall time and highest resident memory, median:\n\n")
	writeTable(w, who, all, func(c *comparison, i int) string { return wallCell(c.runs[i]) + ", " + memoryCell(c.runs[i]) })
	fmt.Fprintf(w, "\nCPU time:\n\n")
	writeTable(w, who, all, func(c *comparison, i int) string { return cpuCell(c.runs[i]) })
	fmt.Fprintf(w, "\nTimes the wall time of `%v`, round by round:\n\n", &who[base])
	writeTable(w, who, all, ratioCell)
	fmt.Fprintln(w)
	for _, c := range all {
		fmt.Fprintf(w, "%s sockets: %[2]s in CLOSE_WAIT, %[2]s in FIN_WAIT2, the others ESTABLISHED; processes with them: %d; "+
			"network namespaces on the host: %d; sockets in the others, which only tcptrail shows: %s\n", grouped(c.sockets),
			grouped(c.closeWait), c.holders, c.namespaces, grouped(c.others))
	}
}

// writeTable writes a Markdown table with a row for each crowd and a column for each contender.
func writeTable(w io.Writer, who []contender, all []comparison, cell func(c *comparison, i int) string) {
	fmt.Fprint(w, "| sockets |")
	for i := range who {
		fmt.Fprintf(w, " `%v` |", &who[i])
	}
	fmt.Fprintf(w, "\n| --- |%s\n", strings.Repeat(" --- |", len(who)))
	for k := range all {
		fmt.Fprintf(w, "| %s |", grouped(all[k].sockets))
		for i := range who {
			fmt.Fprintf(w, " %s |", cell(&all[k], i))
		}
		fmt.Fprintln(w)
	}
}

func wallCell(runs []figures) string {
	return more(runs) + threeDigits(median(runs, figures.seconds)) + " s"
}

func cpuCell(runs []figures) string {
	return more(runs) + threeDigits(median(runs, figures.cpuSeconds)) + " s"
}

func memoryCell(runs []figures) string {
	sign := more(runs)
	if slices.ContainsFunc(runs, func(f figures) bool { return f.rssBound }) {
		if sign != "" {
			return "memory unknown" // more than what is less than ours
		}
		sign = "≤ "
	}
	return sign + threeDigits(median(runs, figures.megabytes)) + " MB"
}

func ratioCell(c *comparison, i int) string {
	return more(c.runs[i]) + threeDigits(median(c.ratios(i), func(r float64) float64 { return r }))
}

// more is the sign of a figure of runs that were cut.
func more(runs []figures) string {
	if slices.ContainsFunc(runs, func(f figures) bool { return f.cut }) {
		return "> "
	}
	return ""
}

// threeDigits writes a number with three decimals at most and, if that is fewer, with so many that three digits count.
func threeDigits(x float64) string {
	decimals := 0
	for limit := 100.0; x < limit && decimals < 3; limit /= 10 {
		decimals++
	}
	return strconv.FormatFloat(x, 'f', decimals, 64)
}

// grouped writes a number with commas between thousands.
func grouped(n int) string {
	text := strconv.Itoa(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
