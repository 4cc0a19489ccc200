package main

// A client with a pool of connections: HOST PORT COUNT. The bug: nobody looks at those that lie idle.

import (
	"fmt"
	"net"
	"os"
	"strconv"
)

type pool struct{ idle chan net.Conn }

func (p *pool) put(c net.Conn) { p.idle <- c }

func main() {
	count, err := strconv.Atoi(os.Args[3])
	must(err)
	p := pool{make(chan net.Conn, count)}
	for range count {
		c, err := net.Dial("tcp", net.JoinHostPort(os.Args[1], os.Args[2]))
		must(err)
		report(c)
		p.put(c)
	}
	ready(nil)
	awaitWord()
	close(p.idle)
	for c := range p.idle {
		must(c.Close())
	}
	fmt.Println("closed")
	awaitWord()
}
