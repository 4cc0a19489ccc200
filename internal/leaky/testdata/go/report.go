package main

import (
	"bufio"
	"fmt"
	"log"
	"net"
	"os"
)

// What the programs have in common: what they tell the test on stdout. A line is a word with what belongs to it, or a JSON
// object about one socket that will not be closed.

var words = bufio.NewScanner(os.Stdin)

func report(c net.Conn) {
	raw, err := c.(*net.TCPConn).SyscallConn()
	must(err)
	local, remote := c.LocalAddr().(*net.TCPAddr).Port, c.RemoteAddr().(*net.TCPAddr).Port
	must(raw.Control(func(fd uintptr) {
		fmt.Printf(`{"pid":%d,"fd":%d,"lport":%d,"rport":%d}`+"\n", os.Getpid(), fd, local, remote)
	}))
}

func ready(l net.Listener) {
	port := 0
	if l != nil {
		port = l.Addr().(*net.TCPAddr).Port
	}
	fmt.Println("ready", port)
}

// awaitWord waits until the test says something; its end is the end of the program.
func awaitWord() {
	if !words.Scan() {
		os.Exit(0)
	}
}

func must(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
