package main

// A server that keeps a table of its sessions: HOST. The bug: its handler returns at the end without a Close, and what is
// in the table is not freed.

import (
	"fmt"
	"io"
	"net"
	"os"
	"sync"
)

var (
	mu       sync.Mutex
	sessions = map[string]net.Conn{}
)

func handle(c net.Conn) {
	mu.Lock()
	sessions[c.RemoteAddr().String()] = c
	mu.Unlock()
	if _, err := io.Copy(io.Discard, c); err != nil {
		c.Close()
		return
	}
	report(c)
}

func main() {
	l, err := net.Listen("tcp", net.JoinHostPort(os.Args[1], "0"))
	must(err)
	go func() {
		for {
			c, err := l.Accept()
			must(err)
			go handle(c)
		}
	}()
	ready(l)
	awaitWord()
	mu.Lock()
	for _, c := range sessions {
		must(c.Close())
	}
	mu.Unlock()
	fmt.Println("closed")
	awaitWord()
}
